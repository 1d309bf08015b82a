"""RTO and its stages from made-up rows, and from simulated outages whose truth is known."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drillbook.domain import layers, recovery_time
from drillbook.domain.interval import Interval
from drillbook.domain.layers import View
from drillbook.domain.measurement import Window
from drillbook.domain.verdict import Objective, Verdict, judge
from tests.unit.domain.rows import regular, requests

FAULT = Interval(10.0, 10.5)
stretches = st.lists(st.tuples(st.floats(0, 40), st.floats(0, 6)).map(lambda it: (it[0], sum(it))), max_size=4)
FOUR_HOURS = Objective("recovery.rto", "service is back within four hours", "at_most", 4 * 3600, "s")


def bounds(interval):
    return interval.low, interval.high


def each_second(end_s, *bad, took_s=0.1, outcome="server_error"):
    """Rows a second apart, of which those due in the windows fail."""
    return requests(
        *[(n, n, n + took_s, outcome if any(start <= n < end for start, end in bad) else "ok") for n in range(end_s)]
    )


def found(rows, *, until_s=100.0, sustained_s=30.0, doubtful=None, bad=None):
    bad = rows.failed() if bad is None else bad
    doubtful = np.zeros(len(rows), dtype=bool) if doubtful is None else doubtful
    return recovery_time.recovery_time(rows, bad, doubtful, fault=FAULT, until_s=until_s, sustained_s=sustained_s)


def test_from_the_fault_to_the_finish_of_the_first_good_write():
    seen = found(each_second(100, (11, 40)))
    assert bounds(seen.again) == pytest.approx((39, 40.1))
    assert bounds(seen.length) == pytest.approx((39 - 10.5, 40.1 - 10.0))
    assert len(seen.outages) == 1
    assert seen.watched_s == pytest.approx(58.9)


def test_service_that_does_not_last_is_no_recovery():
    seen = found(each_second(100, (11, 40), (50, 55)))
    assert bounds(seen.length) == pytest.approx((43.5, 45.1))
    assert len(seen.outages) == 1


def test_a_relapse_after_sustained_service_may_belong_to_it():
    seen = found(each_second(150, (11, 20), (60, 62)), until_s=150)
    assert bounds(seen.length) == pytest.approx((19 - 10.5, 62.1 - 10.0))
    assert len(seen.outages) == 2


@pytest.mark.parametrize(("rows", "until_s"), [(60, 100.0), (100, 60.0), (40, 100.0)])
def test_service_that_was_not_watched_for_long_enough_is_not_known_to_be_back(rows, until_s):
    seen = found(each_second(rows, (11, 40)), until_s=until_s)
    assert bounds(seen.length) == pytest.approx((28.5, math.inf))
    measurement = recovery_time.measured(seen, rows, Window(10, until_s))
    assert judge(FOUR_HOURS, measurement).verdict is Verdict.INCONCLUSIVE


def test_service_that_is_away_for_longer_than_promised_fails_before_it_is_back():
    seen = found(each_second(60, (11, 60)))
    quick = Objective("recovery.rto", "service is back at once", "at_most", 30, "s")
    measurement = recovery_time.measured(seen, 50, Window(10, 60), doubts=(), evidence=["requests.parquet"])
    assert judge(quick, measurement).verdict is Verdict.FAIL
    assert measurement.evidence == ("requests.parquet",)
    assert measurement.name == "from the fault to writes that are good for 30 s"


def test_where_nothing_failed_an_outage_may_hide_between_two_requests():
    seen = found(each_second(100))
    assert bounds(seen.length) == pytest.approx((0, 1.6))
    assert seen.outages == ()
    assert found(each_second(100), until_s=30.0).length.high == math.inf


def held(rows, start_s, end_s):
    """The same rows, of which those due in the window are answered at its end."""
    inside = (rows.due_s >= start_s) & (rows.due_s < end_s)
    return replace(rows, done_s=np.where(inside, end_s + 0.1, rows.done_s))


def test_writes_that_were_held_after_the_fault_may_not_have_been_good_before():
    rows = held(each_second(100), 12, 16.9)
    assert bounds(found(rows).length) == pytest.approx((0, 17.0 - 10))
    assert len(found(rows).outages) == 1


@pytest.mark.parametrize("failing", [(10, 11), (13, 14), (17, 18)])
def test_a_failure_beside_a_hold_does_not_make_the_recovery_shorter(failing):
    seen = found(held(each_second(100, failing), 12, 16.9))
    assert seen.length.high >= 17.0 - 10
    assert seen.length.low <= 8


def test_service_that_is_held_meanwhile_is_not_sustained():
    assert found(held(each_second(100, (11, 40)), 80, 84)).length.high == math.inf
    assert bounds(found(held(each_second(130, (11, 40)), 80, 84), until_s=130).length) == pytest.approx((28.5, 74.1))


def test_an_outage_before_the_fault_or_after_the_watch_is_not_its():
    assert found(each_second(150, (2, 6), (101, 120))).outages == ()


def test_failures_of_the_meters_own_decide_nothing():
    rows = each_second(100, (11, 40), outcome="timeout")
    seen = found(rows, doubtful=rows.due_s >= 20)
    assert bounds(seen.length) == pytest.approx((19 - 10.5, 30.1))
    assert bounds(found(rows, doubtful=rows.failed()).length) == pytest.approx((0, 30.1))


def test_writes_that_were_acknowledged_and_lost_are_no_service():
    rows = each_second(100, (11, 20))
    seen = found(rows, bad=rows.failed() | ((rows.due_s >= 20) & (rows.due_s < 30)))
    assert bounds(seen.length) == pytest.approx((29 - 10.5, 20.1))


@given(
    holds=stretches,
    failing=st.one_of(st.just([]), stretches),
    failure=st.tuples(st.floats(5, 25), st.floats(0, 6)),
    sustained_s=st.floats(0, 20),
)
def test_one_more_failed_write_never_makes_the_recovery_shorter(*, holds, failing, failure, sustained_s):
    due, took = failure
    highs = [
        found(regular(0.5, 70, holds, failing, extra=extra), until_s=60.0, sustained_s=sustained_s).length.high
        for extra in ([], [(due, due, due + took, "server_error")])
    ]
    assert highs[1] >= highs[0]


@given(
    phase=st.floats(0, 1),
    length=st.floats(0, 20),
    service=st.floats(0, 0.2),
    doubt=st.tuples(st.floats(0, 1), st.floats(0, 1)),
    silent_s=st.sampled_from([0.0, 3.0]),
    shift_s=st.sampled_from([0.0, 4096.0]),
)
def test_the_truth_of_a_simulated_outage_lies_in_the_interval(*, phase, length, service, doubt, silent_s, shift_s):
    """The fault's moment is not known exactly; failures are told at once or late."""
    early, late = doubt
    fault_s = 10 + phase
    back_s = fault_s + length
    rows = []
    for number in range(280):
        sent_s = number / 4
        caught = sent_s < back_s and sent_s + service > fault_s and length > 0
        done_s = sent_s + service + (silent_s if caught else 0)
        rows.append((sent_s + shift_s, sent_s + shift_s, done_s + shift_s, "reset" if caught else "ok"))
    recorded = requests(*rows)
    seen = recovery_time.recovery_time(
        recorded,
        recorded.failed(),
        np.zeros(len(recorded), dtype=bool),
        fault=Interval(fault_s - early + shift_s, fault_s + late + shift_s),
        until_s=69.0 + shift_s,
        sustained_s=10.0,
    )
    assert seen.length.low <= length + 1e-6
    assert seen.length.high >= length - 1e-6
    assert seen.length.high - seen.length.low <= early + late + 2 * (0.25 + service) + 1e-6


