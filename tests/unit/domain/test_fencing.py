"""Split brain from made-up tries, and from simulated old primaries whose truth is known."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drillbook.domain import clocks, fencing
from drillbook.domain.clocks import Exchange
from drillbook.domain.fencing import Attempt
from drillbook.domain.interval import Interval
from drillbook.domain.measurement import Window
from drillbook.domain.verdict import Objective, Verdict, judge

PROMOTION = Interval(100.0, 101.0)
UNTIL_S = 110.0
WINDOW = Window(100, 110)
NONE_TAKEN = Objective("recovery.split_brain", "nobody writes to the old primary", "at_most", 0, "events")


def refusals(start_s=95, end_s=112):
    return [Attempt(second, second + 1.0, "refused") for second in range(start_s, end_s)]


def verdict(*attempts, gap_s=1.5):
    found = fencing.after_promotion([*attempts, *refusals()], PROMOTION, UNTIL_S)
    return judge(NONE_TAKEN, fencing.taken_measured(found, WINDOW, gap_s=gap_s)).verdict


@pytest.mark.parametrize(
    ("attempt", "expected"),
    [
        (Attempt(99.0, 99.9, "acknowledged"), Verdict.PASS),
        (Attempt(99.0, 100.0, "acknowledged"), Verdict.INCONCLUSIVE),
        (Attempt(101.0, 101.1, "acknowledged"), Verdict.INCONCLUSIVE),
        (Attempt(101.1, 101.2, "acknowledged"), Verdict.FAIL),
        (Attempt(109.9, 110.1, "acknowledged"), Verdict.INCONCLUSIVE),
        (Attempt(110.1, 110.2, "acknowledged"), Verdict.PASS),
        (Attempt(105.0, 106.0, "indeterminate"), Verdict.INCONCLUSIVE),
        (Attempt(105.0, 106.0, "indeterminate", kept=False), Verdict.PASS),
        (Attempt(105.0, 106.0, "indeterminate", kept=True), Verdict.FAIL),
        (Attempt(105.0, 106.0, "refused", kept=True), Verdict.FAIL),
        (Attempt(105.0, 106.0, "acknowledged", kept=False), Verdict.FAIL),
    ],
)
def test_only_what_is_certainly_after_the_promotion_fails(attempt, expected):
    assert verdict(attempt) is expected


def test_the_first_split_write_and_the_tries_are_named():
    found = fencing.after_promotion(
        [Attempt(105, 105.1, "acknowledged"), Attempt(103, 103.1, "acknowledged"), *refusals()], PROMOTION, UNTIL_S
    )
    assert found.first_s == 103
    assert found.taken == Interval(2, 2)
    assert found.tried == 11
    assert fencing.after_promotion([], PROMOTION, UNTIL_S).first_s is None


@pytest.mark.parametrize("silent", [(102, 105), (101, 104), (108, 111)])
def test_a_ledger_that_fell_silent_is_no_witness(silent):
    tries = [attempt for attempt in refusals() if not silent[0] <= attempt.sent_s < silent[1]]
    found = fencing.after_promotion(tries, PROMOTION, UNTIL_S)
    assert found.silence.length_s == pytest.approx(min(silent[1], UNTIL_S) - max(silent[0], PROMOTION.high))
    judged = judge(NONE_TAKEN, fencing.taken_measured(found, WINDOW, gap_s=1.5))
    assert judged.verdict is Verdict.INCONCLUSIVE
    assert "tried nothing for" in judged.reason


def test_a_try_speaks_until_its_end_whatever_was_tried_meanwhile():
    hanging, quick = Attempt(101.0, 109.0, "refused"), Attempt(102.0, 102.1, "refused")
    found = fencing.after_promotion([quick, hanging], PROMOTION, UNTIL_S)
    assert found.silence == Window(109, 110)
    assert fencing.after_promotion(
        [Attempt(103, 104, "refused"), Attempt(102, 109, "refused")], PROMOTION, UNTIL_S
    ) == (replace(found, tried=2, silence=Window(101, 102), unreached=Window(101, 102)))


@pytest.mark.parametrize(
    ("silent", "unreached_s", "expected"),
    [
        ((103, 107), 3.0, Verdict.INCONCLUSIVE),
        ((103, 107), 5.0, Verdict.PASS),
        ((95, 112), math.inf, Verdict.PASS),
    ],
)
def test_tries_that_reached_nobody_say_nothing_of_what_the_old_primary_was_sent_from_nearby(
    silent, unreached_s, expected
):
    tries = [replace(it, reached=not silent[0] <= it.sent_s < silent[1]) for it in refusals()]
    found = fencing.after_promotion(tries, PROMOTION, UNTIL_S)
    assert found.silence.length_s == 0
    judged = judge(NONE_TAKEN, fencing.taken_measured(found, WINDOW, gap_s=1.5, unreached_s=unreached_s))
    assert judged.verdict is expected
    assert ("reached nobody for 4.00 s" in judged.reason) == (expected is Verdict.INCONCLUSIVE)


def test_what_was_taken_for_certain_is_taken_whoever_was_not_reached_otherwise():
    tries = [Attempt(105, 105.1, "acknowledged"), *(replace(it, reached=False) for it in refusals())]
    found = fencing.after_promotion(tries, PROMOTION, UNTIL_S)
    judged = judge(NONE_TAKEN, fencing.taken_measured(found, WINDOW, gap_s=1.5, unreached_s=1.0))
    assert judged.verdict is Verdict.FAIL


def test_nobody_tried():
    found = fencing.after_promotion([], PROMOTION, UNTIL_S)
    assert found.silence == Window(101, 110)
    assert judge(NONE_TAKEN, fencing.taken_measured(found, WINDOW, gap_s=100)).verdict is Verdict.INCONCLUSIVE


def test_silence_does_not_undo_a_split_brain():
    found = fencing.after_promotion([Attempt(105, 105.1, "acknowledged")], PROMOTION, UNTIL_S)
    judged = judge(NONE_TAKEN, fencing.taken_measured(found, WINDOW, gap_s=1, evidence=["fencing.jsonl"]))
    assert judged.verdict is Verdict.FAIL
    assert judged.measurement.evidence == ("fencing.jsonl",)


@pytest.mark.parametrize(
    ("tag", "severities", "expected"),
    [
        ("COMMIT", [], "acknowledged"),
        ("INSERT 0 1", ["NOTICE"], "acknowledged"),
        ("COMMIT", ["NOTICE", "WARNING"], "indeterminate"),
        ("", [], "indeterminate"),
        ("ROLLBACK", ["WARNING"], "refused"),
    ],
)
def test_a_commit_with_a_warning_is_no_acknowledgement(tag, severities, expected):
    assert fencing.answer_of_commit(tag, severities) == expected


attempts = st.builds(
    lambda sent_s, took_s, answer, kept: Attempt(sent_s, sent_s + took_s, answer, kept),
    st.integers(360, 450).map(lambda number: number / 4),
    st.integers(0, 12).map(lambda number: number / 4),
    st.sampled_from(["acknowledged", "refused", "indeterminate"]),
    st.sampled_from([None, True, False]),
)


@given(st.lists(attempts, min_size=1, max_size=6), st.data())
def test_what_is_less_known_never_narrows_the_count(tries, data):
    chosen = data.draw(st.integers(0, len(tries) - 1))
    dimmed = [
        replace(attempt, answer="indeterminate", kept=None) if number == chosen else attempt
        for number, attempt in enumerate(tries)
    ]
    sharp, dim = (fencing.after_promotion(rows, PROMOTION, UNTIL_S).taken for rows in (tries, dimmed))
    assert dim.low <= sharp.low
    assert dim.high >= sharp.high
    wider = fencing.after_promotion(tries, PROMOTION.widened(data.draw(st.floats(0, 5))), UNTIL_S).taken
    assert wider.low <= sharp.low
    assert wider.high >= sharp.high


@given(st.lists(attempts, max_size=6), st.integers(-400, 400).map(lambda number: number / 4))
def test_a_shift_of_every_clock_changes_nothing(tries, shift_s):
    moved = [replace(attempt, sent_s=attempt.sent_s + shift_s, done_s=attempt.done_s + shift_s) for attempt in tries]
    promotion = Interval(PROMOTION.low + shift_s, PROMOTION.high + shift_s)
    here = fencing.after_promotion(tries, PROMOTION, UNTIL_S)
    there = fencing.after_promotion(moved, promotion, UNTIL_S + shift_s)
    assert (there.taken, there.tried, there.silence.length_s) == (here.taken, here.tried, here.silence.length_s)


@given(
    st.lists(st.tuples(st.floats(90, 112), st.floats(0, 2), st.floats(0, 1), st.booleans()), max_size=12),
    st.floats(100, 101),
    st.floats(0, 1),
    st.floats(-5, 5),
)
def test_the_truth_of_a_simulated_old_primary_lies_in_the_count(writes, promoted_s, doubt, ahead_s):
    """Its clock is ahead of ours by some seconds, which we know from two exchanges; answers get lost on the way."""
    exchanges = [Exchange(at, at + 0.1 + ahead_s, at + 0.1 + doubt) for at in (80.0, 120.0)]
    ahead = clocks.offset(exchanges, at_s=promoted_s)
    promotion = clocks.ours(Interval.exactly(promoted_s + ahead_s), ahead)
    tries, truth = [], 0
    for sent_s, took_s, phase, answered in writes:
        commit_s = sent_s + phase * took_s
        truth += promoted_s < commit_s <= UNTIL_S
        tries.append(Attempt(sent_s, sent_s + took_s, "acknowledged" if answered else "indeterminate"))
    taken = fencing.after_promotion(tries, promotion, UNTIL_S).taken
    assert taken.low <= truth <= taken.high


def test_an_offset_is_what_all_exchanges_allow():
    found = clocks.offset([Exchange(10, 15, 11), Exchange(20, 24.9, 20.1)], at_s=20, drift=0)
    assert (found.low, found.high) == pytest.approx((4.8, 4.9))
    drifted = clocks.offset([Exchange(10, 15, 11)], at_s=1010, drift=1e-3)
    assert (drifted.low, drifted.high) == pytest.approx((3.0, 6.0))
    moment = clocks.ours(Interval(100, 101), Interval(4, 5))
    assert moment == Interval(95, 97)


def test_a_clock_that_was_set_places_nothing():
    with pytest.raises(clocks.ClockStepped, match="it was set in between"):
        clocks.offset([Exchange(10, 15, 10.1), Exchange(20, 95, 20.1)], at_s=20)
    with pytest.raises(ValueError, match="at least one exchange"):
        clocks.offset([], at_s=20)


def test_intervals_apart():
    assert Interval(5, 7).since(Interval(1, 2)) == Interval(3, 6)
    assert Interval(5, math.inf).since(Interval(1, math.inf)) == Interval(-math.inf, math.inf)
    assert Interval.exactly(math.inf).since(Interval.exactly(math.inf)) == Interval(-math.inf, math.inf)
    assert Interval(1, 4).later(Interval(2, 3)) == Interval(2, 4)
