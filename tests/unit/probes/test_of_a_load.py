"""Probes over a load's files, made up; each defect of the data has to make the verdict inconclusive."""

from __future__ import annotations

import json
import math

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from drillbook.domain.interval import Interval
from drillbook.domain.measurement import Window
from drillbook.domain.traffic import Connection
from drillbook.domain.verdict import Objective, Verdict, judge
from probes import availability, downtime, integrity, latency, serving

RATE_HZ = 100
WINDOW = Window(10.0, 20.0)
NO_FAILURE = Objective("o", "nothing fails", "at_most", 0, "requests")
NO_OUTAGE = Objective("o", "no outage", "at_most", 0.05, "s")


def columns(seconds=30.0, rate_hz=RATE_HZ):
    """Ten milliseconds a request, by turns on new and reused connections, version 1 and from 15 s on version 2."""
    count = int(seconds * rate_hz * 2)
    due = np.arange(count) / (2 * rate_hz)
    return {
        "due_s": due,
        "sent_s": due.copy(),
        "done_s": due + 0.01,
        "outcome": np.full(count, "ok", dtype=object),
        "status": np.full(count, 200, dtype=np.int16),
        "connection": np.where(np.arange(count) % 2 == 0, "new", "reused").astype(object),
        "kind": np.full(count, "meter", dtype=object),
        "region": np.full(count, "us-east-1", dtype=object),
        "slot": np.where(due < 15, "blue", "green").astype(object),
        "version": np.where(due < 15, "1", "2").astype(object),
    }


def fail(table, start_s, end_s, outcome="server_error"):
    table["outcome"][(table["due_s"] >= start_s) & (table["due_s"] < end_s)] = outcome


@pytest.fixture
def drill(tmp_path):
    """Writes a load's files and answers the drill's folder."""

    def write(table, stalls=(), phase="done", ledger=(), readback=()):
        folder = tmp_path / "cutover" / "load"
        folder.mkdir(parents=True)
        (folder / "plan.json").write_text(json.dumps({"meter": {"rate_hz": RATE_HZ}}))
        (folder / "state.json").write_text(json.dumps({"phase": phase}))
        pq.write_table(pa.table(table), folder / "requests.parquet")
        starts, ends = [start for start, _ in stalls], [end for _, end in stalls]
        windows = {
            "start_s": np.array(starts, float),
            "end_s": np.array(ends, float),
            "seen_by": ["scheduler"] * len(starts),
        }
        pq.write_table(pa.table(windows), folder / "stalls.parquet")
        if ledger:
            pq.write_table(pa.Table.from_pylist(list(ledger)), folder / "ledger.parquet")
        if readback:
            pq.write_table(pa.Table.from_pylist(list(readback)), folder / "readback.parquet")
        return folder.parent

    return write


def test_a_clean_window_passes(drill):
    path = drill(columns())
    for connection in Connection:
        assert judge(NO_FAILURE, downtime.failed_requests(path, WINDOW, connection)).verdict is Verdict.PASS
        assert judge(NO_OUTAGE, downtime.downtime(path, WINDOW, connection)).verdict is Verdict.PASS
        assert availability.availability(path, WINDOW, connection).interval.high == 1
        assert availability.availability_by_time(path, WINDOW, connection).interval == Interval(1, 1)
    assert latency.latency_quantile(path, WINDOW).interval.high == pytest.approx(0.01)
    measurement = downtime.failed_requests(path, WINDOW)
    assert measurement.samples == 2000
    assert measurement.evidence[0] == "drills/cutover/load/requests.parquet"


def test_one_failure_is_a_failure(drill):
    table = columns()
    fail(table, 12.0, 12.001)
    path = drill(table)
    assert judge(NO_FAILURE, downtime.failed_requests(path, WINDOW)).verdict is Verdict.FAIL
    assert downtime.failed_requests(path, WINDOW, Connection.REUSED).interval == Interval(0, 0)


