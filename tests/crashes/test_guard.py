"""The guard on the real platform: each of its stops ends a run at once and leaves nothing changed."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from ruamel.yaml import YAML

from drillbook.run import approval
from tests.crashes.conftest import PROJECT, RUN_WITHIN_S

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.crashes.conftest import Run, Twin

pytestmark = [pytest.mark.twin, pytest.mark.slow]

SCENARIO = "a_good_release_replaces_the_live_one"
SWITCHED = 4


@pytest.fixture
def environment(tmp_path: Path) -> Callable[..., Path]:
    def make(change: Callable[[dict[str, Any]], None], name: str = "guarded") -> Path:
        yaml = YAML(typ="safe", pure=True)
        document = yaml.load((PROJECT / "environments" / "twin.yaml").read_text())
        document["name"] = name
        change(document)
        directory = tmp_path / "environments"
        directory.mkdir()
        (tmp_path / "system").symlink_to(PROJECT / "system")
        path = directory / f"{name}.yaml"
        with path.open("w") as file:
            yaml.dump(document, file)
        return path

    return make


def is_stopped(run: Run, twin: Twin, since_s: float, reason: str) -> None:
    code = run.end()
    print(f"{reason}: ended with {code} after {time.monotonic() - since_s:.1f} s")
    assert code == 75
    assert twin.clean, twin.left()
    assert run.folder is not None
    (drill,) = (json.loads(path.read_text()) for path in run.folder.glob("drills/*/drill.json"))
    assert drill["verdict"] == "INCONCLUSIVE"
    assert f"the run was stopped: {reason}" in drill["error"]


def test_a_stop_file(start, twin, environment, tmp_path):
    stop = tmp_path / "stop"
    run = start(SCENARIO, environment=environment(lambda d: d["guard"].update(stop_file=str(stop))))
    run.wait_for_boundary(SWITCHED)
    stop.touch()
    is_stopped(run, twin, time.monotonic(), f"the stop file {stop} has appeared")


def test_users_bad_answers(start, twin, environment):
    def change(document):
        # A release that its own watch would let stay: only the guard is left to end it.
        document["releases"]["overrides"]["fails 10 % of requests"]["defects.errorShare"] = 0.5
        document["strategy"].update(bad_share=0.99, watch="60 s")
        document["guard"]["burn"] = {"bad_share": 0.2, "for": "3 s"}

    run = start("taken_back_by_itself and fails", environment=environment(change))
    run.wait_for_boundary(SWITCHED)
    is_stopped(run, twin, time.monotonic(), "users had more than 20% bad answers for 3 s")


def test_more_pods_away_than_allowed(start, twin, environment):
    run = start(SCENARIO, environment=environment(lambda d: d["guard"].update(pods_share=0.3)))
    run.wait_for_boundary(0)
    names = twin.kubectl("get", "pods", "-n", "analytics", "-l", "slot=blue", "-o", "name").split()
    twin.kubectl("delete", names[0], "-n", "analytics", "--wait=false")
    is_stopped(run, twin, time.monotonic(), "1 of 2 serving pods are ready")


def test_production_is_drilled_with_an_approval_and_not_without(start, twin, environment, tmp_path):
    key = tmp_path / "key.pem"
    private = Ed25519PrivateKey.generate()
    key.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    always = [
        {"days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], "from": begins, "to": begins, "zone": "UTC"}
        for begins in ("00:00", "12:00")
    ]

    def change(document):
        document["tier"] = "production"
        for region in document["regions"].values():
            region["context"] = "drillbook-release"
        document["guard"] |= {"windows": always, "approvers": {"ada": approval.public_key(key)}}

    path, word = environment(change), tmp_path / "approval.json"
    refused = start(SCENARIO, "--production-allowed", environment=path)
    assert refused.end() == 4
    assert "approved" in refused.output.read_text()
    made = subprocess.run(
        [
            sys.executable, "-m", "drillbook", "approve", "--environment", str(path), "--by=ada", f"--key={key}",
            f"--out={word}", "--reason=CHG-1",
        ],
        cwd=PROJECT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    run = start(SCENARIO, "--production-allowed", f"--approval={word}", environment=path)
    assert run.process.wait(RUN_WITHIN_S) == 0, run.output.read_text()
    assert twin.clean, twin.left()
