"""What a load has to find where every latency is known: from its schedule, and from what the server was told to do."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

ON_TIME_S = 0.005
QUANTILES = (0.5, 0.99, 0.999)
_EARLY_S = 0.001


@dataclass(frozen=True, slots=True)
class Stall:
    """A time in which nothing is answered; who asks in it waits for its end, and then as long as usual.

    Attributes:
        after_s: From the first request on.
        length_s: How long.
    """

    after_s: float
    length_s: float


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What the server is told.

    Attributes:
        latencies_s: Answers take these in turn.
        stalls: In order of time.
    """

    latencies_s: tuple[float, ...]
    stalls: tuple[Stall, ...] = ()


@dataclass(frozen=True, slots=True)
class Schedule:
    """Requests at a constant rate.

    Attributes:
        start_s: When the first is due, in seconds since the epoch.
        rate_hz: So many a second.
        length_s: For so long.
    """

    start_s: float
    rate_hz: float
    length_s: float

    def due_s(self) -> Floats:
        """When each is due."""
        return self.start_s + np.arange(round(self.rate_hz * self.length_s)) / self.rate_hz


def lognormal(median_s: float, spread: float, number: int, seed: int) -> tuple[float, ...]:
    """Latencies with exactly the quantiles of a log-normal distribution, in an order that is always the same.

    Args:
        median_s: Half are shorter.
        spread: Standard deviation of their logarithm.
        number: So many.
        seed: Of the order.
    """
    normal = statistics.NormalDist()
    steps = [normal.inv_cdf((place + 0.5) / number) for place in range(number)]
    ordered = median_s * np.exp(spread * np.array(steps))
    return tuple(np.random.default_rng(seed).permutation(ordered).tolist())


def latencies_s(schedule: Schedule, behaviour: Behaviour, first_s: float) -> Floats:
    """What users who come at these times wait for their answers.

    Args:
        schedule: When they come.
        behaviour: Of the server.
        first_s: When the server saw its first request, from which stalls are timed.
    """
    due_s = schedule.due_s()
    waits_s = np.resize(np.array(behaviour.latencies_s), len(due_s))
    for stall in behaviour.stalls:
        begin_s = first_s + stall.after_s
        caught = (due_s >= begin_s) & (due_s < begin_s + stall.length_s)
        waits_s[caught] += begin_s + stall.length_s - due_s[caught]
    return waits_s


def quantiles_s(waits_s: Floats) -> tuple[float, ...]:
    """Of `QUANTILES`, each one of the values: with n of them, the one that a share q does not exceed."""
    return tuple(np.quantile(waits_s, QUANTILES, method="inverted_cdf").tolist())


def on_time(schedule: Schedule, came_s: Sequence[float] | Floats) -> float:
    """Share of what was due for which a request of its own reached the server within 5 ms.

    By what the server saw, whatever the load says of itself. What came late is nobody's: each request serves the
    earliest that it is in time for.
    """
    due_s = schedule.due_s()
    arrivals = iter(np.sort(np.asarray(came_s)))
    served, came = 0, next(arrivals, None)
    for due in due_s:
        while came is not None and came < due - _EARLY_S:
            came = next(arrivals, None)
        if came is not None and came <= due + ON_TIME_S:
            served += 1
            came = next(arrivals, None)
    return served / len(due_s)
