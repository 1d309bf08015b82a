"""A real backup before a deployment, or after it, by the drill's own scripts and probes."""

from __future__ import annotations

import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from drillbook.domain.release_backup import BackupJob
from drillbook.domain.restored import RUNGS
from drillbook.domain.verdict import Objective, Verdict, judge
from drillbook.run.folder import write_json
from drillbook.run.timeline import Event
from probes import release_backup, restores
from tests.integration.system.backed_up import STANZA, BackedUp

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow
KEY = 1
MIGRATION = "ALTER TABLE events ADD COLUMN stored_by text; CREATE INDEX later ON events (value, n)"
WAY_BACK = "DROP INDEX later; ALTER TABLE events DROP COLUMN stored_by"
CUT_S = 2.0
"""Times in a backup's record are cut to whole seconds: one that ended so long ago is older than what begins now."""


@pytest.fixture(scope="module")
def database() -> Iterator[BackedUp]:
    with tempfile.TemporaryDirectory(prefix="drillbook-release-backups-") as name:
        found = BackedUp(Path(name))
        found.begin()
        time.sleep(CUT_S)
        yield found
        found.end()


def back_up(database: BackedUp) -> BackupJob:
    asked_s = time.time()
    return BackupJob(asked_s, *database.back_up(), time.time())


def released(database: BackedUp, folder: Path, name: str, *, first: bool):
    """A backup, before the migration or after it; then the restore to just before.

    Answers the restore, the timeline, and for how long the release had been going on when it was deployed.
    """
    began_s = time.time()
    job = back_up(database) if first else None
    time.sleep(1.0)
    database.write(f"drill-{name}-before")
    asked_s = time.time()
    moment = restores.Moment(asked_s, time.time(), database.moment(), (KEY,))
    change_s = time.time()
    database.do(MIGRATION)
    database.write(f"drill-{name}-after")
    job = job or back_up(database)
    database.do(WAY_BACK)
    asked_s = time.time()
    info = database.report().info
    seen = release_backup.Deployed(STANZA, job, info, asked_s, time.time(), "1", "2")
    (folder / "backups").mkdir()
    write_json(folder / release_backup.FILE, asdict(seen))
    write_json(folder / restores.MOMENT, asdict(moment))
    found = database.restored(KEY, moment.text)
    (folder / restores.file_of(KEY)).write_text("\n".join(f"{rung} {words}" for rung, words in found.said.items()))
    return found, [Event(change_s, "d", "intent", "", {"action": "deploy-release"})], change_s - began_s


def verdict(measured, way, limit):
    return judge(Objective("o", "", way, limit, measured.unit), measured).verdict


def test_a_backup_before_the_migration_brings_back_what_was_there_until_then(database, tmp_path) -> None:
    found, events, since_s = released(database, tmp_path, "first", first=True)
    assert [rung for rung in RUNGS if not found.holds(rung)] == []
    assert ("drill-first-before" in found.events, "drill-first-after" in found.events) == (True, False)
    lead = release_backup.lead(tmp_path, KEY, events)
    assert (verdict(lead, "at_least", 0), verdict(lead, "at_most", since_s)) == (Verdict.PASS, Verdict.PASS)
    assert verdict(release_backup.restored_from_another(tmp_path, KEY), "at_most", 0) is Verdict.PASS


def test_a_backup_taken_after_the_migration_is_none_before_it(database, tmp_path) -> None:
    _, events, since_s = released(database, tmp_path, "late", first=False)
    lead = release_backup.lead(tmp_path, KEY, events)
    assert (verdict(lead, "at_least", 0), verdict(lead, "at_most", since_s)) == (Verdict.PASS, Verdict.FAIL)


def test_a_repository_that_is_away_has_no_new_backup_and_the_job_says_so(database) -> None:
    database.configure(1, 2, at=database.top / "nowhere")
    with pytest.raises(AssertionError, match=r"repository 1: .*ERROR"):
        database.back_up()
    database.configure(1, 2)
