"""An application that is not ours is drilled by its adapter, its chart and its environment file alone."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.twin, pytest.mark.slow]
PROJECT = Path(__file__).resolve().parents[2]
OFFERED = {"A good release replaces the live one", "An operator takes back a release that was live for a while"}


@pytest.fixture
def kinto():
    subprocess.run([sys.executable, "-m", "examples.kinto", "install"], cwd=PROJECT, check=True, timeout=600)
    yield
    subprocess.run([sys.executable, "-m", "examples.kinto", "uninstall"], cwd=PROJECT, check=True, timeout=300)


@pytest.mark.usefixtures("kinto")
def test_what_it_offers_is_proved_and_the_rest_is_not_proved_by_name(tmp_path):
    done = subprocess.run(
        [
            sys.executable, "-m", "pytest", "features", "-q", "--environment=examples/kinto/kinto.yaml",
            f"--runs={tmp_path}", "--lock-wait=120",
        ],
        cwd=PROJECT, capture_output=True, text=True, timeout=900, check=False,
    )  # fmt: skip
    drills = {d["scenario"]: d for d in (json.loads(p.read_text()) for p in tmp_path.glob("*/drills/*/drill.json"))}
    verdicts = {name: drill["verdict"] for name, drill in drills.items()}
    assert {name for name, verdict in verdicts.items() if verdict == "PASS"} == OFFERED, done.stdout[-5000:]
    rest = [drill for name, drill in drills.items() if name not in OFFERED]
    assert len(rest) == 4
    assert all(drill["verdict"] == "INCONCLUSIVE" and "not proved here" in drill["error"] for drill in rest)
    assert done.returncode == 75
