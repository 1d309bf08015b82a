"""A night that was ended goes on: what has passed on the same commit is not run again, and nothing else is left out."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
STAGES = SCRIPTS / "stages.sh"
NIGHT = """
source "$(dirname "$0")/stages.sh"
keep night
stage "it passes (1 of 2)" sh -c 'echo passes >> ran'
stage "it fails" sh -c 'echo fails >> ran; exit 3'
every_time "it is needed" sh -c 'echo needed >> ran'
finish
"""


@pytest.fixture
def night(tmp_path: Path):
    """Runs the night; answers its exit code, what ran, and what it says at its end."""
    (tmp_path / "scripts").mkdir()
    shutil.copy(STAGES, tmp_path / "scripts")
    script = tmp_path / "scripts" / "night"
    script.write_text(NIGHT)

    def run() -> tuple[int, list[str], str]:
        (tmp_path / "ran").unlink(missing_ok=True)
        done = subprocess.run(["bash", str(script)], capture_output=True, text=True, timeout=20, check=False)
        return done.returncode, (tmp_path / "ran").read_text().split(), done.stdout.partition("=== what ran")[2]

    return run


def test_what_has_passed_is_not_run_again_and_everything_else_is(night, tmp_path: Path) -> None:
    code, ran, said = night()
    assert (code, ran) == (1, ["passes", "fails", "needed"])
    assert re.search(r"passed   \d+s  it passes \(1 of 2\)", said)
    assert re.search(r"FAILED   \d+s  it fails \(exit 3\)", said)
    code, ran, said = night()
    assert (code, ran) == (1, ["fails", "needed"])
    assert "passed before  it passes (1 of 2) (20" in said
    assert re.search(r"passed   \d+s  it is needed", said)
    shutil.rmtree(tmp_path / "night")
    assert night()[1] == ["passes", "fails", "needed"]


@pytest.mark.parametrize("refused", ["rev-parse", "status"])
def test_where_git_cannot_answer_nothing_counts_as_passed_before(tmp_path: Path, refused: str) -> None:
    """Else all that ever passed would count, whatever has changed since."""
    (tmp_path / "scripts").mkdir()
    for name in ("nightly", "stages.sh"):
        shutil.copy(SCRIPTS / name, tmp_path / "scripts")
    (tmp_path / "bin").mkdir()
    git = tmp_path / "bin" / "git"
    git.write_text(f'#!/bin/sh\n[ "$1" != {refused} ] || exit 128\n[ "$1" = status ] || echo 0b58f55\n')
    git.chmod(0o755)
    for kept in ("", "0b58f55"):
        (tmp_path / "reports" / "nightly" / kept).mkdir(parents=True, exist_ok=True)
        (tmp_path / "reports" / "nightly" / kept / "unit-tests").write_text("long ago")
    done = subprocess.run(
        ["bash", str(tmp_path / "scripts" / "nightly")], capture_output=True, text=True, timeout=20, check=False,
        env={"PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin"},
    )  # fmt: skip
    said = done.stdout.partition("=== what ran")[2]
    assert "passed before  " not in said
    assert "skipped       what has passed before: not looked for" in said
    assert "unit tests (exit 127)" in said