def test_an_outage_is_measured_and_recovered_from(drill):
    table = columns()
    fail(table, 12.0, 14.0, "refused")
    path = drill(table)
    seen = downtime.downtime(path, WINDOW, Connection.NEW).interval
    assert seen.low == pytest.approx(1.98)
    assert seen.high == pytest.approx(2.02)
    recovered = downtime.recovery(path, Window(12.0, 20.0), Connection.NEW).interval
    assert recovered.low == pytest.approx(1.99)
    assert recovered.high == pytest.approx(2.01)
    assert availability.availability_by_time(path, WINDOW).interval == Interval(0.8, 0.8)


def hold(table, start_s, end_s):
    """What is sent meanwhile is answered at its end, as by a pooler that was paused."""
    inside = (table["due_s"] >= start_s) & (table["due_s"] < end_s)
    table["done_s"][inside] = end_s + 0.01


def test_requests_that_were_held_are_as_long_an_outage_as_one_of_the_holds(drill):
    table = columns()
    for start_s in (11, 14, 17):
        hold(table, start_s, start_s + 2)
    path = drill(table)
    for connection in Connection:
        assert downtime.downtime(path, WINDOW, connection).interval.high == pytest.approx(2.02, abs=0.02)


@pytest.mark.parametrize("failing", [None, (12.0, 12.01), (15.0, 16.0)])
def test_service_is_good_again_when_the_last_hold_has_ended(drill, failing):
    table = columns()
    hold(table, 14.0, 18.0)
    if failing is not None:
        fail(table, *failing)
    recovered = downtime.recovery(drill(table), Window(12.0, 20.0), Connection.NEW).interval
    assert recovered.high == pytest.approx(6.02, abs=0.02)


def test_late_answers_count_for_the_impatient(drill):
    table = columns()
    late = (table["due_s"] >= 12) & (table["due_s"] < 13)
    table["done_s"][late] = table["due_s"][late] + 1.0
    path = drill(table)
    seen = downtime.downtime(path, WINDOW, Connection.NEW).interval
    assert seen.low == 0
    assert seen.high == pytest.approx(1.01)
    assert downtime.downtime(path, WINDOW, Connection.NEW, patience_s=0.5).interval.low == pytest.approx(0.98)


def test_sleep_of_the_meter_decides_nothing(drill):
    table = columns()
    slept = (table["due_s"] >= 12) & (table["due_s"] < 12.5)
    table["sent_s"][slept] = 12.5
    table["done_s"][slept] = 12.51
    path = drill(table, stalls=[(12.0, 12.5)])
    assert judge(NO_OUTAGE, downtime.downtime(path, WINDOW, Connection.NEW)).verdict is Verdict.INCONCLUSIVE
    assert downtime.downtime(path, WINDOW, Connection.NEW, patience_s=0.1).interval.low == 0
    assert latency.latency_quantile(path, WINDOW).interval.low == pytest.approx(0.01)
    assert latency.latency_quantile(path, WINDOW).interval.high > 0.2


def test_time_outs_in_its_sleep_are_in_doubt(drill):
    table = columns()
    fail(table, 12.0, 12.1, "timeout")
    path = drill(table, stalls=[(11.99, 12.3)])
    assert downtime.failed_requests(path, WINDOW).interval == Interval(0, 20)
    assert judge(NO_FAILURE, downtime.failed_requests(path, WINDOW)).verdict is Verdict.INCONCLUSIVE


def test_a_starved_meter_is_no_witness(drill):
    path = drill(columns(), stalls=[(10 + n / 10, 10 + n / 10 + 0.05) for n in range(100)])
    for measurement in (
        downtime.failed_requests(path, WINDOW),
        availability.availability(path, WINDOW),
        latency.latency_quantile(path, WINDOW),
        serving.answers_by_others(path, WINDOW, "1"),
    ):
        assert "the meter itself did not run for 5.00 s of 10.00 s" in measurement.doubts


def test_missing_rows_are_a_doubt(drill):
    path = drill(columns(seconds=15), phase="running")
    assert "its load ended in phase 'running'" in downtime.failed_requests(path, WINDOW).doubts[0]
    nothing = downtime.failed_requests(path, Window(40, 50))
    assert nothing.interval is None
    assert nothing.doubts


