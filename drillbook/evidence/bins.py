"""The few hundred figures that a plot needs of millions of requests, and the few that a table does."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from drillbook.domain.measurement import Window
    from drillbook.domain.traffic import Origin
    from drillbook.evidence.traffic import Codes, Floats, Traffic

_NICE = (1.0, 2.0, 5.0)


@dataclass(frozen=True, slots=True)
class OriginBins:
    """The answers of one release in one slot, by bin.

    Attributes:
        origin: Which.
        ok: Right answers.
        bad: Everything else.
        p50_s: Median latency of the right answers, by bin; NaN where there were none.
        p99_s: 99th percentile, likewise.
    """

    origin: Origin
    ok: Codes
    bad: Codes
    p50_s: Floats
    p99_s: Floats


@dataclass(frozen=True, slots=True)
class Bins:
    """A stretch of traffic cut into equal bins.

    Attributes:
        start_s: Where the first begins, seconds since the epoch.
        width_s: Seconds of each.
        count: How many.
        origins: By who answered; no answer comes last.
        failures: Failed requests by bin, by who sent them: the meter on new connections, on reused ones, the users.
    """

    start_s: float
    width_s: float
    count: int
    origins: tuple[OriginBins, ...]
    failures: tuple[tuple[str, Codes], ...]


@dataclass(frozen=True, slots=True)
class Tally:
    """A row of the table beside the plot.

    Attributes:
        origin: Who answered.
        total: Requests.
        ok: Right answers.
        outcomes: The others by outcome, largest first.
        new_bad: Failed ones of the meter on new connections.
        reused_bad: Likewise on reused ones.
        p50_s: Median latency of the right answers; NaN without any.
        p99_s: 99th percentile.
    """

    origin: Origin
    total: int
    ok: int
    outcomes: tuple[tuple[str, int], ...]
    new_bad: int
    reused_bad: int
    p50_s: float
    p99_s: float


def binned(traffic: Traffic, window: Window, most: int) -> Bins:
    """Cut a window into at most so many bins of a round width."""
    width_s = round_width(max(window.length_s, 0.001) / most)
    count = max(1, math.ceil(window.length_s / width_s))
    inside = (traffic.due_s >= window.start_s) & (traffic.due_s < window.start_s + count * width_s)
    bin_ = ((traffic.due_s[inside] - window.start_s) / width_s).astype(np.int32).clip(0, count - 1)
    origin, ok = traffic.origin[inside], traffic.ok[inside]
    latency_s, metered = traffic.latency_s[inside], traffic.metered[inside]
    cell = origin * count + bin_
    cells = len(traffic.origins) * count
    good = np.bincount(cell[ok], minlength=cells).reshape(-1, count).astype(np.int32)
    bad = np.bincount(cell[~ok], minlength=cells).reshape(-1, count).astype(np.int32)
    timed = ok & np.isfinite(latency_s)
    p50, p99 = _quantiles(cell[timed], latency_s[timed], cells, (0.5, 0.99))
    series = [
        OriginBins(found, good[index], bad[index], p50[index * count :][:count], p99[index * count :][:count])
        for index, found in enumerate(traffic.origins)
        if good[index].any() or bad[index].any()
    ]
    reused = traffic.reused[inside]
    groups = (("new", metered & ~reused), ("reused", metered & reused), ("users", ~metered))
    failures = tuple(
        (name, np.bincount(bin_[which & ~ok], minlength=count).astype(np.int32))
        for name, which in groups
        if which.any()
    )
    return Bins(window.start_s, width_s, count, tuple(series), failures)


def tallies(traffic: Traffic) -> tuple[Tally, ...]:
    """One row for each release that answered, and one for no answer."""
    ok = traffic.ok
    rows: list[Tally] = []
    for index, origin in enumerate(traffic.origins):
        mine = traffic.origin == index
        good = mine & ok
        bad = mine & ~ok
        if not mine.any():
            continue
        counts = np.bincount(traffic.outcome[bad], minlength=len(traffic.outcomes))
        outcomes = sorted(
            ((name, int(counts[code])) for code, name in enumerate(traffic.outcomes) if counts[code]),
            key=lambda pair: (-pair[1], pair[0]),
        )
        latency_s = traffic.latency_s[good]
        p50, p99 = _quantiles(np.zeros(len(latency_s), np.int32), latency_s, 1, (0.5, 0.99))
        rows.append(
            Tally(
                origin, int(mine.sum()), int(good.sum()), tuple(outcomes),
                int((bad & traffic.metered & ~traffic.reused).sum()),
                int((bad & traffic.metered & traffic.reused).sum()),
                float(p50[0]), float(p99[0]),
            )
        )  # fmt: skip
    return tuple(rows)


def round_width(at_least: float) -> float:
    """The next number of 1, 2 or 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(at_least))
    return next((factor * power for factor in _NICE if factor * power >= at_least * (1 - 1e-9)), 10 * power)


def _quantiles(cell: Codes, value: Floats, cells: int, shares: Sequence[float]) -> list[Floats]:
    """Of the values in each cell, the smallest that so large a share does not exceed; NaN for an empty cell."""
    order = np.lexsort((value, cell))
    ordered, cell = value[order], cell[order]
    first = np.searchsorted(cell, np.arange(cells))
    size = np.append(first[1:], len(cell)) - first
    found: list[Floats] = []
    for share in shares:
        rank = np.ceil(share * size).astype(np.int64).clip(1) - 1
        result = np.full(cells, np.nan)
        full = size > 0
        result[full] = ordered[(first + rank)[full]]
        found.append(result)
    return found
