"""What a recovery cost, from made-up files of a load."""

from __future__ import annotations

import numpy as np
import pytest

from drillbook.domain.interval import Interval
from drillbook.domain.measurement import Window
from drillbook.domain.traffic import Connection
from drillbook.domain.verdict import Objective, Verdict, judge
from drillbook.run.timeline import Event
from probes import recovery
from probes.serving import region_serving_after
from tests.unit.probes.test_of_a_load import columns, drill, fail, hold

__all__ = ["drill"]

WINDOW = Window(10.0, 20.0)
SWITCHED = Objective("o", "seconds only", "at_most", 3.0, "s")


def written(table, every=4):
    """The ledger of a load whose every second request on a connection is a write."""
    return [
        {"key": f"k{n}", "due_s": float(due), "sent_s": float(due), "done_s": float(due) + 0.01,
         "state": "acknowledged"}
        for n, due in enumerate(table["due_s"]) if n % every < every // 2
    ]  # fmt: skip


def only_writes_fail(table, start_s, end_s):
    writes = np.arange(len(table["due_s"])) % 4 < 2
    inside = (table["due_s"] >= start_s) & (table["due_s"] < end_s) & writes
    table["outcome"][inside] = "server_error"


def test_reads_that_come_through_do_not_part_the_time_without_writes(drill):
    table = columns()
    only_writes_fail(table, 12.0, 14.0)
    path = drill(table, ledger=written(table))
    for connection in Connection:
        found = recovery.writes_down(path, WINDOW, connection)
        assert found.interval.low == pytest.approx(1.97, abs=0.03)
        assert found.interval.high == pytest.approx(2.05, abs=0.03)
        assert found.samples == 500
        assert judge(SWITCHED, found).verdict is Verdict.PASS


def test_all_outages_of_the_window_count_together(drill):
    table = columns()
    fail(table, 11.0, 13.0)
    fail(table, 18.5, 19.9)
    found = recovery.writes_down(drill(table, ledger=written(table)), WINDOW, Connection.NEW)
    assert found.interval.low > 3.3
    assert judge(SWITCHED, found).verdict is Verdict.FAIL


def test_writes_that_are_held_count_together_though_none_fails(drill):
    table = columns()
    for start_s in (10.5, 12.5, 14.5):
        hold(table, start_s, start_s + 1.5)
    found = recovery.writes_down(drill(table, ledger=written(table)), WINDOW, Connection.NEW)
    assert found.interval.low == 0
    assert found.interval.high > 4.5
    assert judge(SWITCHED, found).verdict is Verdict.INCONCLUSIVE


def test_one_hold_of_a_planned_switch_is_as_long_as_it_is(drill):
    table = columns()
    hold(table, 12.0, 14.5)
    found = recovery.writes_down(drill(table, ledger=written(table)), WINDOW, Connection.NEW)
    assert found.interval.high == pytest.approx(2.55, abs=0.05)
    assert judge(SWITCHED, found).verdict is Verdict.PASS


def test_what_is_outside_of_the_window_does_not_count(drill):
    table = columns()
    fail(table, 25.0, 27.0)
    found = recovery.writes_down(drill(table, ledger=written(table)), WINDOW, Connection.NEW)
    assert found.interval.high < 0.1


def test_a_load_without_writes_tells_nothing(drill):
    found = recovery.writes_down(drill(columns()), WINDOW, Connection.NEW)
    assert judge(SWITCHED, found).verdict is Verdict.INCONCLUSIVE


def test_a_meter_that_lost_rows_tells_nothing(drill):
    table = columns(seconds=15.0)
    found = recovery.writes_down(drill(table, ledger=written(table)), WINDOW, Connection.NEW)
    assert judge(SWITCHED, found).verdict is Verdict.INCONCLUSIVE


def ledger(table, lost=(), unknown=()):
    """The same with its look-up: writes due within `lost` are gone, and of those within `unknown` nothing is known."""
    entries = written(table)
    ok = {float(due): outcome == "ok" for due, outcome in zip(table["due_s"], table["outcome"], strict=True)}
    for entry in entries:
        entry["state"] = "acknowledged" if ok[entry["due_s"]] else "refused"

    def within(entry, window):
        return bool(window) and window[0] <= entry["due_s"] < window[1]

    found = [
        {"key": entry["key"], "copies": 0 if within(entry, lost) else 1, "equal": not within(entry, lost),
         "error": "timeout" if within(entry, unknown) else ""}
        for entry in entries if entry["state"] == "acknowledged"
    ]  # fmt: skip
    return {"ledger": entries, "readback": found}


FAULT = Interval(10.0, 10.05)
SOON = Objective("o", "back soon", "at_most", 5.0, "s")
LITTLE = Objective("o", "little is lost", "at_most", 1.0, "s")
NONE = Objective("o", "none is lost", "at_most", 0, "events")


def recover(path, until_s=29.0, sustained_s=10.0):
    return recovery.time_to_recover(path, FAULT, until_s, Connection.NEW, sustained_s=sustained_s)


def test_the_recovery_time_runs_from_the_fault_to_sustained_good_writes(drill):
    table = columns()
    fail(table, 10.0, 14.0)
    found, measured = recover(drill(table, **ledger(table)))
    assert measured.interval.low == pytest.approx(3.93, abs=0.05)
    assert measured.interval.high == pytest.approx(4.03, abs=0.05)
    assert judge(SOON, measured).verdict is Verdict.PASS
    assert len(found.outages) == 1