def with_users_beside(table, **changes):
    """Twenty analysts' answers a second apart from the meter's, on connections that are reused."""
    count = 20
    due = 10.25 + np.arange(count) / 4
    users = {
        **{name: np.full(count, column[0], dtype=column.dtype) for name, column in table.items()},
        "due_s": due, "sent_s": due, "done_s": due + 0.01, "kind": np.full(count, "analyst", dtype=object),
        "connection": np.full(count, "reused", dtype=object),
    }  # fmt: skip
    users |= {name: np.full(count, value, dtype=table[name].dtype) for name, value in changes.items()}
    return {name: np.concatenate([column, users[name]]) for name, column in table.items()}


def test_what_users_beside_the_meter_are_answered_counts(drill):
    folder = drill(with_users_beside(columns(), version="bad", outcome="wrong_answer"))
    assert downtime.failed_requests(folder, WINDOW).interval == Interval(20, 20)
    assert downtime.failed_requests(folder, WINDOW, Connection.REUSED).interval == Interval(20, 20)
    assert downtime.failed_requests(folder, WINDOW, Connection.NEW).interval == Interval(0, 0)
    assert serving.answers_by_others(folder, Window(10, 14), "1").interval.low == 15
    exposed = serving.bad_version_exposure(folder, WINDOW, "bad", flaw="errors").interval
    assert exposed.low == pytest.approx(4.75)
    assert serving.version_serving_after(folder, Window(5, 14), "1").interval.low == pytest.approx(8.75)


def test_users_beside_the_meter_who_had_no_answer_are_the_meters_to_tell_of(drill):
    folder = drill(with_users_beside(columns(), version="", outcome="cancelled", status=0))
    assert downtime.failed_requests(folder, WINDOW).interval == Interval(0, 0)
    assert serving.answers_by_others(folder, Window(10, 14), "1").interval == Interval(0, 0)


@pytest.mark.parametrize(("gone_s", "passes"), [(0.0, True), (0.15, False)], ids=["none", "as long as is no doubt yet"])
@pytest.mark.parametrize("at_s", [12.0, 19.85], ids=["in the middle", "at the end"])
def test_what_was_due_and_has_no_row_may_have_failed(drill, gone_s, passes, at_s):
    table = columns()
    kept = (table["due_s"] < at_s) | (table["due_s"] >= at_s + gone_s)
    folder = drill({name: column[kept] for name, column in table.items()})
    found = downtime.failed_requests(folder, WINDOW)
    assert not found.doubts
    assert found.interval.low == 0
    assert (judge(NO_FAILURE, found).verdict is Verdict.PASS) is passes


def test_too_few_for_a_quantile(drill):
    path = drill(columns())
    assert "too few" in latency.latency_quantile(path, Window(10, 10.5), Connection.NEW).doubts[0]
    assert latency.latency_quantile(path, WINDOW, version="2").samples == 1000


def test_who_serves(drill):
    table = columns()
    fail(table, 16.0, 18.0)
    path = drill(table)
    switch = serving.version_serving_after(path, Window(10.0, 16.0), "2").interval
    assert switch.low == pytest.approx(4.995)
    assert switch.high == pytest.approx(5.01)
    assert serving.version_serving_after(path, WINDOW, "1").interval == Interval(10, math.inf)
    assert serving.answers_by_others(path, Window(16, 20), "2").interval == Interval(0, 0)
    exposure = serving.bad_version_exposure(path, WINDOW, "2", flaw="errors").interval
    assert exposure.low == pytest.approx(1.995)
    assert exposure.high == pytest.approx(2.015)
    assert serving.bad_version_exposure(path, WINDOW, "2", flaw="latency").interval.low == pytest.approx(4.995)
    assert serving.bad_version_exposure(path, WINDOW, "1", flaw="errors").interval.low == pytest.approx(4.995)
    missing = serving.bad_version_exposure(path, WINDOW, "3", flaw="errors")
    assert missing.doubts == ("version 3 gave no answer in the window",)


