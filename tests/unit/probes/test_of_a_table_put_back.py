"""What a backup alone brought back of a destroyed table is held against the ledger, whatever users find afterwards."""

from __future__ import annotations

import math

import pytest

from drillbook.domain.interval import Interval
from drillbook.domain.verdict import Objective, Verdict, judge
from probes import put_back
from tests.unit.domain.test_restored import TABLE
from tests.unit.probes.test_of_a_load import columns, drill

__all__ = ["drill"]

HAPPENED = Interval(20.0, 20.2)
WRITES = [("old", 10.0, 10.01), ("last", 19.9, 19.95), ("since", 30.0, 30.1)]


def kept(drill, *restored, writes=WRITES, lines=TABLE, original=("old", "last")):
    ledger = [{"key": key, "due_s": sent, "sent_s": sent, "done_s": done, "state": "acknowledged"}
              for key, sent, done in writes]  # fmt: skip
    path = drill(columns(), ledger=ledger)
    (path / put_back.FILE).parent.mkdir(exist_ok=True)
    events = [f"restored {key} a-{key[0]}" for key in restored] + [f"original {key} a-{key[0]}" for key in original]
    (path / put_back.FILE).write_text("\n".join([*events, *lines]))
    return path


def test_a_backup_that_has_all_from_before_the_fault_lacks_nothing(drill) -> None:
    found = put_back.age_of_lost_writes(kept(drill, "old", "last"), HAPPENED)
    assert found.interval.low == 0.0
    assert found.interval.high == pytest.approx(0.3)
    assert found.samples == 2


def test_a_backup_that_ends_early_lacks_as_much_as_it_is_early(drill) -> None:
    found = put_back.age_of_lost_writes(kept(drill, "old"), HAPPENED)
    assert found.interval.low == pytest.approx(0.05)
    assert found.interval.high == pytest.approx(10.2)
    assert judge(Objective("o", "", "at_most", 0.01, "s"), found).verdict is Verdict.FAIL


def test_a_backup_with_nothing_of_what_was_written_is_bounded_by_nothing(drill) -> None:
    found = put_back.age_of_lost_writes(kept(drill), HAPPENED)
    assert found.interval.low == pytest.approx(9.99)
    assert math.isinf(found.interval.high)


def test_an_event_that_came_back_altered_is_lost(drill) -> None:
    path = kept(drill, "old", "last")
    text = (path / put_back.FILE).read_text()
    (path / put_back.FILE).write_text(text.replace("restored last a-l", "restored last b"))
    assert put_back.age_of_lost_writes(path, HAPPENED).interval.low == pytest.approx(0.05)


def test_without_a_write_before_the_fault_nothing_is_shown(drill) -> None:
    assert put_back.age_of_lost_writes(kept(drill, writes=WRITES[2:]), HAPPENED).interval is None


def test_a_rung_is_judged_with_what_was_said_of_it(drill) -> None:
    path = kept(drill, "old")
    assert put_back.rung(path, "rows", HAPPENED).interval == Interval.exactly(0)
    text = (path / put_back.FILE).read_text()
    (path / put_back.FILE).write_text(text.replace("rows 20", "rows 19"))
    found = put_back.rung(path, "rows", HAPPENED)
    assert (found.interval, "19 -77" in found.name) == (Interval.exactly(1), True)
    (path / put_back.FILE).write_text("restore 82 ERROR: no backup\nend ")
    assert put_back.rung(path, "rows", HAPPENED).interval is None
    assert put_back.rung(path, "restore", HAPPENED).interval == Interval.exactly(1)
