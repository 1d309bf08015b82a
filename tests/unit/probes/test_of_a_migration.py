"""What a drill has kept of a migration, read again; and what it cannot say when something is missing."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from drillbook.domain.interval import Interval
from drillbook.domain.migration.locks import Held, Look, Wait
from drillbook.domain.requests import Requests, Stalls
from drillbook.domain.verdict import Objective, Verdict, judge
from probes import migration

STEPS = [
    {"kind": "step", "name": name, "start_s": start_s, "end_s": start_s + 1.0, "wanted": to, "found": to, "text": ""}
    for name, start_s, to in (("up", 10.0, "2"), ("down", 12.0, "1"), ("up again", 14.0, "2"))
]
READ = [
    {"kind": kind, **fact}
    for at_s in (9.0, 11.5, 13.5, 15.5)
    for kind, fact in (
        ("contents", {"taken_s": at_s, "rows": 5, "sum": str(2**70)}),
        ("indexes", {"at_s": at_s, "invalid": []}),
    )
]
SETTINGS = [{"kind": "settings", "application": "migrate", "every_s": 0.1}]
BEHIND = Wait(7, "x", "service", 0.4, "RowExclusiveLock", "t", ("migrate",))
QUEUED = Wait(8, "y", "migrate", 0.2, "AccessExclusiveLock", "t", ("drillbook-adversary",))


def looks() -> list[Look]:
    """Ten times a second, with one request behind the migration, which once queued behind somebody itself."""
    found = [Look(9.0 + n / 10, 9.01 + n / 10) for n in range(75)]
    found[20] = Look(11.0, 11.01, (BEHIND,), (Held(8, "migrate", "t"),))
    found[52] = Look(14.2, 14.21, (QUEUED,))
    return found


@pytest.fixture
def keep(tmp_path):
    """Keeps these facts as the drill `d` would; answers what is read of them."""

    def kept(*facts: dict, seen: list[Look] | None = None) -> migration.Recorded:
        folder = tmp_path / "drills" / "d"
        (folder / "migration").mkdir(parents=True)
        lines = [json.dumps(fact) for fact in (*SETTINGS, *facts)]
        (folder / "migration" / "record.jsonl").write_text("\n".join([*lines, '{"kind": "ste']))
        found = looks() if seen is None else seen
        text = "\n".join(json.dumps(one.document()) for one in found)
        (folder / "migration" / "looks.jsonl").write_text(text)
        return migration.recorded(folder)

    return kept


def test_a_whole_record_says_it_all(keep) -> None:
    kept = keep(*STEPS, *READ)
    assert (kept.window.start_s, kept.window.end_s) == (10.0, 16.0)
    assert (kept.before.start_s, kept.before.end_s) == (9.0, 10.0)
    zero = Interval.exactly(0)
    assert migration.ways_missed(kept).interval == zero
    assert migration.rows_there(kept).interval == Interval.exactly(5)
    assert migration.rows_changed(kept).interval == zero
    assert migration.invalid_indexes(kept).interval == zero
    assert migration.requests_blocked(kept, 0.3).interval == Interval.exactly(1)
    assert migration.requests_blocked(kept, 0.6).interval == zero
    waited, held = migration.longest_request_wait(kept), migration.exclusive_for(kept)
    queued = migration.queued_behind_the_adversary(kept)
    for measured, low, high in ((waited, 0.4, 0.51), (held, 0.0, 0.21), (queued, 0.2, 0.31)):
        assert measured.interval is not None, measured.doubts
        assert (measured.interval.low, measured.interval.high) == (pytest.approx(low), pytest.approx(high))
        assert measured.evidence == ("drills/d/migration/looks.jsonl",)


OF_LOCKS = (
    (migration.longest_request_wait, "at_most", 0.3),
    (lambda kept: migration.requests_blocked(kept, 0.3), "at_most", 0),
    (migration.exclusive_for, "at_most", 0.3),
    (migration.queued_behind_the_adversary, "at_least", 0.001),
)


def judged(kept) -> list:
    return [
        judge(Objective(found.name, found.name, direction, limit, found.unit), found)
        for found, direction, limit in ((measure(kept), direction, limit) for measure, direction, limit in OF_LOCKS)
    ]


@pytest.mark.parametrize(
    ("names", "told"),
    [
        ((), "those seen were called 'alembic'"),
        (("", "alembic", "drillbook-watch", "service"), "those seen were called 'alembic', 'service'"),
        (("",), "nobody else's had a name"),
    ],
)
def test_without_a_connection_of_the_migrations_name_nothing_is_known_of_its_locks(keep, names, told) -> None:
    queued = replace(QUEUED, application="alembic")
    seen = [replace(look, waits=(queued,) if number == 52 else (), held=(), names=names)
            for number, look in enumerate(looks())]  # fmt: skip
    if names == ("",):
        seen = [replace(look, waits=()) for look in seen]
    for found in judged(keep(*STEPS, *READ, seen=seen)):
        assert found.verdict is Verdict.INCONCLUSIVE
        assert "no connection was called 'migrate' while" in found.reason
        assert "migrations.proof.application" in found.reason
        assert told in found.reason


def test_a_migration_whose_connection_was_seen_and_that_nobody_met_at_a_lock_kept_nobody_waiting(keep) -> None:
    seen = [replace(look, waits=(), held=(), names=("migrate",) if 15 < number < 30 else ())
            for number, look in enumerate(looks())]  # fmt: skip
    verdicts = [found.verdict for found in judged(keep(*STEPS, *READ, seen=seen))]
    assert verdicts == [*3 * [Verdict.PASS], Verdict.INCONCLUSIVE]


def test_a_connection_of_that_name_before_the_migration_is_not_the_migrations(keep) -> None:
    seen = [replace(look, waits=(), held=(), names=("migrate",) if number < 9 else ())
            for number, look in enumerate(looks())]  # fmt: skip
    assert {found.verdict for found in judged(keep(*STEPS, *READ, seen=seen))} == {Verdict.INCONCLUSIVE}


@pytest.mark.parametrize(("before_s", "doubted"), [(0.9, True), (0.4, False)])
def test_what_was_slow_before_the_first_way_is_a_doubt_about_the_worst_latency(keep, monkeypatch, before_s, doubted):
    due_s, took_s = np.array([9.0, 12.0]), np.array([before_s, 0.5])
    text = np.array(["", ""], dtype=object)
    done = Requests(due_s, due_s, due_s + took_s, np.array(["ok", "ok"], dtype=object), text, text, text)
    kept = keep(*STEPS, *READ)
    load = SimpleNamespace(
        metered=lambda: done, stalls=lambda: Stalls(np.array([]), np.array([])), evidence=str,
        doubts=lambda *_, **__: (),
    )  # fmt: skip
    monkeypatch.setattr(migration, "recording", lambda _folder: load)
    found = migration.worst_latency(kept, "", 0.6)
    assert found.interval == Interval.exactly(0.5)
    assert bool(found.doubts) is doubted


def test_a_migration_that_stopped_in_its_midst_says_so(keep) -> None:
    kept = keep(*STEPS[:1], *READ[:4])
    assert migration.ways_missed(kept).interval == Interval(0, 2)
    assert migration.rows_changed(kept).interval is None
    assert migration.invalid_indexes(kept).interval == Interval.exactly(0)


@pytest.mark.parametrize(
    ("invalid", "left"),
    [
        # Before; after up, down and up again. The way down drops what the way up has left.
        (([], ["i"], [], []), 1), (([], ["i"], [], ["j", "i"]), 2), (([], [], [], ["i"]), 1), ((["i"], [], [], []), 0),
    ],
)  # fmt: skip
def test_an_index_that_any_way_has_left_invalid_is_counted(keep, invalid, left: int) -> None:
    seen = [{"kind": "indexes", "at_s": 9.0 + number, "invalid": names} for number, names in enumerate(invalid)]
    assert migration.invalid_indexes(keep(*STEPS, *seen)).interval == Interval.exactly(left)


def test_an_index_that_nobody_looked_at_after_a_way_is_not_known(keep) -> None:
    assert migration.invalid_indexes(keep({"kind": "indexes", "at_s": 9.0, "invalid": []})).interval is None


@pytest.mark.parametrize(
    ("kept_of_it", "missed"),
    [
        ({"began": "1", "failed": False, "text": "it ended with exit code 1"}, Interval(0, 0)),
        ({"began": "1", "failed": True, "text": "no"}, Interval(1, 1)),
        ({"began": "2", "failed": False}, Interval(0, 1)),
        # As older versions kept it.
        ({"text": "upgraded"}, Interval(0, 0)),
        ({"text": "the migration upgrade to 2 ended with exit code 1: no GRANT"}, Interval(1, 1)),
        ({"text": "the migration upgrade to 2 ended with exit code -9: "}, Interval(1, 1)),
        ({"text": "the migration upgrade to 2 did not end within 120 s"}, Interval(1, 1)),
        ({"text": "the migration cannot be started: no such file"}, Interval(1, 1)),
    ],
)
def test_a_way_whose_command_failed_is_missed_wherever_it_led(keep, kept_of_it, missed: Interval) -> None:
    assert migration.ways_missed(keep({**STEPS[0], **kept_of_it}, *STEPS[1:], *READ)).interval == missed


def test_a_migration_that_never_began_proves_nothing(keep) -> None:
    kept = keep(seen=[])
    assert kept.before.length_s == 0.0
    assert migration.ways_missed(kept).interval == Interval(0, 3)
    for measure in (migration.rows_there, migration.longest_request_wait, migration.invalid_indexes):
        assert measure(kept).interval is None
    assert migration.rows_left_out(kept, 10).interval is None


BACKFILL = [
    {"kind": "killed", "at_s": 11.25, "rows": 40},
    {
        "kind": "contract",
        "start_s": 11.3,
        "end_s": 11.6,
        "before": "2",
        "after": "2",
        "text": "1.0.0 is still connected",
        "failed": True,
    },
    {"kind": "backfilled", "at_s": 14.0, "rows": 130, "text": "", "there": 130},
]
FILLINGS = [
    {"kind": "filling", "when": when, "at_s": at_s, "rows": 100, "filled": filled, "kept": kept, "snapshot": "9:9:"}
    | more
    for when, at_s, filled, kept, more in (
        ("before", 11.1, 0, 0, {}), ("killed", 11.26, 30, 30, {"settled": True}), ("done", 13.9, 100, 30, {}),
    )
]  # fmt: skip


def progress(*rows: int) -> list[Look]:
    """From 9 s on; those before the back-fill was killed are of it too."""
    return [Look(9.0 + n / 10, 9.01 + n / 10, progress=rows[min(n // 10, len(rows) - 1)]) for n in range(75)]


@pytest.mark.parametrize(("rows", "again"), [((100, 0, 40, 60, 100), 0), ((100, 0, 40, 10, 100), 30)])
def test_a_backfill_counts_from_when_it_was_killed(keep, rows, again: int) -> None:
    kept = keep(*STEPS[:1], *BACKFILL, *FILLINGS, seen=progress(*rows))
    assert migration.gone_over_again(kept).interval == Interval.exactly(again)
    assert migration.filled_again(kept).interval == Interval.exactly(0)
    assert migration.rows_left_out(kept, 100).interval == Interval.exactly(0)
    assert migration.rows_left_out(kept, 120).interval == Interval.exactly(20)
    assert migration.contracted_prematurely(kept, "1.0.0").interval == Interval.exactly(0)
    assert kept.window.end_s == 15.0


def test_rows_left_out_and_filled_again_are_those_of_the_table_whatever_the_backfill_says(keep) -> None:
    kept = keep(*STEPS[:1], *BACKFILL, *FILLINGS[:2], {**FILLINGS[2], "filled": 95, "kept": 28})
    assert migration.rows_left_out(kept, 100).interval == Interval.exactly(5)
    assert migration.filled_again(kept).interval == Interval.exactly(2)


@pytest.mark.parametrize(
    "kept_of_it",
    [{"text": "no GRANT", "failed": True}, {"text": "the migration backfill ended with exit code 1: no GRANT"}],
)
def test_a_backfill_whose_command_failed_is_not_done(keep, kept_of_it) -> None:
    kept = keep(*STEPS[:1], *BACKFILL[:2], {**BACKFILL[2], **kept_of_it}, *FILLINGS)
    (doubt,) = migration.rows_left_out(kept, 100).doubts
    assert doubt.endswith("no GRANT")


def test_a_record_from_before_the_table_was_asked_does_not_pass(keep) -> None:
    kept = keep(*STEPS[:1], *BACKFILL[:2], {"kind": "backfilled", "at_s": 14.0, "rows": 130, "text": ""})
    assert migration.rows_left_out(kept, 100).interval == Interval(0, 100)
    assert migration.rows_left_out(kept, 140).interval == Interval(10, 140)
    assert migration.filled_again(kept).interval is None


@pytest.mark.parametrize(
    ("kept_of_it", "refused"),
    [
        ({"failed": True}, True),
        ({"failed": False}, False),
        # As older versions kept it.
        ({"text": "the migration contract ended with exit code 1: 1.0.0 is still connected"}, True),
        ({"text": "the migration contract to  ended with exit code 1: 1.0.0 is still connected"}, True),
        ({"text": "1.0.0 is gone"}, False),
    ],
)
def test_a_contract_step_is_refused_by_a_command_that_fails(keep, kept_of_it, refused: bool) -> None:
    line = {name: value for name, value in BACKFILL[1].items() if name != "failed"}
    kept = keep(*STEPS[:1], {**line, **kept_of_it})
    assert (not migration.contracted_prematurely(kept, "1.0.0").doubts) is refused


def test_a_backfill_that_was_never_killed_is_no_proof_that_it_goes_on(keep) -> None:
    kept = keep(*STEPS[:1], BACKFILL[2])
    with pytest.raises(FileNotFoundError, match="no back-fill was killed"):
        migration.gone_over_again(kept)
    assert migration.contracted_prematurely(kept, "1.0.0").samples == 0
