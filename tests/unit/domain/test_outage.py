from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drillbook.domain import outage
from drillbook.domain.interval import Interval
from drillbook.domain.outage import Outage
from tests.unit.domain.rows import regular, requests

NAN = math.nan
PERIOD = 0.02
WINDOW = (0.0, 100.0)
FAULT = Interval(10, 10.5)


def found(rows):
    return outage.outages(rows, rows.failed())


def total(rows, good_for_s=0.0):
    """All outages of the window together, as the probes ask for them."""
    bad = rows.failed()
    certain, possible = (outage.merged(it, good_for_s) for it in (found(rows), outage.possible_outages(rows, bad)))
    touching = [[it for it in some if it.overlaps(*WINDOW)] for some in (certain, possible)]
    return outage.total(*touching, outage.longest_gap_s(rows, bad, *WINDOW))


def each_tenth(*holds, failing=()):
    return regular(0.1, 100, holds, failing)


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


def test_what_two_outages_share_counts_once_together():
    both = [Outage(0, 1, 2, 4, 1, 1.5), Outage(2.5, 3, 3, 5, 1, 3)]
    assert outage.total([], both, 0.1) == Interval(0, 5)
    assert outage.total([], [*both, Outage(-math.inf, 7, 7, 8, 1, 7)], 0.1).high == math.inf


def test_writes_that_are_held_again_and_again_may_be_away_for_all_of_it():
    rows = each_tenth(*((8 * n, 8 * n + 4.5) for n in range(1, 12)))
    assert not rows.failed().any()
    seen = total(rows)
    assert seen.low == 0
    assert seen.high == pytest.approx(11 * 4.5, abs=11 * 0.25)


def test_a_hold_adds_to_what_failed():
    seen = total(each_tenth((70, 74.9), failing=[(10, 36)]))
    assert seen.low == pytest.approx(26, abs=0.2)
    assert seen.high == pytest.approx(26 + 4.9, abs=0.5)


def test_a_hold_in_which_some_fail_counts_once():
    assert total(each_tenth((70, 74.9), failing=[(71, 72)])).high == pytest.approx(4.9, abs=0.25)


def test_slow_answers_of_a_busy_machine_do_not_add_up():
    seen = total(each_tenth(*((3 * n, 3 * n + 0.95) for n in range(1, 30))))
    assert seen.high == pytest.approx(0.95, abs=0.25)


def test_one_request_that_is_slow_while_others_are_answered_is_not_held():
    rows = requests((0, 0, 0.1, "ok"), (1, 1, 5, "ok"), (2, 2, 2.1, "ok"), (3, 3, 3.1, "ok"))
    assert outage.held(rows, rows.failed()).tolist() == [False, True, False, False]
    rows = requests((0, 0, 0.1, "ok"), (1, 1, 5, "ok"), (1.5, 1.5, 1.6, "ok"), (3, 3, 3.1, "ok"))
    assert not outage.held(rows, rows.failed()).any()


def test_nobody_is_held_where_hardly_anything_is_asked():
    rows = requests(*[(20 * n, 20 * n, 20 * n + 0.1, "ok") for n in range(5)])
    assert total(rows).high == pytest.approx(20.1)


def test_nothing_is_held_without_requests_and_what_failed_is_not():
    assert outage.held(requests(), np.array([], dtype=bool)).tolist() == []
    rows = requests((0, NAN, NAN, "unsent"), (1, 1, 6, "timeout"), (2, 2, 6, "ok"))
    assert outage.held(rows, rows.failed()).tolist() == [False, False, True]


def test_the_longest_outage_is_what_it_was_without_holds():
    rows = each_tenth((70, 74.9), (76, 80))
    bad = rows.failed()
    gap_s = outage.longest_gap_s(rows, bad, *WINDOW)
    assert outage.longest(found(rows), found(rows), gap_s).high == pytest.approx(4.9, abs=0.25)


def over_by(rows, since=FAULT, until_s=100.0):
    bad = rows.failed()
    possible = [it for it in outage.possible_outages(rows, bad) if it.overlaps(since.low, until_s)]
    return outage.over_by_s(rows, bad, possible, since, until_s)


def test_a_fault_is_over_when_the_last_hold_has_ended_however_long_that_was():
    assert over_by(each_tenth((12, 16.9))) == pytest.approx(16.9, abs=0.15)
    assert over_by(each_tenth((12, 16.9), failing=[(10, 10.1)])) == pytest.approx(16.9, abs=0.15)
    assert over_by(each_tenth((60, 62))) == pytest.approx(62, abs=0.15)


def test_what_hid_between_two_good_requests_began_with_the_fault():
    assert over_by(each_tenth()) == pytest.approx(10.5 + 0.12)
    assert over_by(each_tenth((9.8, 10.7))) == pytest.approx(10.72)
    assert over_by(each_tenth((60, 60.8))) == pytest.approx(10.5 + 0.92)
    assert over_by(each_tenth((60, 60.8), failing=[(10.3, 10.4)])) == pytest.approx(10.5 + 0.92)
    assert over_by(requests()) == 100


stretches = st.lists(st.tuples(st.floats(0, 60), st.floats(0, 6)).map(lambda it: (it[0], sum(it))), max_size=4)


@given(
    holds=stretches,
    failing=st.one_of(st.just([]), stretches),
    failure=st.tuples(st.floats(-5, 65), st.floats(0, 6)),
    good_for_s=st.floats(0, 10),
    fault=st.tuples(st.floats(0, 10), st.floats(0, 2)),
)
def test_one_more_failure_never_makes_a_verdict_better(*, holds, failing, failure, good_for_s, fault):
    due, took = failure
    less, more = (
        regular(0.5, 62, holds, failing, extra=extra) for extra in ([], [(due, due, due + took, "server_error")])
    )
    assert total(more, good_for_s).high >= total(less, good_for_s).high
    since = Interval(fault[0], sum(fault))
    assert over_by(more, since, 60.0) >= over_by(less, since, 60.0)


@given(st.lists(st.tuples(st.floats(0.3, 5), st.floats(1.3, 6), st.booleans()), max_size=8), st.floats(0, 0.05))
def test_outages_that_hold_or_fail_lie_in_their_sum(parts, service):
    """By turns service is good and away; what is asked meanwhile waits for its end or fails at once."""
    away, at = [], 1.0
    for good, length, holds in parts:
        away.append((at + good, at + good + length, holds))
        at += good + length
    rows = []
    for number in range(1000):
        due = number / 10
        caught = [(end, holds) for start, end, holds in away if start < due + service and due < end]
        end, holds = caught[0] if caught else (due, True)
        rows.append((due, due, (end if holds else due) + service, "ok" if holds else "refused"))
    seen = total(requests(*rows))
    assert seen.low <= sum(end - start for start, end, _ in away) + 1e-9
    assert seen.high >= sum(end - start for start, end, _ in away) - 1e-9


@given(st.lists(st.tuples(st.floats(0.001, 0.5), st.floats(0, 0.999 * outage.SILENT_S)), max_size=60))
def test_answers_within_a_second_are_no_outages_together(made):
    due = np.cumsum([spacing for spacing, _ in made])
    rows = requests(*[(at, at, at + took, "ok") for at, (_, took) in zip(due, made, strict=True)])
    assert outage.possible_outages(rows, rows.failed()) == []


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