def test_service_that_was_not_watched_for_long_enough_is_not_sustained(drill):
    table = columns()
    fail(table, 10.0, 14.0)
    _, measured = recover(drill(table, **ledger(table)), until_s=20.0)
    assert measured.interval.high == float("inf")
    assert judge(SOON, measured).verdict is Verdict.INCONCLUSIVE


def test_what_fails_on_the_way_back_is_no_relapse(drill):
    table = columns()
    fail(table, 10.0, 14.0)
    fail(table, 27.0, 29.0)
    _, measured = recover(drill(table, **ledger(table)), until_s=26.0)
    assert judge(SOON, measured).verdict is Verdict.PASS


def test_a_write_that_was_acknowledged_and_is_lost_was_no_good_service(drill):
    table = columns()
    fail(table, 10.0, 14.0)
    _, measured = recover(drill(table, **ledger(table, lost=(14.0, 16.0))))
    assert measured.interval.low > 5.0
    assert judge(SOON, measured).verdict is Verdict.FAIL


def test_the_recovery_point_is_the_age_of_the_oldest_lost_write_at_the_fault(drill):
    table = columns()
    fail(table, 10.0, 14.0)
    path = drill(table, **ledger(table, lost=(9.5, 10.0)))
    measured = recovery.age_of_lost_writes(path, FAULT)
    assert measured.interval.low == pytest.approx(0.49, abs=0.02)
    assert measured.interval.high == pytest.approx(0.57, abs=0.03)
    assert judge(LITTLE, measured).verdict is Verdict.PASS
    assert judge(NONE, recovery.writes_lost_after(path, FAULT)).verdict is Verdict.PASS


@pytest.mark.parametrize(
    ("gone", "age", "after"),
    [
        ({"lost": (8.0, 10.0)}, Verdict.FAIL, Verdict.PASS),
        ({"unknown": (8.0, 10.0)}, Verdict.INCONCLUSIVE, Verdict.PASS),
        ({"lost": (15.0, 15.1)}, Verdict.PASS, Verdict.FAIL),
        ({"unknown": (15.0, 15.1)}, Verdict.PASS, Verdict.INCONCLUSIVE),
    ],
)
def test_what_is_lost_or_unknown_is_judged_before_and_after_the_fault(drill, gone, age, after):
    table = columns()
    fail(table, 10.0, 14.0)
    path = drill(table, **ledger(table, **gone))
    assert judge(LITTLE, recovery.age_of_lost_writes(path, FAULT)).verdict is age
    assert judge(NONE, recovery.writes_lost_after(path, FAULT)).verdict is after


def test_a_ledger_that_was_not_read_back_proves_nothing(drill):
    table = columns()
    path = drill(table, phase="reading_back", **ledger(table))
    for measured in (recover(path)[1], recovery.age_of_lost_writes(path, FAULT)):
        assert judge(LITTLE, measured).verdict is Verdict.INCONCLUSIVE
    assert judge(NONE, recovery.writes_lost_after(path, FAULT)).verdict is Verdict.INCONCLUSIVE


def event(kind, at_s, **data):
    return Event(at_s, "drill", kind, "", data)


def test_the_fault_lies_between_its_order_and_the_look_that_saw_it_bite():
    ordered = event("intent", 10.0, action="inject-fault")
    assert recovery.fault([ordered]) is None
    assert recovery.fault([ordered, event("observed", 10.4, action="inject-fault")]) == Interval(10.0, 10.4)


def test_the_stages_add_up_to_the_recovery_time(drill):
    table = columns()
    fail(table, 10.0, 14.0)
    found, measured = recover(drill(table, **ledger(table)))
    ended = {"detect": 11.0, "decide": 11.1, "fence": 12.0, "promote": 12.5, "repoint": 13.0, "dns": 13.5}
    notes = [event("note", at_s, activity="stage", stage=name) for name, at_s in ended.items()]
    parts = recovery.stages(notes, FAULT, found)
    assert [part.name for part in parts] == [*ended, "warm-up"]
    assert sum(part.length.low for part in parts) <= measured.interval.high
    assert sum(part.length.high for part in parts) >= measured.interval.low
    assert parts[3].length.high == pytest.approx(0.5)


def answered_by(table, region, start_s, end_s):
    inside = (table["due_s"] >= start_s) & (table["due_s"] < end_s)
    table["region"] = np.where(inside, region, table["region"]).astype(object)


def test_a_region_answers_alone_from_its_last_answer_elsewhere_on(drill):
    table = columns()
    answered_by(table, "west", 0.0, 1000.0)
    answered_by(table, "east", 0.0, 12.0)
    found = region_serving_after(drill(table), Window(10.0, 25.0), "west", Connection.NEW)
    assert found.interval.low <= 2.0 <= found.interval.high
    assert found.interval.high < 2.2


def test_a_region_that_never_answers_alone_takes_longer_than_was_looked(drill):
    table = columns()
    answered_by(table, "east", 0.0, 1000.0)
    found = region_serving_after(drill(table), Window(10.0, 25.0), "west", Connection.NEW)
    assert (found.interval.low, found.interval.high) == (15.0, float("inf"))
