"""What a recovery cost, from made-up files of a load."""

from __future__ import annotations

import numpy as np
import pytest

from drillbook.domain.measurement import Window
from drillbook.domain.traffic import Connection
from drillbook.domain.verdict import Objective, Verdict, judge
from probes import recovery
from tests.unit.probes.test_of_a_load import columns, drill, fail

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
