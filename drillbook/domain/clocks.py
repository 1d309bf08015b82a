"""What time it is here when another machine's clock says so: an offset with its uncertainty.

A server that is asked for its time answers some time between our question and its reply, so each exchange bounds how
far its clock is ahead of ours: at least the time told less the reply's, at most the time told less the question's. NTP
intersects such bounds of many clocks (RFC 5905, 11.2.1); here it is many exchanges with one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from drillbook.domain.interval import Interval

if TYPE_CHECKING:
    from collections.abc import Sequence

DRIFT = 500e-6
"""Seconds a second that two clocks may drift apart: the most that NTP corrects (MAXFREQ, RFC 5905, A.1.1)."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """One question for the time.

    Attributes:
        asked_s: When it was asked, on our clock.
        told_s: The answer, on theirs.
        answered_s: When it was here, on our clock.
    """

    asked_s: float
    told_s: float
    answered_s: float


class ClockStepped(ValueError):
    """No single offset explains all that a clock said: somebody set it."""


def offset(exchanges: Sequence[Exchange], at_s: float, drift: float = DRIFT) -> Interval:
    """Seconds by which their clock is ahead of ours at a moment of ours.

    Args:
        exchanges: At least one, near the moment.
        at_s: The moment, on our clock.
        drift: Seconds a second that the clocks may drift apart between an exchange and the moment.

    Raises:
        ClockStepped: When the exchanges contradict each other.
        ValueError: Without an exchange.
    """
    if not exchanges:
        raise ValueError("a clock's offset needs at least one exchange with it, and there is none")
    bounds = [_bound(exchange, at_s, drift) for exchange in exchanges]
    low, high = max(bound.low for bound in bounds), min(bound.high for bound in bounds)
    if low > high:
        raise ClockStepped(
            f"the other clock was at least {low:g} s ahead of ours by one exchange and at most {high:g} s by another: "
            "it was set in between, so nothing it says can be placed on our clock"
        )
    return Interval(low, high)


def ours(theirs: Interval, ahead: Interval) -> Interval:
    """A moment told by their clock, on ours."""
    return theirs.since(ahead)


def _bound(exchange: Exchange, at_s: float, drift: float) -> Interval:
    away_s = max(abs(at_s - exchange.asked_s), abs(at_s - exchange.answered_s))
    seen = Interval(exchange.told_s - exchange.answered_s, exchange.told_s - exchange.asked_s)
    return seen.widened(drift * away_s)
