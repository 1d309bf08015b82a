"""What a drill kept of a deployment, its backup and the restores: the seeded defects each fail for their reason."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import pytest

from drillbook.domain.release_backup import BackupJob
from drillbook.domain.verdict import Objective, Verdict, judge
from drillbook.run.folder import write_json
from drillbook.run.timeline import Event
from probes import release_backup, restores
from probes.release_backup import Deployed
from tests.unit.domain.test_backup import STOPPED_S, answer
from tests.unit.domain.test_restored import GOOD

# Of `two`, the last backup in repository 1 is a differential one; of repository 2, the full one of STOPPED_S + 5.
SECOND_S = STOPPED_S + 5
JOB = BackupJob(SECOND_S - 8.0, SECOND_S - 7.0, SECOND_S + 1.0, SECOND_S + 2.0)
MOMENT = restores.Moment(SECOND_S + 9.0, SECOND_S + 9.01, "2026-11-24 12:00:00+00", (2,))
SEEN = Deployed("main", JOB, answer("two"), SECOND_S + 40.0, SECOND_S + 45.0, "0001", "0002")
STARTED = "000000010000000000000003"


def kept(folder, seen=SEEN, started=STARTED):
    (folder / "backups").mkdir()
    write_json(folder / release_backup.FILE, asdict(seen))
    write_json(folder / restores.MOMENT, asdict(MOMENT))
    (folder / restores.file_of(2)).write_text("\n".join([*GOOD, f"from {started}"]))
    return folder


def deployed_at(t_s):
    def event(kind, at_s):
        return Event(kind=kind, t_s=at_s, text="", drill="d", data={"action": "deploy-release"})

    return [event("intent", t_s), event("injected", t_s + 5), event("intent", t_s + 60)]


def verdict(measured, way="at_most", limit=0.0):
    return judge(Objective("o", "", way, limit, measured.unit), measured).verdict


def test_a_backup_before_the_deployment_is_found_and_is_the_one_that_was_restored(tmp_path) -> None:
    path, events = kept(tmp_path), deployed_at(SECOND_S + 10.0)
    assert release_backup.deployed(path) == SEEN
    found = release_backup.lead(path, 2, events)
    assert (verdict(found, "at_least"), verdict(found, limit=600)) == (Verdict.PASS, Verdict.PASS)
    assert verdict(release_backup.restored_from_another(path, 2)) is Verdict.PASS
    assert verdict(release_backup.unproven(path, events), limit=5) is Verdict.PASS
    assert verdict(release_backup.migrated(path), "at_least", 1) is Verdict.PASS


def test_a_backup_taken_after_the_deployment_fails_for_that(tmp_path) -> None:
    found = release_backup.lead(kept(tmp_path), 2, deployed_at(SECOND_S - 60.0))
    assert verdict(found, "at_least") is Verdict.FAIL


def test_a_night_old_backup_is_none_for_the_deployment(tmp_path) -> None:
    found = release_backup.lead(kept(tmp_path), 2, deployed_at(SECOND_S + 40_000.0))
    assert (verdict(found, "at_least"), verdict(found, limit=600)) == (Verdict.PASS, Verdict.FAIL)


def test_no_backup_at_all_fails(tmp_path) -> None:
    entries = json.loads(answer("two"))
    entries[0]["backup"] = []
    path = kept(tmp_path, replace(SEEN, info=json.dumps(entries)))
    found = release_backup.lead(path, 2, deployed_at(SECOND_S + 10.0))
    assert (verdict(found, "at_least"), "no backup in repository 2" in found.name) == (Verdict.FAIL, True)
    assert verdict(release_backup.restored_from_another(path, 2)) is Verdict.INCONCLUSIVE


@pytest.mark.parametrize("info", ["", "[]", answer("denied"), "{"])
def test_what_pgbackrest_does_not_say_decides_nothing(tmp_path, info) -> None:
    path = kept(tmp_path, replace(SEEN, info=info))
    assert verdict(release_backup.lead(path, 2, deployed_at(SECOND_S + 10.0)), "at_least") is Verdict.INCONCLUSIVE
    assert verdict(release_backup.restored_from_another(path, 2)) is Verdict.INCONCLUSIVE


@pytest.mark.parametrize(
    ("started", "seen"),
    [("000000010000000000000002", Verdict.FAIL), ("", Verdict.INCONCLUSIVE), ("none", Verdict.INCONCLUSIVE)],
)
def test_a_restore_from_another_backup_is_found(tmp_path, started, seen) -> None:
    assert verdict(release_backup.restored_from_another(kept(tmp_path, started=started), 2)) is seen


def test_a_restore_to_long_before_the_deployment_shows_too_little(tmp_path) -> None:
    found = release_backup.unproven(kept(tmp_path), deployed_at(SECOND_S + 60.0))
    assert verdict(found, limit=5) is Verdict.FAIL


def test_a_deployment_that_migrates_nothing_shows_nothing(tmp_path) -> None:
    path = kept(tmp_path, replace(SEEN, after="0001"))
    assert verdict(release_backup.migrated(path), "at_least", 1) is Verdict.INCONCLUSIVE


def test_where_nothing_was_deployed_nothing_is_said(tmp_path) -> None:
    with pytest.raises(ValueError, match="nothing was deployed"):
        release_backup.lead(kept(tmp_path), 2, [])
