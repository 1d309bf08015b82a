"""Probes of loads with a shape, and of a search for the highest rate, over rows that are made up."""

from __future__ import annotations

import json
import math

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from drillbook.domain.interval import Interval
from drillbook.domain.measurement import Window
from drillbook.domain.performance import Promise
from drillbook.domain.rate_search import Search
from drillbook.domain.shape import spike, steady
from drillbook.domain.verdict import Objective, Verdict, judge
from loadtests.schedule import Schedule, Share
from probes import capacity, downtime, latency, schedule
from probes.capacity import Record, Step
from probes.recording import recording

START_S = 100.0
SENT = Objective("load.sent", "99 % are sent in time", "at_least", 0.99, "ratio")
RATE = Objective("capacity.rate", "200 a second meet the promise", "at_least", 200, "requests/s")
KNOWN = Objective("capacity.known", "within 1.25", "at_most", 1.25, "1")


def rows(shape, took_s=0.01):
    planned = Schedule(shape, START_S, Share())
    due = []
    while (due_s := planned.due_s(len(due))) is not None:
        due.append(due_s)
    due = np.array(due)
    count = len(due)
    return {
        "due_s": due, "sent_s": due + 0.001, "done_s": due + took_s, "outcome": np.full(count, "ok", dtype=object),
        "status": np.full(count, 200, dtype=np.int16),
        "connection": np.where(np.arange(count) % 2 == 0, "new", "reused").astype(object),
        "kind": np.full(count, "meter", dtype=object), "region": np.full(count, "", dtype=object),
        "slot": np.full(count, "blue", dtype=object), "version": np.full(count, "1", dtype=object),
    }  # fmt: skip


def write(folder, shape, table, *, stalls=(), began=True):
    load = folder / "load"
    load.mkdir(parents=True)
    (load / "plan.json").write_text(json.dumps({"meter": {"rate_hz": 50, "shape": shape.as_document()}}))
    (load / "state.json").write_text(json.dumps({"phase": "done"}))
    if began:
        (load / "schedule.json").write_text(json.dumps({"start_s": START_S}))
    pq.write_table(pa.table(table), load / "requests.parquet")
    starts, ends = np.array([s for s, _ in stalls], float), np.array([e for _, e in stalls], float)
    seen_by = pa.array(["scheduler"] * len(stalls), pa.string())
    pq.write_table(pa.table({"start_s": starts, "end_s": ends, "seen_by": seen_by}), load / "stalls.parquet")
    return folder


def starve(table, share):
    """So many requests, by turns, leave late."""
    late = np.arange(len(table["due_s"])) % 100 < share * 100
    table["sent_s"][late] += 0.1
    table["done_s"][late] += 0.1
    return table


def test_what_is_due_is_the_shape_s_and_a_gap_in_it_is_a_doubt(tmp_path):
    shape = spike(100, 300, for_s=10, around_s=10)
    table = rows(shape)
    whole = write(tmp_path / "whole", shape, table)
    window = recording(whole).of_shape(*shape.highest)
    assert window == Window(110, 120)
    assert not downtime.failed_requests(whole, window).doubts
    fewer = {name: column[table["due_s"] < 115] for name, column in table.items()}
    cut = write(tmp_path / "cut", shape, fewer)
    assert "1500 of 3000 rows" in downtime.failed_requests(cut, window).doubts[0]


def test_a_shape_that_never_began_has_no_part(tmp_path):
    shape = steady(100, 10)
    table = {name: column[:0] for name, column in rows(shape).items()}
    path = write(tmp_path / "x", shape, table, began=False)
    assert recording(path).of_shape(0, 10) is None
    assert downtime.failed_requests(path, Window(0, 10)).doubts


def test_a_meter_that_kept_up_passes_and_one_that_did_not_decides_nothing(tmp_path):
    shape = steady(100, 60)
    window = Window(START_S, START_S + 60)
    good = write(tmp_path / "good", shape, rows(shape))
    bad = write(tmp_path / "bad", shape, starve(rows(shape), 0.05))
    found = [judge(SENT, schedule.sent_in_time(path, window, within_s=0.02, least=0.99)) for path in (good, bad)]
    assert [one.verdict for one in found] == [Verdict.PASS, Verdict.INCONCLUSIVE]
    assert "sent 5700 of 6000 requests within 20 ms" in found[1].reason


