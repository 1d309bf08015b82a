"""An application that is not ours is drilled by its adapter, its chart and its environment file alone."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.twin, pytest.mark.slow]
PROJECT = Path(__file__).resolve().parents[2]
TAKEN_BACK = "A bad release that passes its health checks is taken back by itself"
PROVED = {
    "A good release replaces the live one",
    "A release that fails its validation never takes traffic",
    f"{TAKEN_BACK} (fails 10 % of requests)",
    "An operator takes back a release that was live for a while",
}
NOT_PROVED = {f"{TAKEN_BACK} (takes 0.5 s longer)", f"{TAKEN_BACK} (answers 20 % of queries wrongly)"}


def run(*command: str, timeout_s: float) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *command], cwd=PROJECT, capture_output=True, text=True, timeout=timeout_s, check=False
    )


@pytest.fixture
def kinto():
    """Installed twice, since that is to be no different from once; gone afterwards, whatever happened."""
    try:
        for _ in range(2):
            installed = run("examples.kinto", "install", timeout_s=600)
            assert installed.returncode == 0, installed.stderr
        yield
    finally:
        removed = run("examples.kinto", "uninstall", timeout_s=300)
    assert removed.returncode == 0, removed.stderr


@pytest.mark.usefixtures("kinto")
def test_what_it_offers_is_proved_and_the_rest_is_not_proved_by_name(tmp_path: Path):
    done = run(
        "drillbook", "verify", "--environment=examples/kinto/kinto.yaml", f"--runs={tmp_path}", "--wait=120",
        timeout_s=1500,
    )  # fmt: skip
    drills = [json.loads(path.read_text(encoding="utf-8")) for path in tmp_path.glob("*/drills/*/drill.json")]
    verdicts = {drill["scenario"]: drill["verdict"] for drill in drills}
    expected = dict.fromkeys(PROVED, "PASS") | dict.fromkeys(NOT_PROVED, "INCONCLUSIVE")
    assert verdicts == expected, done.stdout[-8000:]
    errors = {drill["scenario"]: str(drill["error"]) for drill in drills}
    assert all("not proved here: the environment kinto has no release that" in errors[name] for name in NOT_PROVED)
    assert done.returncode == 75
