from __future__ import annotations

import math

import numpy as np
import pytest

from tests.unit.domain.rows import NO_STALLS, requests, stalls

NAN = math.nan


def test_stalls_merge_in_any_order():
    merged = stalls((5, 6), (1, 3), (2, 4), (4, 4.5))
    assert merged.start_s.tolist() == [1, 5]
    assert merged.end_s.tolist() == [4.5, 6]


@pytest.mark.parametrize(
    ("start", "end", "slept"),
    [(0, 1, 0), (0, 10, 4.5), (2, 3, 1), (3, 5.5, 2), (4.5, 5, 0), (5.5, 5.6, 0.1), (6, 9, 0)],
)
def test_time_slept_within(start, end, slept):
    found = stalls((1, 4.5), (5, 6)).within(np.array([start], dtype=float), np.array([end], dtype=float))
    assert found[0] == pytest.approx(slept)


def test_no_stalls_no_sleep():
    assert NO_STALLS.within(np.array([0.0, NAN]), np.array([5.0, 1.0])).tolist()[0] == 0
    assert math.isnan(NO_STALLS.within(np.array([NAN]), np.array([1.0]))[0])


def test_only_failures_that_sleep_can_explain_are_in_doubt():
    rows = requests(
        (0.0, 0.0, 5.0, "timeout"),  # slept for two of its five seconds
        (0.0, 0.0, 5.0, "server_error"),  # the system said so
        (3.5, 3.5, 8.5, "timeout"),  # slept not at all
        (3.0, NAN, NAN, "unsent"),  # due right after a sleep
        (0.95, NAN, NAN, "unsent"),  # due right before one, which kept it from being sent
        (9.0, NAN, NAN, "unsent"),  # long after
        (1.5, 1.5, 2.5, "ok"),
        (9.0, NAN, NAN, "unable"),  # whether we slept or not
    )
    assert rows.doubtful(stalls((1, 3))).tolist() == [True, False, False, True, True, False, False, True]


def test_failures_take_for_ever_and_windows_are_half_open():
    rows = requests((0, 0, 1, "ok"), (1, 1, 2, "reset"), (2, NAN, NAN, "unsent"))
    assert rows.latency_s().tolist() == [1, math.inf, math.inf]
    assert rows.due_within(0, 2).due_s.tolist() == [0, 1]
    assert len(rows) == 3
