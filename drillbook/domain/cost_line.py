"""A fixed cost and a cost for each byte, fitted to what drills took, with one-sided bounds for what the next one takes.

The spread of what a step takes grows with how long it takes, so the errors are taken as relative: time = (fixed + per
byte x bytes) x (1 + error), with errors of one spread. That is fitted by iterated weighted least squares, the weights
being one over the fitted time squared (generalised least squares: Carroll and Ruppert, Transformation and Weighting in
Regression, 1988, 2.1), and a new observation is bounded by Student's t with two degrees of freedom fewer than there are
observations (Draper and Smith, Applied Regression Analysis, 3rd edition, 3.1 and 9.2).

Neither cost is negative. The point estimate keeps to that; the bounds are the worse of what the fit says with and
without it, so that they hold wherever the truth lies. They are exact for normal errors whose weights are known, and an
approximation otherwise. Simulated for four sizes of ratio 2, once and three times each, and a step up to 8 times the
largest: a bound at 95 % held in 92 % to 100 % of the trials for normal, lognormal and additive errors of up to 20 %,
and in no fewer than 88 % for exponential ones, which have the longest tail of these (`benchmarks/size_model.py`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from drillbook.domain.statistics import student_t

if TYPE_CHECKING:
    from collections.abc import Sequence

    _Step = tuple[float, float, float]  # weight, size, seconds


FEWEST = 3
"""Observations: two costs are fitted, and one has to be left to tell the spread by."""

_ROUNDS = 50
_SETTLED = 1e-9
# Weights are bounded, as if nothing were timed more finely than this, in seconds.
_RESOLUTION_S = 1e-3


@dataclass(frozen=True, slots=True)
class Line:
    """What a step costs.

    Attributes:
        fixed_s: Seconds, whatever the size; not negative.
        per_byte_s: Seconds for each byte; not negative.
        free_fixed_s: The same where negative costs are allowed.
        free_per_byte_s: Likewise.
        spread: Standard deviation of the relative errors.
        freedom: Degrees of freedom that the spread rests on.
        covariance: Of the two free costs, over the spread squared: fixed, both, per byte.
    """

    fixed_s: float
    per_byte_s: float
    free_fixed_s: float
    free_per_byte_s: float
    spread: float
    freedom: int
    covariance: tuple[float, float, float]

    def expected_s(self, size: float) -> float:
        """Seconds that a size takes on average."""
        return self.fixed_s + self.per_byte_s * size

    def at_most_s(self, size: float, confidence: float) -> float:
        """Seconds that the next step of a size stays under, with this probability."""
        free_s = self.free_fixed_s + self.free_per_byte_s * size
        return max(self.expected_s(size), free_s) + self._margin(size, confidence)

    def at_least_s(self, size: float, confidence: float) -> float:
        """Seconds that the next step of a size takes or exceeds, with this probability."""
        free_s = self.free_fixed_s + self.free_per_byte_s * size
        return max(0.0, min(self.expected_s(size), free_s) - self._margin(size, confidence))

    def slope_is_negative(self, confidence: float) -> bool:
        """Whether more bytes certainly take less time, which no such cost explains."""
        error_s = self.spread * math.sqrt(self.covariance[2])
        return self.free_per_byte_s + student_t(self.freedom, confidence) * error_s < 0

    def _margin(self, size: float, confidence: float) -> float:
        fixed, both, per_byte = self.covariance
        of_line = fixed + 2 * both * size + per_byte * size * size
        of_step = max(self.expected_s(size), self.free_fixed_s + self.free_per_byte_s * size) ** 2
        return student_t(self.freedom, confidence) * self.spread * math.sqrt(max(0.0, of_line) + of_step)


def fit(sizes: Sequence[float], seconds: Sequence[float]) -> Line:
    """Fit a line to steps of some sizes in bytes and what they took.

    Raises:
        ValueError: When there are fewer than `FEWEST`, or all of one size, or a number is not finite or is negative.
    """
    if len(sizes) < FEWEST or len(sizes) != len(seconds) or min(sizes) == max(sizes):
        raise ValueError(
            f"a line needs {FEWEST} steps of at least two sizes, and got {len(sizes)} of sizes {sorted(sizes)}"
        )
    if not all(0 <= number < math.inf for number in (*sizes, *seconds)):
        raise ValueError("sizes and times are finite and not negative, and some are not")
    unit = max(sizes)
    steps = [(size / unit, took_s) for size, took_s in zip(sizes, seconds, strict=True)]
    kept = sum(seconds) / len(steps), 0.0
    weighted: list[_Step] = []
    for _ in range(_ROUNDS):  # pragma: no branch - it settles long before the end
        weighted = [(1 / ((kept[0] + kept[1] * x) ** 2 + _RESOLUTION_S**2), x, y) for x, y in steps]
        before, kept = kept, _without_negatives(weighted)
        if math.dist(before, kept) <= _SETTLED * math.hypot(*kept):
            break
    free_fixed, free_slope, covariance = _least_squares(weighted)
    squares = sum(weight * (y - free_fixed - free_slope * x) ** 2 for weight, x, y in weighted)
    freedom = len(steps) - 2
    spread = math.sqrt(squares / freedom)
    fixed, both, per_byte = covariance
    return Line(
        fixed_s=kept[0],
        per_byte_s=kept[1] / unit,
        free_fixed_s=free_fixed,
        free_per_byte_s=free_slope / unit,
        spread=spread,
        freedom=freedom,
        covariance=(fixed, both / unit, per_byte / unit**2),
    )


def constant(seconds: Sequence[float]) -> Line:
    """A step whose cost is taken to have nothing to do with the size, from what it took in some drills.

    Raises:
        ValueError: When there are fewer than `FEWEST`, or a number is not finite or is negative.
    """
    if len(seconds) < FEWEST:
        raise ValueError(f"the spread of a step is told by {FEWEST} drills at least, and got {len(seconds)}")
    if not all(0 <= number < math.inf for number in seconds):
        raise ValueError("times are finite and not negative, and some are not")
    mean_s = sum(seconds) / len(seconds)
    freedom = len(seconds) - 1
    squares = sum((took_s - mean_s) ** 2 for took_s in seconds) / (mean_s**2 + _RESOLUTION_S**2)
    return Line(
        fixed_s=mean_s, per_byte_s=0.0, free_fixed_s=mean_s, free_per_byte_s=0.0, spread=math.sqrt(squares / freedom),
        freedom=freedom, covariance=(mean_s**2 / len(seconds), 0.0, 0.0),
    )  # fmt: skip


def _least_squares(steps: Sequence[_Step]) -> tuple[float, float, tuple[float, float, float]]:
    """Fixed cost, cost for each unit, and their covariance over the spread squared."""
    total = sum(weight for weight, _, _ in steps)
    mean_x = sum(weight * x for weight, x, _ in steps) / total
    mean_y = sum(weight * y for weight, _, y in steps) / total
    spread_x = sum(weight * (x - mean_x) ** 2 for weight, x, _ in steps)
    slope = sum(weight * (x - mean_x) * y for weight, x, y in steps) / spread_x
    return mean_y - slope * mean_x, slope, (1 / total + mean_x**2 / spread_x, -mean_x / spread_x, 1 / spread_x)


def _without_negatives(steps: Sequence[_Step]) -> tuple[float, float]:
    """The best of the lines with neither cost negative: with two unknowns it is the free one, or lies on an edge."""
    fixed, slope, _ = _least_squares(steps)
    if slope < 0:
        return sum(weight * y for weight, _, y in steps) / sum(weight for weight, _, _ in steps), 0.0
    if fixed < 0:
        return 0.0, sum(weight * x * y for weight, x, y in steps) / sum(weight * x * x for weight, x, _ in steps)
    return fixed, slope
