"""Intervals: every number that is judged carries its uncertainty."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Interval:
    """A closed interval that contains the true value.

    Attributes:
        low: Lower bound, in the unit of the measurement that owns it.
        high: Upper bound, same unit; may be infinite when only a lower bound is known.

    Raises:
        ValueError: When a bound is NaN or the bounds are reversed.
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        if math.isnan(self.low) or math.isnan(self.high):
            msg = "an interval needs two numbers, and got NaN; leave the interval out instead"
            raise ValueError(msg)
        if self.low > self.high:
            msg = f"an interval runs from low to high, and got {self.low} > {self.high}"
            raise ValueError(msg)

    @classmethod
    def exactly(cls, value: float) -> Interval:
        """The interval of a value that is counted and not estimated."""
        return cls(value, value)

    def widened(self, by: float) -> Interval:
        """Grown on both sides by `by` (same unit, not negative)."""
        if by < 0:
            msg = f"an interval can only be widened, and got {by}"
            raise ValueError(msg)
        return Interval(self.low - by, self.high + by)

    def overlaps(self, other: Interval) -> bool:
        """Whether a value could lie in both."""
        return self.low <= other.high and other.low <= self.high

    def since(self, earlier: Interval) -> Interval:
        """How much later this is: the least and the most that any two values of both are apart, negative before it."""
        low, high = self.low - earlier.high, self.high - earlier.low
        # Infinity less infinity is NaN: then nothing is known on that side.
        return Interval(-math.inf if math.isnan(low) else low, math.inf if math.isnan(high) else high)

    def later(self, other: Interval) -> Interval:
        """The later of two, whichever it is."""
        return Interval(max(self.low, other.low), max(self.high, other.high))

    def earlier(self, other: Interval) -> Interval:
        """The earlier of two, whichever it is."""
        return Interval(min(self.low, other.low), min(self.high, other.high))