def test_what_the_system_kept_back_is_not_the_meter_s_and_what_the_meter_slept_through_is(tmp_path):
    shape = steady(100, 60)
    window = Window(START_S, START_S + 60)
    table = rows(shape)
    unsent = np.arange(len(table["due_s"])) % 10 == 0
    table["outcome"][unsent], table["sent_s"][unsent], table["done_s"][unsent] = "unsent", math.nan, math.nan
    kept_back = write(tmp_path / "kept", shape, table)
    measured = schedule.sent_in_time(kept_back, window, within_s=0.02, least=0.99)
    assert judge(SENT, measured).verdict is Verdict.PASS
    assert measured.samples == 5400
    asleep = [(START_S + n, START_S + n + 0.15) for n in range(60)]
    slept = write(tmp_path / "slept", shape, table, stalls=asleep)
    measured = schedule.sent_in_time(slept, window, within_s=0.02, least=0.99)
    assert "the machine that makes the load was the limit" in " ".join(measured.doubts)
    table["outcome"][unsent] = "unable"
    measured = schedule.sent_in_time(write(tmp_path / "unable", shape, table), window, within_s=0.02, least=0.99)
    assert judge(SENT, measured).verdict is Verdict.INCONCLUSIVE
    assert "the machine that makes the load was the limit" in " ".join(measured.doubts)


def test_growth_is_known_within_both_intervals(tmp_path):
    shape = steady(100, 60)
    table = rows(shape)
    table["done_s"][table["due_s"] >= START_S + 40] += 0.01
    path = write(tmp_path / "x", shape, table)
    first, last = Window(START_S, START_S + 20), Window(START_S + 40, START_S + 60)
    grown = latency.latency_growth(path, first, last, q=0.5).interval
    assert (grown.low, grown.high) == (pytest.approx(2), pytest.approx(2))
    same = latency.latency_growth(path, first, first, q=0.5).interval
    assert (same.low, same.high) == (pytest.approx(1), pytest.approx(1))


def searched(tmp_path, *steps, ended=""):
    """A search's record: for each step its rate, and what is done to its rows."""
    kept = []
    for number, (rate_hz, spoil) in enumerate(steps, 1):
        shape = steady(rate_hz, 4100 / rate_hz)
        table = rows(shape)
        spoil(table)
        write(tmp_path / f"steps/{number:02d}", shape, table)
        end_s = START_S + shape.length_s
        kept.append(Step(f"steps/{number:02d}", rate_hz, longer=number == len(steps), start_s=START_S, end_s=end_s))
    record = Record(Search(100, 1200), Promise(0.999, 0.3, 0.99), tuple(kept), ended)
    (tmp_path / capacity.FILE).write_text(json.dumps(record.as_document()))
    assert Record.of(tmp_path) == record
    return judge(RATE, capacity.highest_rate(tmp_path)), judge(KNOWN, capacity.closeness(tmp_path))


def fine(_table):
    pass


def slow(table):
    table["done_s"] += 0.4


def failing(table):
    table["outcome"][::50] = "server_error"


def starved(table):
    starve(table, 0.2)
    table["outcome"][::50] = "server_error"


def test_the_interval_is_from_the_highest_that_met_to_the_lowest_that_did_not(tmp_path):
    rate, known = searched(tmp_path, (100, fine), (250, failing), (225, fine), (275, slow), (225, fine))
    assert rate.measurement.interval == Interval(225, 250)
    assert (rate.verdict, known.verdict) == (Verdict.PASS, Verdict.PASS)
    assert known.measurement.samples == 5


def test_a_platform_that_bears_less_than_is_asked_fails(tmp_path):
    rate, known = searched(tmp_path, (100, fine), (150, failing), (125, fine), (125, fine))
    assert (rate.verdict, known.verdict) == (Verdict.FAIL, Verdict.PASS)
    assert rate.measurement.interval == Interval(125, 150)


def test_what_a_starved_meter_saw_is_neither_a_failure_nor_a_capacity(tmp_path):
    rate, known = searched(tmp_path, (100, fine), (225, fine), (300, starved), (300, starved))
    assert (rate.verdict, known.verdict) == (Verdict.INCONCLUSIVE, Verdict.INCONCLUSIVE)
    assert "the machine that makes the load was the limit" in known.reason


def test_a_search_that_ran_out_of_time_or_found_nothing_is_not_known(tmp_path):
    rate, known = searched(tmp_path / "time", (100, fine), (225, fine), ended="performance.longest ended the search")
    assert rate.verdict is Verdict.PASS
    assert "performance.longest" in known.reason
    rate, known = searched(tmp_path / "none", (100, failing), (66, failing))
    assert (rate.verdict, known.verdict) == (Verdict.FAIL, Verdict.INCONCLUSIVE)
    assert "no rate down to 66" in known.reason
