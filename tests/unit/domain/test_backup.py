"""Schedule objectives over answers that pgBackRest 2.45 gave, and over what it must not be trusted to give."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drillbook.domain import backup, pgbackrest, wal
from drillbook.domain.interval import Interval
from drillbook.domain.measurement import Window
from drillbook.domain.verdict import Objective, Verdict, judge
from drillbook.domain.wal import Commit, Segment

ANSWERS = Path(__file__).parent / "pgbackrest"
WINDOW = Window(0, 100)
STOPPED_S = 1795451719.0  # the full backup of `two` in repository 1
DAILY = Objective("recovery.backup_age", "a full backup is at most a day old", "at_most", 86400, "s")
HOURLY = Objective("recovery.archive_age", "the archive lacks at most an hour", "at_most", 3600, "s")
TWO_KEPT = Objective("recovery.retention", "two full backups are kept", "at_least", 2, "backups")
SEGMENT = wal.SEGMENT_BYTES


def answer(name):
    return (ANSWERS / f"{name}.json").read_text()


def repositories(name="two"):
    return pgbackrest.repositories(answer(name), "main")


def changed(change, name="two"):
    entries = json.loads(answer(name))
    change(entries[0])
    return json.dumps(entries)


def test_a_real_answer_is_read_whole():
    first, second = repositories()
    assert (first.key, first.code, first.message) == (1, 0, "ok")
    assert [it.kind for it in first.backups] == ["full", "diff"]
    assert first.wal_max == Segment(1, 7)
    assert second.backups == (
        pgbackrest.Backup(
            "20261123-163520F", "full", 1795451720.0, 1795451724.0, False, 23213875, 4556738, Segment(1, 3)
        ),
    )


def test_a_real_listing_is_read_whole():
    listed = {Segment(1, number) for number in range(1, 8)}
    assert pgbackrest.archived(answer("archive"), "15-1") == listed
    folder = {f"15-1/{'0' * 16}/{'0' * 23}9-{'a' * 40}": {"type": "path"}}
    assert pgbackrest.archived(json.dumps(json.loads(answer("archive")) | folder), "15-1") == listed


def test_the_archive_of_a_database_is_in_its_own_folder():
    """That of the one before it stays beside it, and its segments may have the same names."""
    for another in ("16-2", "15-11", "5-1", None):
        assert pgbackrest.archived(answer("archive"), another) == frozenset()


def upgraded(entry):
    """A database in the place of the first, of which nothing but WAL is there; what `stanza-upgrade` leaves."""
    for key in (1, 2):
        entry["db"].append({"id": 2, "repo-key": key, "system-id": 7999999999999999999, "version": "16"})
        names = {"min": "000000010000000000000001", "max": "000000010000000000000003"}
        entry["archive"].append({"database": {"id": 2, "repo-key": key}, "id": "16-2"} | names)


def test_a_backup_of_the_database_that_was_there_before_is_none_of_this_one():
    first, second = pgbackrest.repositories(changed(upgraded), "main")
    assert (first.backups, second.backups) == ((), ())
    assert (first.archive, first.wal_max) == ("16-2", Segment(1, 3))
    now = Interval(STOPPED_S + 60, STOPPED_S + 61)
    assert judge(DAILY, backup.full_backup_age([first], 1, now, WINDOW)).verdict is Verdict.FAIL
    assert backup.full_backups_kept([first], 1, WINDOW).interval == Interval(0, 0)
    whole = pgbackrest.archived(answer("archive"), "15-1")
    assert judge(HOURLY, backup.archive_age([first], 1, whole, commits(4, 4), WINDOW)).verdict is Verdict.FAIL


def test_a_database_was_replaced_in_the_one_repository_and_not_yet_in_the_other():
    def in_the_first(entry):
        upgraded(entry)
        for part in ("db", "archive"):
            entry[part].pop()

    first, second = pgbackrest.repositories(changed(in_the_first), "main")
    assert (first.archive, first.backups) == ("16-2", ())
    assert (second.archive, second.backups) == ("15-1", repositories()[1].backups)


def aged(age_s, name="two", key=1):
    now = Interval(STOPPED_S + age_s, STOPPED_S + age_s + 1)
    return backup.full_backup_age(repositories(name), key, now, WINDOW, evidence=["backups.json"])


@pytest.mark.parametrize(
    ("age_s", "expected"), [(60, Verdict.PASS), (86400.5, Verdict.INCONCLUSIVE), (86402, Verdict.FAIL)]
)
def test_the_last_full_backup_is_at_most_a_day_old(age_s, expected):
    assert judge(DAILY, aged(age_s)).verdict is expected
    assert aged(age_s).interval == Interval(age_s - 1, age_s + 1)


@pytest.mark.parametrize(
    ("name", "key", "expected", "reason"),
    [
        ("missing", 1, Verdict.FAIL, "without bound"),
        ("none", 2, Verdict.FAIL, "without bound"),
        ("mixed", 2, Verdict.FAIL, "without bound"),
        ("away", 2, Verdict.FAIL, "without bound"),
        ("away", 1, Verdict.PASS, "promised"),
        ("denied", 2, Verdict.INCONCLUSIVE, "Permission denied"),
        ("two", 3, Verdict.INCONCLUSIVE, "does not tell of repository 3"),
    ],
)
def test_what_is_known_to_be_missing_fails_and_what_is_not_known_does_not(name, key, expected, reason):
    judged = judge(DAILY, aged(60, name, key))
    assert judged.verdict is expected
    assert reason in judged.reason


def test_a_backup_of_the_future_is_a_clock_that_is_wrong():
    assert judge(DAILY, aged(-30)).verdict is Verdict.INCONCLUSIVE
    assert aged(0).interval == Interval(0, 1)


def test_faulty_and_partial_backups_are_no_full_ones():
    def spoil(entry):
        entry["backup"][0]["error"] = True

    found = pgbackrest.repositories(changed(spoil), "main")
    assert backup.last_full(found[0]) is None
    assert backup.last_full(found[1]).label == "20261123-163520F"
    assert backup.last_full(None) is None
    kept = backup.full_backups_kept(found, 1, WINDOW)
    assert kept.interval == Interval(0, 0)
    assert judge(TWO_KEPT, backup.full_backups_kept(repositories(), 1, WINDOW)).verdict is Verdict.FAIL
    assert judge(TWO_KEPT, backup.full_backups_kept(repositories("denied"), 2, WINDOW)).verdict is Verdict.INCONCLUSIVE
    assert backup.full_backups_kept(repositories(), 9, WINDOW).interval is None


def test_the_newest_of_several_counts():
    def another(entry):
        older = json.loads(json.dumps(entry["backup"][0]))
        older["label"] = "20261122-163515F"
        older["timestamp"] = {"start": STOPPED_S - 5000, "stop": STOPPED_S - 4000}
        older["timestamp"] = {step: int(at_s) for step, at_s in older["timestamp"].items()}
        entry["backup"].append(older)

    found = pgbackrest.repositories(changed(another), "main")
    assert backup.last_full(found[0]).label == "20261123-163515F"
    assert backup.full_backups_kept(found, 1, WINDOW).interval == Interval(2, 2)


def commits(*ends_by_segment, every_s=1000.0):
    """One each thousand seconds, each filling as many segments as told."""
    made, at = [], 0
    for number, segments in enumerate(ends_by_segment):
        before, at = at, at + int(segments * SEGMENT)
        made.append(Commit(number * every_s, number * every_s + 1, before, at))
    return made


ARCHIVED = frozenset(Segment(1, number) for number in range(1, 8))


def archive(archived, made, now_s, name="two", key=1):
    return backup.archive_age(repositories(name), key, archived, made, Window(0, now_s), evidence=["wal.json"])


def test_the_archive_lacks_what_was_committed_after_its_last_segment():
    # Segments 1 to 7 reach to the eighth's beginning.
    made = commits(4, 4, 0.5, 0.5)
    assert archive(ARCHIVED, made, 4000).interval == Interval(4000 - 2001, 4000 - 1000)
    assert judge(HOURLY, archive(ARCHIVED, made, 4000)).verdict is Verdict.PASS
    assert judge(HOURLY, archive(ARCHIVED, made, 9000)).verdict is Verdict.FAIL


def test_a_late_archive_is_as_old_as_what_it_lacks():
    """However new its newest segment is: after a gap nothing can be replayed."""
    made = commits(4, 4, 0.5, 0.5)
    gap = ARCHIVED - {Segment(1, 5)}
    assert archive(gap, made, 4000).interval == Interval(4000 - 2001, 4000)


def test_an_archive_without_the_backups_first_segment_recovers_nothing():
    judged = judge(HOURLY, archive(ARCHIVED - {Segment(1, 2)}, [], 4000))
    assert judged.verdict is Verdict.FAIL
    assert judge(HOURLY, archive(ARCHIVED, commits(4, 4), 2000, "none")).verdict is Verdict.FAIL
    assert judge(HOURLY, archive(ARCHIVED, commits(4, 4), 2000, "denied", 2)).verdict is Verdict.INCONCLUSIVE


def test_without_commits_nothing_is_known_of_the_archive():
    assert judge(HOURLY, archive(ARCHIVED, [], 4000)).verdict is Verdict.INCONCLUSIVE


def test_a_backup_made_offline_does_not_say_what_it_needs():
    def offline(entry):
        entry["backup"][0]["archive"] = {"start": None, "stop": None}

    found = pgbackrest.repositories(changed(offline), "main")
    measured = backup.archive_age(found, 1, ARCHIVED, commits(4, 4), WINDOW)
    assert "does not say which segments" in judge(HOURLY, measured).reason


@pytest.mark.parametrize(
    ("replayed", "timelines", "now_s", "expected"),
    [
        (8 * SEGMENT, (1, 1), 2000, Verdict.PASS),
        (4 * SEGMENT, (1, 1), 9000, Verdict.FAIL),
        (9 * SEGMENT, (1, 2), 2000, Verdict.FAIL),
        (None, (1, 1), 2000, Verdict.FAIL),
    ],
)
def test_a_standby_that_lags_or_follows_nobody_fails(replayed, timelines, now_s, expected):
    measured = backup.standby_lag(replayed, timelines, commits(4, 4), Window(0, now_s))
    assert judge(HOURLY, measured).verdict is expected


def test_a_standby_of_an_idle_primary_lacks_nothing_that_we_know_of():
    measured = backup.standby_lag(8 * SEGMENT, (1, 1), commits(4, 4), Window(0, 9000))
    assert measured.interval == Interval(0, 8000)
    assert judge(HOURLY, measured).verdict is Verdict.INCONCLUSIVE


def test_ages_at_the_edges_of_what_was_committed():
    made = [Commit(10, 11, 100, 200), Commit(20, 21, 200, 300), Commit(30, 31, 300, 400)]
    assert wal.age_of_what_is_missing(50, made, 40) == Interval(29, math.inf)
    assert wal.age_of_what_is_missing(250, made, 25) == Interval(0, 15)
    assert wal.age_of_what_is_missing(300, made, 25) == Interval(0, 5)
    assert wal.age_of_what_is_missing(400, made, 5) is None
    # A primary whose log went back is another one: what is certain stays certain.
    assert wal.age_of_what_is_missing(250, [Commit(10, 11, 300, 400), Commit(20, 21, 100, 200)], 40) == Interval(29, 29)


@given(
    st.lists(st.tuples(st.floats(0, 50), st.integers(0, 5)), min_size=1, max_size=12),
    st.integers(0, 40),
    st.floats(0, 50),
    st.booleans(),
)
def test_the_true_age_lies_in_the_interval(history, reaches, now_s, ours_too):
    """Commits of ours and of others in order of time, each with some bytes."""
    at, made, lacking = 0, [], []
    for number, (moment_s, size) in enumerate(sorted(history)):
        before, at = at, at + size
        if at > reaches and size and moment_s <= now_s:
            lacking.append(moment_s)
        if size and (number % 2 == 0 or ours_too):
            made.append(Commit(moment_s - 0.1, moment_s + 0.1, before, at))
    age = wal.age_of_what_is_missing(reaches, made, now_s)
    if age is not None:
        truth = now_s - min(lacking) if lacking else 0.0
        assert age.low <= truth + 0.1
        assert age.high >= truth - 1e-9


@pytest.mark.parametrize(("text", "bytes_"), [("0/3000060", 0x3000060), ("1/0", 2**32), ("A/b", 10 * 2**32 + 11)])
def test_positions(text, bytes_):
    assert wal.position(text) == bytes_


@pytest.mark.parametrize("text", ["", "0", "0/", "0/123456789", "x/1", "\u0660/\u0661"])
def test_no_positions(text):
    with pytest.raises(ValueError, match="a position in the log looks like"):
        wal.position(text)


def test_segments_by_name():
    assert wal.segment("0000000200000001000000FF") == Segment(2, 511)
    assert wal.segment("000000020000000100000003", 2**30) == Segment(2, 7)
    assert Segment(2, 511).end() == 512 * SEGMENT
    with pytest.raises(ValueError, match="24 hexadecimal digits"):
        wal.segment("00000001000000000000000g")
    with pytest.raises(ValueError, match="of which a log has 256"):
        wal.segment("000000010000000000000100")


def test_replay_follows_a_promotion_and_ends_at_a_gap():
    first = Segment(2, 5)
    there = [Segment(2, 5), Segment(2, 6), Segment(3, 6), Segment(2, 7), Segment(3, 7), Segment(1, 8), Segment(3, 9)]
    assert wal.whole_until(there, first) == Segment(3, 7)
    assert wal.whole_until([*there, Segment(3, 8)], first) == Segment(3, 9)
    assert wal.whole_until([Segment(1, 5), Segment(2, 6)], first) is None
    assert wal.whole_until([Segment(2, 5), Segment(3, 6), Segment(2, 7)], first) == Segment(3, 6)


def damaged():
    def put(path, value):
        def change(entry):
            at = entry
            for step in path[:-1]:
                at = at[step]
            at[path[-1]] = value

        return change

    one = ("backup", 0)
    return {
        "label": put((*one, "label"), "../../etc/passwd"),
        "arabic digits": put((*one, "label"), "\u0662\u06601123-163515F"),
        "type": put((*one, "type"), "fullest"),
        "times": put((*one, "timestamp"), {"start": 9, "stop": 8}),
        "negative time": put((*one, "timestamp"), {"start": -9, "stop": 8}),
        "time as text": put((*one, "timestamp"), {"start": 1, "stop": "8"}),
        "late time": put((*one, "timestamp"), {"start": 1, "stop": 2**60}),
        "time as flag": put((*one, "timestamp"), {"start": False, "stop": 8}),
        "error": put((*one, "error"), "no"),
        "size": put((*one, "info", "size"), 1e99),
        "info": put((*one, "info"), None),
        "segment": put((*one, "archive", "start"), "zz"),
        "segment as number": put((*one, "archive", "start"), 7),
        "key": put((*one, "database", "repo-key"), 7),
        "database": put((*one, "database", "id"), "1"),
        "database of nobody": put((*one, "database", "id"), 3),
        "no databases": put(("db",), None),
        "database without a number": put(("db", 0, "id"), None),
        "folder": put(("archive", 0, "id"), "../15-1"),
        "folder as number": put(("archive", 0, "id"), 15),
        "status": put(("repo", 0, "status"), "ok"),
        "code": put(("repo", 0, "status", "code"), 1000),
        "message": put(("repo", 0, "status", "message"), ["ok"]),
        "twice": put(("repo", 0, "key"), 2),
        "archive": put(("archive", 0, "max"), "000000010000000000000100"),
        "no list": put(("backup",), {}),
        "no backups": put(("backup",), None),
        "name": put(("name",), "another"),
    }


def test_what_is_told_twice_is_refused():
    def doubled(entry):
        entry["repo"].append(entry["repo"][0])

    with pytest.raises(pgbackrest.NotUnderstood, match="tells of repository 1 twice"):
        pgbackrest.repositories(changed(doubled), "main")
    with pytest.raises(pgbackrest.NotUnderstood, match="told 2 times"):
        pgbackrest.repositories(json.dumps(json.loads(answer("two")) * 2), "main")
    with pytest.raises(pgbackrest.NotUnderstood, match="a key stands in an object twice"):
        pgbackrest.repositories('[{"name": "main", "name": "main"}]', "main")


def test_an_answer_without_end_is_refused():
    with pytest.raises(pgbackrest.NotUnderstood, match="and may have"):
        pgbackrest.repositories(" " * (pgbackrest.MOST_BYTES + 1), "main")


@pytest.mark.parametrize("name", damaged())
def test_an_answer_that_is_not_as_documented_is_refused(name):
    with pytest.raises(pgbackrest.NotUnderstood) as refusal:
        pgbackrest.repositories(changed(damaged()[name]), "main")
    assert len(str(refusal.value)) < 300


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "{}",
        "[[]]",
        "[NaN]",
        "[" * 100_000,
        "9" * 10_000,
        b"\xff\xfe",
    ],
)
def test_what_is_no_answer_is_refused(text):
    with pytest.raises(pgbackrest.NotUnderstood):
        pgbackrest.repositories(text, "main")
    with pytest.raises(pgbackrest.NotUnderstood):
        pgbackrest.archived("[]" if text == "{}" else text, "15-1")


def places(value, path=()):
    yield path
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, child in children:
        yield from places(child, (*path, step))


PLACES = list(places(json.loads(answer("two"))))[1:]
STRANGE = [None, True, -1, 0, 1.5, 2**70, "", "ok", [], [1], {}, {"size": []}]


@given(st.sampled_from(PLACES), st.sampled_from(STRANGE))
@settings(max_examples=200)
def test_whatever_stands_anywhere_is_read_or_refused(path, value):
    entries = json.loads(answer("two"))
    at = entries
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = value
    try:
        found = pgbackrest.repositories(json.dumps(entries), "main")
    except pgbackrest.NotUnderstood:
        return
    assert {it.key for it in found} <= {0, 1, 2}


def test_what_is_not_needed_may_be_there_or_lack():
    def later(entry):
        entry["backup"][0].pop("error")
        entry["backup"][0]["info"]["repository"].pop("size")
        entry["backup"][0]["new"] = entry["new"] = {}
        entry["archive"].insert(
            0, {"database": {"id": 0, "repo-key": 1}, "id": "14-1", "max": "000000010000000000000001"}
        )

    first = pgbackrest.repositories(changed(later), "main")[0]
    assert first.backups[0] == replace(repositories()[0].backups[0], faulty=None, repository_bytes=None)
    assert first.wal_max == Segment(1, 7)
    assert math.isfinite(first.backups[0].stopped_s)
