from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drillbook.domain import outage
from drillbook.domain.interval import Interval
from drillbook.domain.outage import Outage
from tests.unit.domain.rows import requests

NAN = math.nan
PERIOD = 0.02


def found(rows):
    return outage.outages(rows, rows.failed())


def test_one_outage_by_its_definition():
    rows = requests((0, 0, 1, "ok"), (2, 2, 2.5, "reset"), (4, 4, 4.1, "refused"), (6, 6, 6.5, "ok"))
    assert found(rows) == [Outage(0, 2, 4, 6.5, 2, begun_by_s=2.5)]
    assert found(rows)[0].length == Interval(1.5, 6.5)


def test_an_outage_has_begun_when_the_first_answer_would_have_come_in_good_times():
    rows = requests((0, 0, 0.2, "ok"), (1, 1, 6, "timeout"), (3, 3, 8, "timeout"), (9, 9, 9.1, "ok"))
    assert found(rows)[0].begun_by_s == pytest.approx(1.2)
    assert found(rows)[0].length.low == pytest.approx(1.8)


def test_a_request_that_came_through_late_does_not_prolong_it():
    rows = requests((0, 0, 0.1, "ok"), (1, 1, 1, "timeout"), (2, 2, 9, "ok"), (3, 3, 3.1, "ok"))
    assert found(rows)[0].good_again_s == 3.1


def test_unsent_requests_are_part_of_it_and_its_ends_may_be_open():
    rows = requests((0, NAN, NAN, "unsent"), (1, 1, 1.5, "reset"))
    assert found(rows) == [Outage(-math.inf, 0, 1, math.inf, 2, begun_by_s=0)]
    assert found(requests((0, 0, 1, "ok"))) == []
    assert found(requests()) == []


def test_ignored_rows_are_neither_good_nor_bad():
    rows = requests((0, 0, 0.1, "ok"), (1, 1, 1.1, "timeout"), (2, 2, 2.1, "ok"))
    assert outage.outages(rows, rows.failed(), np.array([False, True, False])) == []


def test_service_has_to_last_to_part_two_outages():
    first, second = Outage(0, 1, 2, 3, 4, 1.1), Outage(3, 4, 5, 6, 1, 4.1)
    assert outage.merged([first, second], 1.5) == [first, second]
    assert outage.merged([first, second], 2.5) == [Outage(0, 1, 5, 6, 5, 1.1)]
    assert outage.merged([], 1) == []


@pytest.mark.parametrize(("start", "end", "touches"), [(0, 1, False), (0, 1.5, True), (2, 3, True), (2.5, 3, False)])
def test_overlap_is_by_failed_requests(start, end, touches):
    assert Outage(0, 1, 2, 3, 1, 1).overlaps(start, end) is touches


def test_the_longest_gap_is_the_outage_that_could_hide():
    rows = requests((0, 0, 0.1, "ok"), (1, 1, 1.2, "ok"), (2, 5, 5.1, "ok"), (6, 6, 6.1, "ok"))
    nothing = rows.failed()
    assert outage.longest_gap_s(rows, nothing, 0, 6.1) == pytest.approx(4.1)
    assert outage.longest_gap_s(rows, nothing, 5.15, 6) == pytest.approx(1.1)
    assert outage.longest_gap_s(rows, nothing, -3, 0.05) == pytest.approx(3.1)
    assert outage.longest_gap_s(rows, nothing, 6, 9) == pytest.approx(3)
    assert outage.longest_gap_s(requests(), np.array([], dtype=bool), 0, 9) == 9


def test_lengths_together():
    certain, possible = [Outage(0, 1, 2, 3, 1, 1.5)], [Outage(0, 1, 2, 3, 1, 1.5), Outage(3, 4, 4.5, 5, 1, 4)]
    assert outage.longest(certain, possible, 0.1) == Interval(0.5, 3)
    assert outage.total(certain, possible, 0.1) == Interval(0.5, 5)
    assert outage.longest([], [], 0.04) == Interval(0, 0.04)
    assert outage.total([], [], 0.04) == Interval(0, 0.04)


@given(
    phase=st.floats(0, 1),
    length=st.floats(0.001, 3),
    service=st.floats(0, 0.015),
    stall=st.one_of(st.none(), st.tuples(st.floats(0, 5), st.floats(0, 0.5))),
    silent_s=st.sampled_from([0.0, 0.2, 1.0]),
)
def test_an_outage_of_any_length_and_phase_lies_in_the_interval(phase, length, service, stall, silent_s):
    """Whatever moment it begins, whether failures are told at once or late, and though the meter itself stalls."""
    begin, end = 1 + phase * PERIOD, 1 + phase * PERIOD + length
    rows = []
    for number in range(300):
        due = number * PERIOD
        sent = due
        if stall is not None and stall[0] <= due < stall[0] + stall[1]:
            sent = stall[0] + stall[1]
        done = sent + service
        caught = sent < end and done > begin
        rows.append((due, sent, done + silent_s if caught else done, "reset" if caught else "ok"))
    recorded = requests(*rows)
    bad = recorded.failed()
    all_found = outage.outages(recorded, bad)
    gap_s = outage.longest_gap_s(recorded, bad, 0.0, 6.0)
    seen = outage.longest(all_found, all_found, gap_s)
    assert seen.low <= length + 1e-9
    assert seen.high >= length - 1e-9
    if stall is None:
        assert seen.high - seen.low <= 2 * PERIOD + 3 * service + 1e-9