def test_stages_share_out_the_time():
    reached = {"detect": Interval(12, 13), "decide": Interval(14, 14), "promote": Interval(20, 21)}
    told = recovery_time.stages(Interval(10, 10), reached, Interval(30, 31))
    assert [(stage.name, stage.length) for stage in told] == [
        ("detect", Interval(2, 3)),
        ("decide", Interval(1, 2)),
        ("fence + promote", Interval(6, 7)),
        ("repoint + dns + warm-up", Interval(9, 11)),
    ]
    assert [stage.start for stage in told[1:]] == [stage.end for stage in told[:-1]]


def test_a_stage_that_ended_before_the_one_before_it_adds_nothing():
    reached = {"detect": Interval(12, 12), "promote": Interval(20, 20), "repoint": Interval(15, 16)}
    told = {stage.name: stage.length for stage in recovery_time.stages(Interval(10, 10), reached, Interval(25, 25))}
    assert told["repoint"] == Interval(0, 0)
    assert told["dns + warm-up"] == Interval(5, 5)


def test_nothing_is_added_once_clients_are_served():
    reached = {"dns": Interval(50, 60)}
    told = recovery_time.stages(Interval(10, 11), reached, Interval(30, 31))
    assert [stage.length for stage in told] == [Interval(19, 21), Interval(0, 1)]


def test_a_stage_that_nobody_knows_is_refused():
    with pytest.raises(ValueError, match="got 'coffee'"):
        recovery_time.stages(FAULT, {"coffee": FAULT}, FAULT)


