"""Availability and latency of a window of requests."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from drillbook.domain.interval import Interval
from drillbook.domain.statistics import quantile_ranks, share

if TYPE_CHECKING:
    from drillbook.domain.requests import Flags, Floats, Requests, Stalls


def of_requests(failed: Flags, doubtful: Flags) -> Interval:
    """Share of good requests at 95 % confidence; the doubtful failures are good for the upper bound only."""
    trials = len(failed)
    every, certain = int(np.count_nonzero(failed)), int(np.count_nonzero(failed & ~doubtful))
    return Interval(share(trials - every, trials).low, share(trials - certain, trials).high)


def of_time(
    due_s: Floats, failed: Flags, doubtful: Flags, *, start_s: float, end_s: float, slice_s: float
) -> tuple[Interval, int]:
    """Share of time slices in which no request failed, and the number of slices.

    A slice without any request is not known: bad for the lower bound, good for the upper.
    """
    slices = max(1, math.ceil((end_s - start_s) / slice_s - 1e-9))
    inside = (due_s >= start_s) & (due_s < end_s)
    number = np.minimum(((due_s - start_s) / slice_s).astype(np.int64, copy=False), slices - 1)

    def count(of: Flags) -> int:
        return len(np.unique(number[inside & of]))

    unknown = slices - count(np.ones(len(due_s), dtype=np.bool_))
    low = (slices - unknown - count(failed)) / slices
    high = (slices - count(failed & ~doubtful)) / slices
    return Interval(low, high), slices


def latency_quantile(requests: Requests, stalls: Stalls, quantile: float) -> Interval | None:
    """A quantile of the latency from due, in seconds, at 95 % confidence.

    The meter's own sleep within a request may or may not have been the system's time too: only the upper bound has it.
    What failed took for ever. None when there are too few requests for the quantile.
    """
    ranks = quantile_ranks(len(requests), quantile)
    if ranks is None:
        return None
    seen_s = requests.latency_s()
    doubtful = requests.doubtful(stalls)
    slept_s = np.nan_to_num(stalls.within(requests.due_s, requests.done_s), nan=0.0)
    least_s = np.where(doubtful, 0.0, np.maximum(0.0, seen_s - slept_s))
    return Interval(_ranked(least_s, ranks[0]), _ranked(seen_s, ranks[1]))


def _ranked(values: Floats, rank: int) -> float:
    return float(np.partition(values, rank - 1)[rank - 1])
