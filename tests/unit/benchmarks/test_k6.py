"""What users have where every latency is known, and how a load is held against it."""

from __future__ import annotations

import dataclasses
import socket
from pathlib import Path

import numpy as np
import pytest

from benchmarks.peers import k6, known
from benchmarks.peers.k6_lab import Server
from benchmarks.peers.k6_loads import Asked, K6Load
from benchmarks.peers.k6_trial import Trial, off, reached, shortfall

SCHEDULE = known.Schedule(start_s=100.0, rate_hz=10.0, length_s=2.0)
RIGHT = Trial(
    tool="Drillbook", rate_hz=400, on_time=0.999, came_hz=400, unsent=0, cores=0.2,
    quantiles_s=(0.005, 0.5, 0.6), truth_s=(0.005, 0.5, 0.6), server_late_s=0.001,
)  # fmt: skip


def test_who_comes_in_a_stall_waits_for_its_end_and_then_as_long_as_usual() -> None:
    behaviour = known.Behaviour((0.01, 0.02), (known.Stall(0.5, 0.25),))
    waits_s = known.latencies_s(SCHEDULE, behaviour, first_s=100.0)
    assert waits_s[:9] == pytest.approx([0.01, 0.02, 0.01, 0.02, 0.01, 0.02 + 0.25, 0.01 + 0.15, 0.02 + 0.05, 0.01])


def test_stalls_are_timed_from_the_first_request_that_the_server_saw() -> None:
    behaviour = known.Behaviour((0.01,), (known.Stall(0.5, 0.1),))
    waits_s = known.latencies_s(SCHEDULE, behaviour, first_s=100.05)
    assert np.flatnonzero(waits_s > 0.01).tolist() == [6]


def test_latencies_have_the_quantiles_of_their_distribution() -> None:
    found = known.quantiles_s(np.array(known.lognormal(0.005, 0.6, 10_000, seed=1)))
    # exp(0.6 z) with z = 2.3263 and 3.0902, the normal distribution's 99 and 99.9 % quantiles.
    assert found == pytest.approx((0.005, 0.005 * 4.0385, 0.005 * 6.3860), rel=0.01)


def test_a_quantile_is_one_of_the_values() -> None:
    assert known.quantiles_s(np.arange(1, 1001) / 1000) == pytest.approx((0.5, 0.99, 0.999))


@pytest.mark.parametrize(
    ("late_s", "share"),
    [
        (np.zeros(20), 1.0),
        (np.full(20, 0.004), 1.0),
        (np.full(20, 0.006), 0.0),
        (np.where(np.arange(20) < 5, 0.05, 0.0), 0.75),
        (np.full(20, -0.002), 0.0),
    ],
)
def test_in_time_is_what_reaches_the_server_within_5_ms_of_due(late_s: np.ndarray, share: float) -> None:
    assert known.on_time(SCHEDULE, SCHEDULE.due_s() + late_s) == pytest.approx(share)


def test_what_was_not_sent_is_not_in_time_and_delays_nothing_else() -> None:
    assert known.on_time(SCHEDULE, np.delete(SCHEDULE.due_s(), [3, 4])) == pytest.approx(0.9)


def test_requests_that_come_all_at_once_keep_no_schedule() -> None:
    quick = known.Schedule(100.0, 1000.0, 0.1)
    assert known.on_time(quick, np.full(100, 100.1)) == pytest.approx(0.05, abs=0.011)


def test_the_rate_reached_is_the_last_before_the_first_that_was_not_kept() -> None:
    ladder = [
        dataclasses.replace(RIGHT, rate_hz=rate_hz, on_time=on_time)
        for rate_hz, on_time in ((500, 1.0), (1000, 0.99), (2000, 0.98), (3000, 1.0))
    ]
    best = reached(ladder)
    assert best is not None
    assert best.rate_hz == 1000
    assert reached(ladder[2:]) is None
    assert reached([dataclasses.replace(RIGHT, on_time=None)]) is None


@pytest.mark.parametrize(
    ("told_s", "true_s", "wrong"),
    [(0.007, 0.005, False), (0.0071, 0.005, True), (0.524, 0.5, False), (0.526, 0.5, True), (0.02, 0.5, True),
     (float("nan"), 0.5, True), (float("inf"), 0.5, True)],
)  # fmt: skip
def test_a_quantile_is_right_within_5_percent_or_2_ms(told_s: float, true_s: float, *, wrong: bool) -> None:
    assert off(told_s, true_s) is wrong


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({}, ""),
        ({"server_late_s": 0.006}, "the server itself was 6.0 ms late"),
        ({"on_time": 0.98}, "98.00% of 400 requests a second were in time"),
        ({"on_time": None}, "no schedule"),
        ({"quantiles_s": (0.005, 0.02, 0.6)}, "p99 was told as 20.0 ms where users had 500.0 ms"),
    ],
)
def test_the_target_is_missed_for_a_reason(wrong: dict[str, object], why: str) -> None:
    found = shortfall(dataclasses.replace(RIGHT, **wrong))
    assert why in found
    assert bool(found) == bool(why)


def test_medians_are_told_with_ratios_to_the_truth_and_to_ours() -> None:
    closed = dataclasses.replace(RIGHT, tool="k6, closed", on_time=None, quantiles_s=(0.005, 0.02, 0.6))
    rows = k6.latency_rows([RIGHT, closed, RIGHT, closed])
    assert [row["tool"] for row in rows] == ["Drillbook", "k6, closed"]
    assert rows[1]["p99"]["told_to_true"] == pytest.approx(0.04)
    assert rows[1]["p99"]["worst_error_ms"] == pytest.approx(480)
    fast = dataclasses.replace(RIGHT, tool="k6, open", rate_hz=4000, cores=0.5)
    rates = k6.rate_rows([[RIGHT], [fast], [RIGHT], [dataclasses.replace(fast, on_time=0.5)]])
    assert [(row["reached_hz"], row["hz_per_core"]) for row in rates] == [(400, 2000), (2000, 8000)]
    text = k6.told(rows, rates)
    assert "0.04" in text
    assert "5.0x" in text
    assert "4.0x" in text


def test_k6_tells_nobody_of_its_runs_and_fetches_nothing() -> None:
    load = K6Load("k6, open", Path("/k6"), "open")
    asked = Asked("http://127.0.0.1:1", 10, 1, 5, Path("/nowhere"))
    assert "--no-usage-report" in load.command(asked)
    settings = load.settings(asked)
    assert settings["K6_AUTO_EXTENSION_RESOLUTION"] == "false"
    assert {name for name in settings if name.startswith("K6_")} == {"K6_AUTO_EXTENSION_RESOLUTION"}
    assert settings["HOME"] == "/nowhere"


def test_no_load_is_made_where_there_is_a_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "if_nameindex", lambda: [(1, "lo"), (2, "eth0")])
    with pytest.raises(RuntimeError, match="nothing but loopback"), Server(Path("/nowhere")):
        pass