@pytest.mark.parametrize("outcome", ["server_error", "wrong_answer", "timeout"])
def test_a_release_that_fails_requests_does_not_answer_them(drill, outcome):
    table = columns()
    fail(table, 17.0, 18.0, outcome)
    if outcome == "timeout":
        table["version"][table["outcome"] == outcome] = ""
    switch = serving.version_serving_after(drill(table), WINDOW, "2")
    assert switch.interval.low == pytest.approx(7.995)
    assert switch.interval.high == pytest.approx(8.01)
    assert "200 of them failed" in switch.name


def test_a_release_that_fails_to_the_end_took_longer_than_was_looked(drill):
    table = columns()
    fail(table, 16.0, 30.0, "timeout")
    table["version"][table["outcome"] == "timeout"] = ""
    path = drill(table)
    assert serving.version_serving_after(path, WINDOW, "2").interval == Interval(10, math.inf)
    assert serving.version_serving_after(path, Window(16.0, 20.0), "2").samples == 800


def test_what_may_be_the_meters_own_doing_says_neither_that_a_release_answers_nor_that_it_does_not(drill):
    table = columns()
    fail(table, 17.0, 17.1, "timeout")
    fail(table, 18.0, 18.1, "unable")
    table["version"][table["outcome"] != "ok"] = ""
    never = table["outcome"] == "unable"
    table["sent_s"][never] = table["done_s"][never] = math.nan
    switch = serving.version_serving_after(drill(table, stalls=[(16.99, 17.3)]), WINDOW, "2").interval
    assert switch.low == pytest.approx(4.995)
    assert switch.high == pytest.approx(8.11)


def unsent_from_17():
    """For 0.3 s."""
    table = columns()
    fail(table, 17.0, 17.3, "unsent")
    unsent = table["outcome"] == "unsent"
    table["version"][unsent] = ""
    table["sent_s"][unsent] = table["done_s"][unsent] = math.nan
    return table


def test_what_the_meter_itself_slept_through_was_for_nobody_to_answer(drill):
    table = unsent_from_17()
    folder = drill(table, stalls=[(17.0, 17.3)])
    assert serving.version_serving_after(folder, WINDOW, "2").interval.high == pytest.approx(5.01)


def test_what_was_held_back_since_too_much_was_unanswered_was_not_answered(drill):
    table = unsent_from_17()
    assert serving.version_serving_after(drill(table), WINDOW, "2").interval.low == pytest.approx(7.295)


def unnamed(table, every, start_s, end_s, outcome):
    """Some requests of a stretch failed, and no release put its name to that."""
    number = np.arange(len(table["due_s"]))
    some = (number % every == 0) & (table["due_s"] >= start_s) & (table["due_s"] < end_s)
    table["outcome"][some] = outcome
    for column in ("version", "slot", "region"):
        table[column][some] = ""


@pytest.mark.parametrize("outcome", ["server_error", "timeout", "reset"])
def test_users_may_have_had_bad_answers_for_as_long_as_requests_failed_and_named_no_release(drill, outcome):
    table = columns(seconds=300.0)
    back = table["due_s"] >= 215
    table["version"][back] = "1"
    fail(table, 15.0, 17.0)
    unnamed(table, 5, 17.0, 215.0, outcome)
    path, window = drill(table), Window(0.0, 290.0)
    found = serving.bad_version_exposure(path, window, "2", flaw="errors", reached_s=15.0)
    assert found.interval.low == pytest.approx(1.995)
    assert found.interval.high == pytest.approx(200.0, abs=0.1)
    within = Objective("o", "the last bad answer comes at most 120 s after the first", "at_most", 120, "s")
    assert judge(within, found).verdict is Verdict.INCONCLUSIVE
    assert "failures that name no release" in found.name
    later = serving.bad_version_exposure(path, window, "2", flaw="errors", reached_s=280.0)
    assert judge(within, later).verdict is Verdict.PASS


