"""RPO from made-up ledgers, and from simulated disasters whose truth is known."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drillbook.domain import recovery_point as rpo
from drillbook.domain.interval import Interval
from drillbook.domain.ledger import LookUp, Write
from drillbook.domain.measurement import Window
from drillbook.domain.verdict import Objective, Verdict, judge

FAULT = Interval(100.0, 100.2)
WINDOW = Window(0, 200)
ONE_HOUR = Objective("recovery.rpo", "at most an hour of writes is lost", "at_most", 3600, "s")
NOTHING_AFTER = Objective("recovery.after", "nobody takes writes that are lost", "at_most", 0, "events")


def acknowledged(key, sent_s, took_s=0.1):
    return Write(key, acknowledged=True, refused=False, sent_s=sent_s, done_s=sent_s + took_s)


def bounds(interval):
    return interval.low, interval.high


def there(key, copies=1, equal=True):
    return LookUp(key, copies, equal=equal, error="")


def gone(key):
    return LookUp(key, 0, equal=False, error="")


def unanswered(key):
    return LookUp(key, 0, equal=False, error="timeout")


def test_age_of_the_oldest_lost_write_from_answer_to_the_last_survivor():
    found = rpo.recovery_point(
        [acknowledged("a", 80), acknowledged("b", 90), acknowledged("c", 95)],
        [there("a"), gone("b"), gone("c")],
        FAULT,
    )
    assert bounds(found.age) == pytest.approx((100.0 - 90.1, 100.2 - 80))
    assert found.lost == Interval(2, 2)
    assert found.lost_after_fault == Interval(0, 0)
    assert found.acknowledged_before == 3


def test_nothing_lost_is_known_back_to_the_last_survivor_before_the_fault():
    writes = [acknowledged("a", 90), acknowledged("b", 99.5), acknowledged("caught", 99.95), acknowledged("new", 130)]
    found = rpo.recovery_point(writes, [there(write.key) for write in writes], FAULT)
    assert bounds(found.age) == pytest.approx((0, 0.7))
    assert found.lost == Interval(0, 0)


def test_a_ledger_that_is_lost_as_a_whole_bounds_nothing():
    writes = [acknowledged("a", 90), acknowledged("b", 99), acknowledged("new", 130)]
    found = rpo.recovery_point(writes, [gone("a"), gone("b"), there("new")], FAULT)
    assert bounds(found.age) == pytest.approx((9.9, math.inf))
    assert judge(ONE_HOUR, rpo.age_measured(found, WINDOW)).verdict is Verdict.INCONCLUSIVE


def test_an_altered_write_is_lost_too():
    found = rpo.recovery_point(
        [acknowledged("a", 80), acknowledged("b", 90)], [there("a"), there("b", 1, False)], FAULT
    )
    assert found.age.low == pytest.approx(9.9)
    assert found.lost == Interval(1, 1)


def test_a_key_is_promised_by_its_first_answer_and_may_be_its_first_try():
    tries = [
        acknowledged("a", 10),
        Write("b", acknowledged=False, refused=False, sent_s=40, done_s=45),
        Write("b", acknowledged=False, refused=True, sent_s=30, done_s=30),
        acknowledged("b", 50),
        acknowledged("b", 60),
        acknowledged("c", 41),
    ]
    lost = rpo.recovery_point(tries, [there("a"), gone("b"), there("c")], FAULT)
    assert bounds(lost.age) == pytest.approx((49.9, 90.2))


def test_what_nobody_answered_for_widens_the_upper_bound_only():
    writes = [
        acknowledged("a", 10),
        acknowledged("unknown", 20),
        acknowledged("survivor", 95),
        acknowledged("lost", 99),
        Write("unclear", acknowledged=False, refused=False, sent_s=15, done_s=16),
        Write("vanished", acknowledged=False, refused=False, sent_s=math.nan, done_s=math.nan),
        Write("refused", acknowledged=False, refused=True, sent_s=1, done_s=1),
    ]
    looked_up = [there("a"), unanswered("unknown"), there("survivor"), gone("lost"), gone("vanished")]
    found = rpo.recovery_point(writes[:4], looked_up, FAULT)
    assert bounds(found.age) == pytest.approx((0.9, 90.2))
    assert found.lost == Interval(1, 2)
    assert rpo.recovery_point(writes[:5], looked_up[2:], FAULT).age.high == pytest.approx(math.inf)
    assert bounds(rpo.recovery_point(writes[:5], looked_up, FAULT).age) == pytest.approx((0.9, 90.2))
    assert bounds(rpo.recovery_point([writes[0], *writes[2:5]], looked_up, FAULT).age) == pytest.approx((0.9, 90.2))
    timeless = rpo.recovery_point(writes, looked_up, FAULT)
    assert bounds(timeless.age) == pytest.approx((0.9, math.inf))
    assert timeless.unresolved == 2


def test_writes_taken_after_the_fault_and_lost_have_no_age_and_are_counted():
    writes = [acknowledged("a", 99.8), acknowledged("at", 100.05), acknowledged("b", 105), acknowledged("c", 106)]
    found = rpo.recovery_point(writes, [there("a"), gone("at"), gone("b"), unanswered("c")], FAULT)
    assert bounds(found.age) == pytest.approx((0, 0.4))
    assert found.lost_after_fault == Interval(1, 3)
    assert judge(ONE_HOUR, rpo.age_measured(found, WINDOW)).verdict is Verdict.PASS
    assert judge(NOTHING_AFTER, rpo.losses_after_fault_measured(found, WINDOW)).verdict is Verdict.FAIL


def test_without_a_write_before_the_fault_there_is_no_data():
    found = rpo.recovery_point([acknowledged("a", 120)], [there("a")], FAULT)
    assert judge(ONE_HOUR, rpo.age_measured(found, WINDOW)).verdict is Verdict.INCONCLUSIVE
    assert rpo.age_measured(found, WINDOW).interval is None
    assert rpo.age_measured(found, WINDOW, doubts=["d"], evidence=["e"]).doubts == ("d",)


# Quarters of a second, so that sums and differences are exact.
def quarters(low, high):
    return st.integers(4 * low, 4 * high).map(lambda number: number / 4)


@st.composite
def ledgers(draw):
    """Writes of which any may be acknowledged, refused or neither, and any may be there, gone, altered or unknown."""
    writes, look_ups = [], []
    for number in range(draw(st.integers(1, 8))):
        key = str(number)
        state = draw(st.sampled_from(["acknowledged", "refused", "neither"]))
        sent_s = draw(quarters(0, 110))
        writes.append(Write(key, state == "acknowledged", state == "refused", sent_s, sent_s + draw(quarters(0, 5))))
        look_ups.append(draw(st.sampled_from([there(key), gone(key), there(key, 1, equal=False), unanswered(key)])))
    low = draw(quarters(50, 100))
    return writes, look_ups, Interval(low, low + draw(quarters(0, 3)))


@given(ledgers(), st.data())
def test_a_write_that_turns_indeterminate_never_narrows_the_interval(ledger, data):
    writes, look_ups, fault = ledger
    chosen = data.draw(st.integers(0, len(writes) - 1))
    dimmed = [
        replace(write, acknowledged=False, refused=False) if number == chosen else write
        for number, write in enumerate(writes)
    ]
    before, after = (rpo.recovery_point(rows, look_ups, fault).age for rows in (writes, dimmed))
    assert after.low <= before.low
    assert after.high >= before.high


@given(ledgers(), st.data())
def test_a_look_up_that_fails_never_narrows_the_interval(ledger, data):
    writes, look_ups, fault = ledger
    chosen = data.draw(st.integers(0, len(writes) - 1))
    dimmed = [unanswered(found.key) if number == chosen else found for number, found in enumerate(look_ups)]
    before, after = (rpo.recovery_point(writes, rows, fault) for rows in (look_ups, dimmed))
    assert after.age.low <= before.age.low
    assert after.age.high >= before.age.high
    assert after.lost.low <= before.lost.low
    assert after.lost.high >= before.lost.high


@given(ledgers(), quarters(-1000, 1000))
def test_a_shift_of_every_clock_changes_nothing(ledger, shift_s):
    writes, look_ups, fault = ledger
    moved = [replace(write, sent_s=write.sent_s + shift_s, done_s=write.done_s + shift_s) for write in writes]
    shifted = Interval(fault.low + shift_s, fault.high + shift_s)
    assert rpo.recovery_point(moved, look_ups, shifted) == replace(
        rpo.recovery_point(writes, look_ups, fault),
        fate=rpo.recovery_point(moved, look_ups, shifted).fate,
    )


@given(ledgers(), quarters(0, 100))
def test_what_was_lost_before_the_fault_is_older_at_a_later_one(ledger, later_s):
    writes, look_ups, fault = ledger
    here = rpo.recovery_point(writes, look_ups, fault).age
    later = rpo.recovery_point(writes, look_ups, Interval(fault.low + later_s, fault.high + later_s)).age
    if here.low > 0:
        assert later.low == here.low + later_s
    assert later.low <= here.low + later_s


@given(ledgers(), st.floats(0, 5))
def test_a_fault_known_less_well_widens_the_interval(ledger, by_s):
    writes, look_ups, fault = ledger
    sharp, dim = (rpo.recovery_point(writes, look_ups, moment).age for moment in (fault, fault.widened(by_s)))
    assert dim.low <= sharp.low
    assert dim.high >= sharp.high


@st.composite
def disasters(draw):
    """A database that comes back as it was at some moment; clients, network and look-up lose what they may."""
    fault_s = draw(st.floats(50, 100))
    kept_until_s = fault_s - draw(st.sampled_from([0.0, 0.3, 5.0, 40.0, 90.0]))
    writes, look_ups = [], []
    for number in range(draw(st.integers(0, 25))):
        key = str(number)
        sent_s = draw(st.floats(0, 110))
        commit_s = sent_s + draw(st.floats(0, 0.5))
        done_s = commit_s + draw(st.floats(0, 0.5))
        down = commit_s >= fault_s and commit_s < fault_s + 5
        answered = not down and draw(st.integers(0, 9)) > 0
        survives = not down and (commit_s < kept_until_s or commit_s > fault_s)
        writes.append((Write(key, answered, refused=False, sent_s=sent_s, done_s=done_s), commit_s, survives))
        unsure = draw(st.integers(0, 19)) == 0
        look_ups.append(unanswered(key) if unsure else there(key) if survives else gone(key))
    others = draw(st.lists(st.floats(0, 100), max_size=5))
    known = Interval(fault_s - draw(st.floats(0, 1)), fault_s + draw(st.floats(0, 1)))
    return writes, look_ups, others, kept_until_s, fault_s, known


@given(disasters())
def test_the_truth_of_a_simulated_disaster_lies_in_the_interval(disaster):
    """The age of whatever was lost, of our own writes and of those of other users that no ledger has."""
    writes, look_ups, others, kept_until_s, fault_s, known = disaster
    found = rpo.recovery_point([write for write, _, _ in writes], look_ups, known)
    ours = [commit_s for write, commit_s, survives in writes if write.acknowledged and not survives]
    theirs = [commit_s for commit_s in others if kept_until_s <= commit_s <= fault_s]
    truth = max([0.0, *(fault_s - commit_s for commit_s in ours + theirs)])
    assert found.age.high >= truth - 1e-9
    assert found.age.low <= max([0.0, *(fault_s - commit_s for commit_s in ours)]) + 1e-9
    assert found.lost.low <= len(ours) <= found.lost.high
