"""The scenarios about migrations' scripts, run as anybody runs them; each defect fails its own, and no other."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from drillbook.domain.verdict import Verdict
from features.rejudge import judge

PROJECT = Path(__file__).resolve().parents[3]
WAITS, BACK, PHASES = (
    "Nobody waits for a migration", "A migration can be taken back",
    "A migration leaves the release before it working",
)  # fmt: skip
ADDS = 'ADD COLUMN IF NOT EXISTS stored_by text")'
DEFECTS = {
    "ACCESS EXCLUSIVE for 3 s": (
        "0002", ADDS, f'{ADDS}\n    op.execute("SELECT pg_sleep(3)")', WAITS, "0002_stored_by.py:21: long-lock",
    ),
    "no way down": (
        "0003", 'op.execute("ALTER TABLE events ALTER COLUMN stored_by DROP NOT NULL")',
        'raise NotImplementedError("restore a backup")', BACK, "0003_stored_by_always.py:30: no-way-down",
    ),
    "a way down that loses data and does not say so": (
        "0002", 'loses = "which release stored an event, on the way down"', "", BACK,
        "0002_stored_by.py:39: loses-data",
    ),
    "a contract step that is not named so": (
        "0003", 'phase = "contract"', 'phase = "expand"', PHASES, "0003_stored_by_always.py:22: contract-unnamed",
    ),
}  # fmt: skip


@pytest.fixture
def verify(tmp_path):
    """Inspects the twin's migrations with something replaced in one; answers the exit code and the run."""

    def run(revision: str = "", old: str = "", new: str = "") -> tuple[int, Path]:
        shutil.copytree(PROJECT / "system" / "migrations", tmp_path / "migrations")
        for file in (tmp_path / "migrations" / "versions").glob(f"{revision}_*.py" if revision else "none"):
            assert old in file.read_text()
            file.write_text(file.read_text().replace(old, new))
        text = (PROJECT / "environments" / "twin.yaml").read_text(encoding="utf-8")
        text = text.replace("../system/migrations", str(tmp_path / "migrations")).replace("../", f"{PROJECT}/")
        (tmp_path / "twin.yaml").write_text(text, encoding="utf-8")
        command = [
            sys.executable, "-m", "drillbook", "verify", "--environment", str(tmp_path / "twin.yaml"),
            "--only", "migrations", "--runs", str(tmp_path / "runs"),
        ]  # fmt: skip
        done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=120, check=False)
        assert (tmp_path / "runs").is_dir(), done.stdout + done.stderr
        return done.returncode, next((tmp_path / "runs").iterdir())

    return run


def verdicts(run: Path) -> dict[str, tuple[str, str]]:
    documents = [json.loads(path.read_text()) for path in run.glob("drills/*/drill.json")]
    return {document["scenario"]: (document["verdict"], document["error"] or "") for document in documents}


def test_the_platforms_migrations_pass_and_are_judged_again_from_what_was_read(verify) -> None:
    code, run = verify()
    assert code == 0
    assert {verdict for verdict, _ in verdicts(run).values()} == {"PASS"}
    assert judge(run).agreement is Verdict.PASS, judge(run)
    kept = next(run.glob("drills/nobody-waits*/migrations.json"))
    kept.write_text(kept.read_text().replace("SET lock_timeout", "SET work_mem"))
    assert judge(run).agreement is Verdict.FAIL
    kept.unlink()
    assert judge(run).agreement is Verdict.INCONCLUSIVE


@pytest.mark.parametrize("name", DEFECTS)
def test_a_defect_fails_its_own_scenario_and_no_other(name: str, verify) -> None:
    revision, old, new, scenario, said = DEFECTS[name]
    code, run = verify(revision, old, new)
    found = verdicts(run)
    assert code == 1
    assert {title for title, (verdict, _) in found.items() if verdict != "PASS"} == {scenario}
    assert said in found[scenario][1], found[scenario][1]
