"""Shapes of load: how many requests are due by when, whatever becomes of those before; pure arithmetic.

A shape is a rate over time that is straight between its corners. The schedule that follows from it is an open loop:
request number k (from 0) is due where the rate has summed up to k + 1/2, so that in any window as many are due as the
rate sums up to there, to within one. Users who come do not know how those before them fare; a closed loop, in which the
next request waits for the last answer, sends least when it matters most (Schroeder, Wierman and Harchol-Balter, "Open
Versus Closed: A Cautionary Tale", NSDI 2006).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of a shape in which the rate changes evenly, or not at all.

    Attributes:
        length_s: How long; may be infinite where the rate does not change.
        from_hz: Requests a second at its start.
        to_hz: At its end.

    Raises:
        ValueError: When it has no length or a negative rate, or changes for ever.
    """

    length_s: float
    from_hz: float
    to_hz: float

    def __post_init__(self) -> None:
        if not self.length_s > 0 or not self.from_hz >= 0 or not self.to_hz >= 0:
            msg = f"a stretch of load needs a length and rates that are not negative, and got {self}"
            raise ValueError(msg)
        if math.isinf(self.length_s) and self.from_hz != self.to_hz:
            msg = f"a rate cannot change for ever, and got {self}"
            raise ValueError(msg)

    def due_by(self, time_s: float) -> float:
        """Requests due from its start to `time_s` after it, which lies within it."""
        return time_s * (self.from_hz + self._slope * time_s / 2)

    def due_at(self, count: float) -> float:
        """Seconds after its start by which `count` are due, of which it has so many."""
        root = math.sqrt(max(0.0, self.from_hz**2 + 2 * self._slope * count))
        return min(self.length_s, 2 * count / (self.from_hz + root))

    @property
    def requests(self) -> float:
        """All that are due within it."""
        if math.isinf(self.length_s):
            return math.inf if self.from_hz > 0 else 0.0
        return self.length_s * (self.from_hz + self.to_hz) / 2

    @property
    def _slope(self) -> float:
        return (self.to_hz - self.from_hz) / self.length_s


@dataclass(frozen=True, slots=True)
class Shape:
    """A rate over time, of both kinds of connection together.

    Attributes:
        stretches: One after the other; after the last nothing is due.
    """

    stretches: tuple[Stretch, ...]

    @property
    def length_s(self) -> float:
        """Seconds; infinite for a load that goes on until it is told to end."""
        return sum(stretch.length_s for stretch in self.stretches)

    @property
    def highest_hz(self) -> float:
        """The highest rate that it ever has."""
        return max((max(stretch.from_hz, stretch.to_hz) for stretch in self.stretches), default=0.0)

    @property
    def highest(self) -> tuple[float, float]:
        """From when to when, in seconds after its start, it first stays at its highest rate."""
        begun_s = 0.0
        for stretch in self.stretches:
            if stretch.from_hz == stretch.to_hz == self.highest_hz:
                return begun_s, begun_s + stretch.length_s
            begun_s += stretch.length_s
        return begun_s, begun_s

    def due_by(self, time_s: float) -> float:
        """How many are due by `time_s` after its start: the rate summed up; 0 before it."""
        due, left_s = 0.0, time_s
        for stretch in self.stretches:
            if left_s <= 0:
                break
            due += stretch.requests if left_s >= stretch.length_s else stretch.due_by(left_s)
            left_s -= stretch.length_s
        return due

    def due_at(self, number: int) -> float | None:
        """Seconds after its start at which a request is due, counted from 0; None when it has fewer."""
        left, begun_s = number + 0.5, 0.0
        for stretch in self.stretches:
            if left < stretch.requests:
                return begun_s + stretch.due_at(left)
            left -= stretch.requests
            begun_s += stretch.length_s
        return None

    def as_document(self) -> list[dict[str, float | None]]:
        """JSON-compatible; a length that is null is infinite."""
        return [
            {
                "for_s": None if math.isinf(stretch.length_s) else stretch.length_s,
                "from_hz": stretch.from_hz,
                "to_hz": stretch.to_hz,
            }
            for stretch in self.stretches
        ]

    @classmethod
    def from_document(cls, document: Sequence[Mapping[str, Any]]) -> Shape:
        """From what `as_document` made.

        Raises:
            ValueError: When it is no shape.
        """
        try:
            return cls(
                tuple(
                    Stretch(
                        math.inf if part["for_s"] is None else float(part["for_s"]),
                        float(part["from_hz"]),
                        float(part["to_hz"]),
                    )
                    for part in document
                )
            )
        except (KeyError, TypeError) as error:
            msg = f"a stretch of load has for_s, from_hz and to_hz, and got {document!r}"
            raise ValueError(msg) from error


def steady(rate_hz: float, length_s: float = math.inf) -> Shape:
    """The same rate throughout; of hours, a soak."""
    return Shape((Stretch(length_s, rate_hz, rate_hz),))


def ramp(from_hz: float, to_hz: float, within_s: float, hold_s: float) -> Shape:
    """A rate that rises evenly, and stays where it came to."""
    return Shape((Stretch(within_s, from_hz, to_hz), Stretch(hold_s, to_hz, to_hz)))


def spike(usual_hz: float, highest_hz: float, for_s: float, around_s: float) -> Shape:
    """A rate that leaps at once, and falls back at once; `around_s` of the usual one before and after."""
    usual = Stretch(around_s, usual_hz, usual_hz)
    return Shape((usual, Stretch(for_s, highest_hz, highest_hz), usual))


def steps(rates_hz: Sequence[float], each_s: float) -> Shape:
    """One rate after the other, each for as long."""
    return Shape(tuple(Stretch(each_s, rate_hz, rate_hz) for rate_hz in rates_hz))
