"""The check that the guide shows, run as it stands there."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import subprocess
from pathlib import Path

import pytest
from signed_runs import NOW_S

from drillbook.evidence import attesting, envelope

GUIDE = Path(__file__).resolve().parents[4] / "docs" / "evidence.md"
RUN_ID = "20261123T081500Z-twin-bbbb"
RELEASED = {"released": ["1.1.0"], "images": {"1.1.0": [f"registry:5000/analytics@sha256:{'1' * 64}"]}}


@pytest.fixture
def check(signed, tmp_path):
    """The guide's script over a run that it is given; its exit code and what it says."""
    (script,) = re.findall(r"```sh\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    (of_a_release,) = re.findall(r"```shell\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    key = tmp_path / "evidence.pub"
    key.write_text(signed.signer.public_key().pem)

    def run(path: Path, key: Path = key, *, release: bool = False) -> subprocess.CompletedProcess[str]:
        said = script + of_a_release if release else script
        environment = {**os.environ, "RUN": str(path), "KEY": str(key)}
        return subprocess.run(
            ["bash", "-c", said], env=environment, capture_output=True, text=True, timeout=60, check=False
        )

    return run


def test_a_run_as_it_was_signed(signed, check):
    found = check(signed.run(RUN_ID, reports=True))
    assert found.returncode == 0, found.stdout + found.stderr


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (
            lambda run: (run / "run.json").write_bytes((run / "run.json").read_bytes().replace(b"PASS", b"FAIL")),
            "run.json",
        ),
        (lambda run: (run / "undo.jsonl").unlink(), "undo.jsonl"),
        (lambda run: (run / "added").touch(), "added"),
        (lambda run: (run / "evidence.dsse.json").write_text("{}"), ""),
    ],
    ids=["changed", "removed", "added", "no envelope"],
)
def test_a_run_that_is_not(signed, check, change, named):
    run = signed.run(RUN_ID, reports=True)
    change(run)
    found = check(run)
    assert found.returncode != 0
    assert named in found.stdout + found.stderr


def test_a_run_that_another_key_signed(signed, check, tmp_path):
    other = tmp_path / "other.pub"
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", tmp_path / "other.pem"], check=True)
    subprocess.run(["openssl", "pkey", "-in", tmp_path / "other.pem", "-pubout", "-out", other], check=True)
    found = check(signed.run(RUN_ID), other)
    assert found.returncode != 0
    assert "Verification Failure" in found.stdout + found.stderr


def test_the_attestation_of_a_release(signed, check):
    run = signed.run(RUN_ID, run=RELEASED, drill={"let_stay": "1.1.0"})
    attesting.attest(run, signed.signer, now_s=NOW_S)
    found = check(run, release=True)
    assert found.returncode == 0, found.stdout + found.stderr
    assert found.stdout.count("Signature Verified Successfully") == 2
    path = run / "release.dsse.json"
    whole = path.read_bytes()
    other = json.loads(envelope.parsed(whole).payload)
    other["subject"][0]["digest"]["sha256"] = "2" * 64
    forged = dataclasses.replace(envelope.parsed(whole), payload=json.dumps(other).encode())
    path.write_bytes(forged.rendered())
    found = check(run, release=True)
    assert found.returncode != 0
    assert "Verification Failure" in found.stdout + found.stderr


def test_the_attestation_of_another_run(signed, check):
    run = signed.run(RUN_ID, run=RELEASED, drill={"let_stay": "1.1.0"})
    other = signed.run("20261124T081500Z-twin-cccc", run=RELEASED, drill={"let_stay": "1.1.0"})
    attesting.attest(other, signed.signer, now_s=NOW_S)
    (run / "release.dsse.json").write_bytes((other / "release.dsse.json").read_bytes())
    assert check(run, release=True).returncode != 0
