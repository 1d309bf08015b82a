"""What a drill kept of the backups is judged: what is missing, late or not understood is never a pass."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from drillbook.domain.backup import BackupSchedule
from drillbook.domain.backup_report import BackupReport
from drillbook.domain.interval import Interval
from drillbook.domain.pgbackrest import NotUnderstood
from drillbook.domain.verdict import Objective, Verdict, judge
from drillbook.domain.wal import SEGMENT_BYTES, Commit
from drillbook.run.folder import write_json
from probes import backups

ANSWERS = Path(__file__).parents[1] / "domain" / "pgbackrest"
INFO = (ANSWERS / "two.json").read_text().replace("\n", "")
ARCHIVE = (ANSWERS / "archive.json").read_text().replace("\n", "")
STOPPED_S = 1795451719.0
"""The full backup of `two` in repository 1; the archive is whole up to segment 7."""

NOW_S = STOPPED_S + 3600.0
THERE = Commit(NOW_S - 20, NOW_S - 19, 7 * SEGMENT_BYTES, 8 * SEGMENT_BYTES - 100)
LACKING = Commit(NOW_S - 2, NOW_S - 1, 8 * SEGMENT_BYTES, 8 * SEGMENT_BYTES + 100)
LINES = [f"{NOW_S - 18:.3f}", "0", "", INFO, f"1 {ARCHIVE}", f"2 {ARCHIVE}", f"{NOW_S:.3f}"]
TOLD = ["at 1 s3-endpoint=store.east.test type=s3", "at 2 s3-endpoint=Store.West.test type=s3"]
STORES = {"us-east-1": "store.east.test", "us-west-2": "store.west.test"}
DAILY = BackupSchedule("data/backup-full", "0 1 * * *", suspended=False)
SEEN = backups.Look(
    "main",
    BackupReport.printed("\n".join([*LINES[:4], *TOLD, *LINES[4:]])),
    NOW_S - 18,
    NOW_S,
    (THERE, LACKING),
    NOW_S + 1,
    LACKING.after,
    (1, 1),
    60.0,
    (DAILY,),
)


def verdict(measured, direction, limit):
    return judge(Objective("backup", "", direction, limit, measured.unit), measured).verdict


def test_what_was_kept_is_read_again_as_it_was(tmp_path) -> None:
    (tmp_path / backups.FILE).parent.mkdir()
    write_json(tmp_path / backups.FILE, asdict(SEEN))
    assert backups.look(tmp_path) == SEEN
    with pytest.raises(FileNotFoundError):
        backups.look(tmp_path / "elsewhere")


def test_a_sound_report_passes_everything() -> None:
    assert verdict(backups.failed_checks(SEEN), "at_most", 0) is Verdict.PASS
    for key in SEEN.keys:
        assert verdict(backups.full_backup_age(SEEN, key), "at_most", 86400) is Verdict.PASS
        assert verdict(backups.full_backups_kept(SEEN, key), "at_least", 1) is Verdict.PASS
        assert verdict(backups.archive_age(SEEN, key), "at_most", 3600) is Verdict.PASS
    assert verdict(backups.archived_within(SEEN), "at_most", 3600) is Verdict.PASS
    assert verdict(backups.standby_lag(SEEN), "at_most", 60) is Verdict.PASS


def test_what_is_written_is_archived_once_its_segment_ends_by_time_and_is_pushed() -> None:
    """Pushing takes no longer than the whole look, in which a segment was seen to be pushed."""
    assert backups.archived_within(SEEN).interval == Interval(60, 78)


def test_segments_that_end_only_when_they_are_full_fail_though_the_look_itself_has_one_ended() -> None:
    never = replace(SEEN, archive_timeout_s=0.0)
    assert verdict(backups.archive_age(never, 1), "at_most", 3600) is Verdict.PASS
    assert verdict(backups.archived_within(never), "at_most", 3600) is Verdict.FAIL
    seldom = replace(SEEN, archive_timeout_s=7200.0)
    assert verdict(backups.archived_within(seldom), "at_most", 3600) is Verdict.FAIL


def test_where_nothing_is_pushed_it_is_not_known_how_long_that_takes() -> None:
    wrong = replace(SEEN, report=replace(SEEN.report, check_code=82))
    assert verdict(backups.archived_within(wrong), "at_most", 3600) is Verdict.INCONCLUSIVE


def test_a_look_that_did_not_ask_when_segments_end_decides_nothing_of_it(tmp_path) -> None:
    """Of an older version, judged again."""
    (tmp_path / backups.FILE).parent.mkdir()
    older = {name: it for name, it in asdict(SEEN).items() if name != "archive_timeout_s"}
    write_json(tmp_path / backups.FILE, older)
    unasked = backups.archived_within(backups.look(tmp_path))
    assert verdict(unasked, "at_most", 3600) is Verdict.INCONCLUSIVE
    assert "was not asked" in unasked.doubts[0]


def test_a_schedule_that_is_suspended_is_found_while_its_last_backup_is_still_fresh() -> None:
    stopped = replace(SEEN, schedules=(replace(DAILY, suspended=True),))
    assert verdict(backups.full_backup_age(stopped, 1), "at_most", 86400) is Verdict.PASS
    assert verdict(backups.schedules_suspended(SEEN), "at_most", 0) is Verdict.PASS
    found = backups.schedules_suspended(stopped)
    assert verdict(found, "at_most", 0) is Verdict.FAIL
    assert "data/backup-full" in found.name


def test_a_look_that_did_not_ask_after_the_schedule_decides_nothing_of_it(tmp_path) -> None:
    """Of an older version, judged again."""
    (tmp_path / backups.FILE).parent.mkdir()
    older = {name: it for name, it in asdict(SEEN).items() if name != "schedules"}
    write_json(tmp_path / backups.FILE, older)
    unasked = backups.schedules_suspended(backups.look(tmp_path))
    assert verdict(unasked, "at_most", 0) is Verdict.INCONCLUSIVE
    assert "was not asked" in unasked.doubts[0]
    assert verdict(backups.schedules_suspended(replace(SEEN, schedules=())), "at_most", 0) is Verdict.INCONCLUSIVE


def test_archiving_that_fails_is_found_with_its_words() -> None:
    wrong = replace(SEEN, report=replace(SEEN.report, check_code=82, check_said="WAL segment was not archived"))
    assert verdict(backups.failed_checks(wrong), "at_most", 0) is Verdict.FAIL
    assert "was not archived" in backups.failed_checks(wrong).name


def test_a_backup_of_two_days_ago_is_too_old() -> None:
    later_s = SEEN.report.began_s + 2 * 86400
    late = replace(SEEN, report=replace(SEEN.report, began_s=later_s, ended_s=later_s + 1))
    assert verdict(backups.full_backup_age(late, 1), "at_most", 86400) is Verdict.FAIL


def test_more_backups_than_are_kept_are_missed() -> None:
    assert verdict(backups.full_backups_kept(SEEN, 1), "at_least", 2) is Verdict.FAIL


def test_a_gap_in_the_archive_lacks_all_that_came_after_it() -> None:
    listing = {name: it for name, it in json.loads(ARCHIVE).items() if "000000010000000000000005" not in name}
    assert len(listing) < len(json.loads(ARCHIVE))
    gap = replace(SEEN, report=replace(SEEN.report, archives={1: json.dumps(listing), 2: ARCHIVE}))
    assert verdict(backups.archive_age(gap, 1), "at_most", 10) is Verdict.FAIL
    assert verdict(backups.archive_age(gap, 1), "at_most", 3600) is Verdict.INCONCLUSIVE


def test_what_was_archived_of_the_database_before_is_not_this_ones() -> None:
    """A cluster made anew begins at low positions, which the archive of the one before it has passed long ago."""
    info = json.loads(INFO)
    for key in (1, 2):
        info[0]["db"].append({"id": 2, "repo-key": key, "system-id": 7999999999999999999, "version": "15"})
        info[0]["archive"].append({"database": {"id": 2, "repo-key": key}, "id": "15-2", "min": None, "max": None})
    anew = replace(SEEN, report=replace(SEEN.report, info=json.dumps(info)))
    for key in anew.keys:
        assert verdict(backups.full_backup_age(anew, key), "at_most", 86400) is Verdict.FAIL
        assert verdict(backups.full_backups_kept(anew, key), "at_least", 1) is Verdict.FAIL
        assert verdict(backups.archive_age(anew, key), "at_most", 3600) is Verdict.FAIL
    # Its own backup needs its own archive.
    for made in info[0]["backup"]:
        made["database"]["id"] = 2
    backed_up = replace(SEEN, report=replace(SEEN.report, info=json.dumps(info)))
    assert verdict(backups.full_backups_kept(backed_up, 1), "at_least", 1) is Verdict.PASS
    assert verdict(backups.archive_age(backed_up, 1), "at_most", 3600) is Verdict.FAIL


def test_an_archive_of_a_repository_that_pgbackrest_does_not_tell_of_decides_nothing() -> None:
    listed = replace(SEEN, report=replace(SEEN.report, archives={**SEEN.report.archives, 3: ARCHIVE}))
    assert verdict(backups.archive_age(listed, 3), "at_most", 3600) is Verdict.INCONCLUSIVE


def test_an_archive_that_could_not_be_listed_proves_nothing_and_spoils_no_other() -> None:
    seen = replace(SEEN, report=BackupReport.printed("\n".join([*LINES[:5], "2 ", LINES[-1]])))
    assert verdict(backups.archive_age(seen, 1), "at_most", 3600) is Verdict.PASS
    unlisted = backups.archive_age(seen, 2)
    assert verdict(unlisted, "at_most", 3600) is Verdict.INCONCLUSIVE
    assert "the archive in repository 2 could not be listed" in unlisted.doubts


def told(*lines):
    return replace(SEEN, report=BackupReport.printed("\n".join([*LINES[:4], *lines, *LINES[4:]])))


def test_a_region_has_a_repository_where_one_is_in_its_own_store() -> None:
    assert SEEN.report.stores == {1: "store.east.test", 2: "store.west.test"}
    assert verdict(backups.regions_without_repository(SEEN, STORES), "at_most", 0) is Verdict.PASS


def test_two_repositories_in_one_regions_store_leave_the_other_one_without() -> None:
    both = backups.regions_without_repository(told(TOLD[0], TOLD[0].replace("at 1", "at 2")), STORES)
    assert both.interval == Interval(1, 1)
    assert verdict(both, "at_most", 0) is Verdict.FAIL
    assert "us-west-2" in both.name


@pytest.mark.parametrize(
    "second",
    [
        [],
        ["at 2 "],
        ["at 2 s3-endpoint=store.west.test"],
        ["at 2 s3-endpoint=store.west.test type=posix"],
        ["at 2 s3-endpoint=store.west.test type=posix type=s3"],
        ["at 2 s3-endpoint=store.east.test s3-endpoint=store.west.test type=s3"],
        ["at 2 s3-endpoint=store.west.test storage-host=store.east.test type=s3"],
        ["at 2 s3-endpoint= type=s3"],
    ],
)
def test_where_a_repository_is_not_told_to_be_decides_nothing(second) -> None:
    untold = backups.regions_without_repository(told(TOLD[0], *second), STORES)
    assert untold.interval is None
    assert verdict(untold, "at_most", 0) is Verdict.INCONCLUSIVE
    assert "where repository 2 is" in untold.doubts[0]


def test_an_environment_that_does_not_say_where_its_stores_are_decides_nothing() -> None:
    unsaid = backups.regions_without_repository(SEEN, {})
    assert verdict(unsaid, "at_most", 0) is Verdict.INCONCLUSIVE
    assert "recovery.backups.repositories" in unsaid.doubts[0]


def test_a_look_that_did_not_ask_where_repositories_are_decides_nothing_of_it(tmp_path) -> None:
    """Of an older version, judged again."""
    (tmp_path / backups.FILE).parent.mkdir()
    older = asdict(SEEN)
    older["report"].pop("stores")
    write_json(tmp_path / backups.FILE, older)
    unasked = backups.regions_without_repository(backups.look(tmp_path), STORES)
    assert verdict(unasked, "at_most", 0) is Verdict.INCONCLUSIVE


@pytest.mark.parametrize(
    "change", [{"replayed": None}, {"timelines": (2, 1)}], ids=["does not stream", "another timeline"]
)
def test_a_standby_that_follows_nobody_is_endlessly_behind(change) -> None:
    assert verdict(backups.standby_lag(replace(SEEN, **change)), "at_most", 60) is Verdict.FAIL


def test_where_nobody_wrote_nothing_can_be_told() -> None:
    silent = replace(SEEN, commits=())
    assert verdict(backups.standby_lag(silent), "at_most", 60) is Verdict.INCONCLUSIVE
    assert verdict(backups.archive_age(silent, 1), "at_most", 3600) is Verdict.INCONCLUSIVE


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ([], "it has 0 lines"),
        (LINES[:-3] + LINES[-1:], "it has 5 lines"),
        ([LINES[0], "killed", *LINES[2:]], "exit code of check"),
        ([*LINES[:4], "nowhere", *LINES[5:]], "begins with its repository's number"),
        ([*LINES[:4], LINES[4], LINES[4], LINES[6]], "begins with its repository's number"),
        ([*LINES[:4], *TOLD, LINES[6]], "names no archive"),
        ([*LINES[:4], "at home", *LINES[4:]], "begins with its repository's number"),
        ([*LINES[:4], TOLD[0], TOLD[0], *LINES[4:]], "begins with its repository's number"),
        (["soon", *LINES[1:]], "in seconds since the epoch"),
        (["nan", *LINES[1:]], "in seconds since the epoch"),
        ([*LINES[:-1], "1.0"], "before it began"),
    ],
)
def test_what_is_no_report_is_refused(lines, words) -> None:
    with pytest.raises(NotUnderstood, match=words):
        BackupReport.printed("\n".join(lines))


def test_an_answer_that_is_not_pgbackrests_is_refused() -> None:
    with pytest.raises(NotUnderstood):
        backups.full_backup_age(replace(SEEN, report=replace(SEEN.report, info="")), 1)