@given(
    st.floats(0, 10),
    st.dictionaries(
        st.sampled_from(recovery_time.STAGES), st.tuples(st.floats(0, 60), st.floats(0, 3), st.floats(0, 3))
    ),
    st.floats(0, 50),
    st.floats(0, 3),
)
def test_the_true_stages_lie_in_theirs_and_add_up(fault_s, moments, length_s, doubt_s):
    back_s = fault_s + length_s
    truth, last_s = [], fault_s
    for name in recovery_time.STAGES:
        if name in moments:
            end_s = min(max(last_s, moments[name][0]), back_s)
            truth.append(end_s - last_s)
            last_s = end_s
    truth.append(back_s - last_s)
    reached = {name: Interval(at_s - early, at_s + late) for name, (at_s, early, late) in moments.items()}
    told = recovery_time.stages(
        Interval(fault_s - doubt_s, fault_s + doubt_s), reached, Interval(back_s - doubt_s, back_s + doubt_s)
    )
    assert len(told) == len(truth)
    for stage, true_s in zip(told, truth, strict=True):
        assert stage.length.low <= true_s + 1e-9
        assert stage.length.high >= true_s - 1e-9
    assert sum(truth) == pytest.approx(length_s)


WINDOW = Window(0.0, 60.0)


def windows(*pairs):
    return tuple(Window(start, end) for start, end in pairs)


def test_time_is_put_down_to_the_deepest_layer_that_is_down():
    told = layers.attribution(
        View(windows((10, 50)), windows((9, 51))),
        {
            "database": View(windows((10, 20)), windows((10, 20))),
            "pooler": View(windows((10, 30)), windows((10, 32))),
            "gateway": View((), ()),
            "dns": View(windows((5, 40)), windows((5, 40))),
        },
        WINDOW,
    )
    assert told["database"] == Interval(10, 10)
    assert told["pooler"] == Interval(10, 12)
    assert told["gateway"] == Interval(0, 0)
    # Up to 40 it was DNS, and from 9 to 10 as well if users were not served by then.
    assert told["dns"] == Interval(8, 11)
    assert told[layers.ELSEWHERE] == Interval(10, 11)


def test_a_view_clips_to_its_window_and_doubts_silence():
    rows = requests((1, 1, 1.1, "ok"), (2, 2, 2.1, "reset"), (3, 3, 3.1, "reset"), (4, 4, 4.1, "ok"), (9, 9, 9.1, "ok"))
    nobody = np.zeros(5, dtype=bool)
    seen = layers.view(rows, rows.failed(), nobody, Window(0.0, 9.5), silent_s=3.2)
    assert seen.certain == windows((2.1, 3))
    assert Window(1, 4.1) in seen.possible
    assert Window(4, 9.1) in seen.possible
    assert {(it.start_s, it.end_s) for it in seen.possible} == {(1, 4.1), (4, 9.1), (0, 1.1), (9, 9.5)}
    assert layers.view(rows, rows.failed(), rows.failed(), Window(2.5, 3.5), silent_s=99).certain == ()
    assert layers.view(rows, rows.failed(), nobody, Window(2.5, 2.8), silent_s=99).certain == windows((2.5, 2.8))
    assert layers.view(rows, rows.failed(), nobody, Window(5, 6), silent_s=99).certain == ()


def test_without_probes_every_layer_is_possible():
    rows = requests()
    nothing = np.array([], dtype=bool)
    blind = layers.view(rows, nothing, nothing, WINDOW, silent_s=1)
    told = layers.attribution(View(windows((10, 20)), windows((10, 20))), {"database": blind}, WINDOW)
    assert told == {"database": Interval(0, 10), layers.ELSEWHERE: Interval(0, 10)}


@given(
    st.lists(st.tuples(st.floats(5, 50), st.floats(0, 25)), min_size=5, max_size=5),
    st.lists(st.floats(0, 0.25), min_size=5, max_size=5),
)
def test_the_truth_of_simulated_layers_lies_in_their_shares(downs, phases):
    """Users are served while no layer is down and the application, which is the last of them, is not either."""
    names = ["database", "pooler", "gateway", "dns", layers.ELSEWHERE]
    down = {name: (start, start + length) for name, (start, length) in zip(names, downs, strict=True)}
    window = Window(0.0, 100.0)

    def seen(spans, phase):
        rows = []
        for number in range(1, 398):
            at = number / 4 + phase
            caught = any(start - 0.02 < at < end and start < end for start, end in spans)
            rows.append((at, at, at + 0.02, "reset" if caught else "ok"))
        recorded = requests(*rows)
        return layers.view(recorded, recorded.failed(), np.zeros(len(recorded), dtype=bool), window, silent_s=1.0)

    views = {name: seen([down[name]], phase) for name, phase in zip(names[:4], phases, strict=False)}
    told = layers.attribution(seen(list(down.values()), phases[4]), views, window)
    edges = sorted({0.0, 100.0, *(edge for span in down.values() for edge in span)})
    truth = dict.fromkeys(names, 0.0)
    for start, end in pairwise(edges):
        blamed = next((name for name in names if down[name][0] <= (start + end) / 2 < down[name][1]), None)
        if blamed is not None:
            truth[blamed] += end - start
    unseen_s = 0.3  # a shorter outage may fall between two probes
    for name in names:
        assert told[name].low <= truth[name] + unseen_s
        assert told[name].high >= truth[name] - unseen_s * len(names)
