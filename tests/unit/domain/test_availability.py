from __future__ import annotations

import math

import numpy as np
import pytest

from drillbook.domain import availability
from drillbook.domain.interval import Interval
from drillbook.domain.statistics import share
from tests.unit.domain.rows import NO_STALLS, requests, stalls


def flags(*values):
    return np.array(values, dtype=bool)


def test_doubtful_failures_widen_the_interval():
    failed, doubtful = flags(*[True] * 2, *[False] * 998), flags(True, *[False] * 999)
    interval = availability.of_requests(failed, doubtful)
    assert interval == Interval(share(998, 1000).low, share(999, 1000).high)


def test_slices_are_bad_when_anything_in_them_failed():
    due = np.array([0.1, 0.2, 1.5, 2.5, 9.0])
    failed, doubtful = flags(True, False, True, False, True), flags(False, False, True, False, False)
    interval, slices = availability.of_time(due, failed, doubtful, start_s=0, end_s=4, slice_s=1)
    assert slices == 4
    # The first is bad, the second in doubt, the third good, the fourth without a request.
    assert interval == Interval(0.25, 0.75)


def test_latency_from_rows():
    rows = requests(*[(n, n, n + 0.1 + n / 10_000, "ok") for n in range(1000)])
    interval = availability.latency_quantile(rows, NO_STALLS, 0.5)
    assert interval is not None
    assert interval.low < 0.15 < interval.high
    assert interval.high - interval.low < 0.01


def test_what_failed_took_for_ever_and_sleep_is_only_in_the_upper_bound():
    rows = requests(*[(n, n, n + 0.5, "ok") for n in range(100)], *[(n, n, n + 1, "reset") for n in range(100, 200)])
    asleep = stalls(*[(n + 0.1, n + 0.4) for n in range(100)])
    interval = availability.latency_quantile(rows, asleep, 0.4)
    assert interval is not None
    assert interval.low == pytest.approx(0.2)
    assert interval.high == pytest.approx(0.5)
    late = availability.latency_quantile(rows, asleep, 0.9)
    assert late == Interval(math.inf, math.inf)


def test_too_few_rows():
    assert availability.latency_quantile(requests((0, 0, 1, "ok")), NO_STALLS, 0.99) is None