def test_what_the_meter_itself_slept_through_was_no_bad_answer_and_what_was_held_back_may_be_one(drill):
    table = columns()
    fail(table, 15.0, 17.0)
    for start_s in (19.0, 25.0):
        unsent = (table["due_s"] >= start_s) & (table["due_s"] < start_s + 0.2)
        table["outcome"][unsent], table["version"][unsent] = "unsent", ""
        table["sent_s"][unsent] = table["done_s"][unsent] = math.nan
    path = drill(table, stalls=[(25.0, 25.2)])
    found = serving.bad_version_exposure(path, Window(10.0, 29.0), "2", flaw="errors", reached_s=15.0).interval
    assert found.high == pytest.approx(19.2 + 0.02 - 15.0, abs=0.02)


def entry(key, state="acknowledged", due_s=12.0, version="1"):
    return {
        "key": key, "due_s": due_s, "sent_s": due_s, "done_s": due_s + 0.01, "state": state, "version": version,
    }  # fmt: skip


def look_up(key, copies=1, error=""):
    return {"key": key, "found": copies > 0, "copies": copies, "equal": copies > 0, "checked_s": 30.0, "error": error}


def test_the_ledger(drill):
    path = drill(
        columns(),
        ledger=[
            entry("a"),
            entry("b"),
            entry("c", due_s=5.0),
            entry("d", "indeterminate"),
            entry("e", "refused", math.nan),
        ],
        readback=[look_up("a"), look_up("b", copies=0), look_up("c", copies=2), look_up("d", error="timeout")],
    )
    assert integrity.acknowledged_events_lost(path).interval == Interval(1, 1)
    assert integrity.events_duplicated(path).interval == Interval(1, 2)
    assert integrity.ledger(path).unclear == ("d",)
    assert integrity.acknowledged_events_lost(path).evidence == (
        "drills/cutover/load/ledger.parquet",
        "drills/cutover/load/readback.parquet",
    )


def test_what_a_release_acknowledged_is_its_own_whenever_that_was(drill):
    path = drill(
        columns(),
        ledger=[
            entry("a", due_s=5.0), entry("b", version="2"), entry("c", version="2", due_s=25.0), entry("d", due_s=26.0),
        ],
        readback=[look_up("a", copies=0), look_up("b"), look_up("c", copies=0), look_up("d")],
    )  # fmt: skip
    lost = integrity.acknowledged_events_lost(path, "2")
    assert (lost.interval, lost.samples) == (Interval(1, 1), 2)
    assert (lost.window.start_s, lost.window.end_s) == pytest.approx((12.0, 25.0))
    assert integrity.acknowledged_events_lost(path).interval == Interval(2, 2)


def test_of_a_release_that_acknowledged_nothing_nothing_is_shown(drill):
    path = drill(columns(), ledger=[entry("a")], readback=[look_up("a")])
    none_lost = Objective("o", "nothing is lost", "at_most", 0, "events")
    assert judge(none_lost, integrity.acknowledged_events_lost(path, "2")).verdict is Verdict.INCONCLUSIVE


def test_a_ledger_that_was_not_read_back(drill):
    path = drill(columns(), phase="stopping", ledger=[entry("a")])
    assert integrity.acknowledged_events_lost(path).interval is None
    assert "was not read back" in integrity.acknowledged_events_lost(path).doubts[0]


def test_no_ledger_is_no_data(drill):
    lost = Objective("o", "nothing is lost", "at_most", 0, "events")
    assert judge(lost, integrity.acknowledged_events_lost(drill(columns()))).verdict is Verdict.INCONCLUSIVE


def test_many_batches_of_rows_are_judged(drill):
    table = columns(seconds=1000)
    fail(table, 500, 502, "refused")
    path = drill(table)
    window = Window(0.0, 1000.0)
    assert downtime.downtime(path, window, Connection.NEW).interval.low == pytest.approx(1.98)
    assert availability.availability(path, window).samples == 200_000
    assert latency.latency_quantile(path, window).interval.high == pytest.approx(0.01)
    assert serving.version_serving_after(path, window, "2").interval.low == pytest.approx(501.995)
