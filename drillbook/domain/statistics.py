"""What counts tell, as intervals at a stated confidence, without assuming a distribution.

Clopper and Pearson, Biometrika 26 (1934), for shares; order statistics for quantiles (David and Nagaraja, Order
Statistics, 7.1). Both assume independent requests; failures in an outage are not, which is why the time-slice share
stands beside them.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING

from drillbook.domain.interval import Interval

if TYPE_CHECKING:
    from collections.abc import Callable

CONFIDENCE = 0.95
_STEPS = 100
_TINY = 1e-300
_PRECISION = 3e-14


def share(hits: int, of: int, confidence: float = CONFIDENCE) -> Interval:
    """Clopper-Pearson interval of a probability of which `hits` of `of` trials tell."""
    if not 0 <= hits <= of or of == 0:
        msg = f"a share needs hits between 0 and a positive number of trials, and got {hits} of {of}"
        raise ValueError(msg)
    tail = (1 - confidence) / 2
    low = 0.0 if hits == 0 else _root(lambda p: 1 - at_most(hits - 1, of, p), tail)
    high = 1.0 if hits == of else _root(lambda p: -at_most(hits, of, p), -tail)
    return Interval(low, high)


def quantile_ranks(samples: int, quantile: float, confidence: float = CONFIDENCE) -> tuple[int, int] | None:
    """Ranks (from 1) of the two order statistics that hold a quantile between them.

    None when there are too few samples for the upper one: the largest sample is below the quantile too often.
    """
    tail = (1 - confidence) / 2
    if samples == 0 or at_most(samples - 1, samples, quantile) < 1 - tail:
        return None
    low = _first(samples, lambda rank: at_most(rank, samples, quantile) > tail)
    high = _first(samples, lambda rank: at_most(rank, samples, quantile) >= 1 - tail) + 1
    return max(low, 1), high


def at_most(hits: int, trials: int, probability: float) -> float:
    """P(X <= hits) of a binomial distribution."""
    if hits >= trials:
        return 1.0
    return _beta(trials - hits, hits + 1, 1 - probability)


@lru_cache(maxsize=256)
def student_t(freedom: int, probability: float) -> float:
    """The quantile of Student's distribution: what a variable stays under with this probability.

    Raises:
        ValueError: Without a degree of freedom, or for a probability that is not between 0 and 1.
    """
    if freedom < 1 or not 0 < probability < 1:
        msg = (
            f"Student's t needs a degree of freedom and a probability within 0 and 1, and got {freedom}, {probability}"
        )
        raise ValueError(msg)
    tail = min(probability, 1 - probability)
    # P(|T| > t) is the incomplete beta function at x = v / (v + t²) (Numerical Recipes, 6.4.9).
    x = _root(lambda x: _beta(freedom / 2, 0.5, x), 2 * tail)
    quantile = math.sqrt(freedom * (1 - x) / x)
    return quantile if probability > tail else -quantile


def _first(end: int, holds: Callable[[int], bool]) -> int:
    """The smallest whole number below `end` for which a monotone condition holds, or `end`."""
    low, high = 0, end
    while low < high:
        middle = (low + high) // 2
        if holds(middle):
            high = middle
        else:
            low = middle + 1
    return low


def _root(rising: Callable[[float], float], value: float) -> float:
    """Where a rising function of a probability takes a value."""
    low, high = 0.0, 1.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if rising(middle) < value:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _beta(a: float, b: float, x: float) -> float:
    """The regularized incomplete beta function (Numerical Recipes, 6.4)."""
    if x <= 0 or x >= 1:
        return 0.0 if x <= 0 else 1.0
    log_front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    if x < (a + 1) / (a + b + 2):
        return math.exp(log_front) * _fraction(a, b, x) / a
    return 1 - math.exp(log_front) * _fraction(b, a, 1 - x) / b


def _fraction(a: float, b: float, x: float) -> float:
    """Its continued fraction by Lentz's method; needs about sqrt(max(a, b)) terms."""
    c, d = 1.0, 1 / _not_zero(1 - (a + b) * x / (a + 1))
    result = d
    for m in range(1, 100 + 10 * int(math.sqrt(max(a, b)))):  # pragma: no branch - it converges long before the end
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        d, c = 1 / _not_zero(1 + even * d), _not_zero(1 + even / c)
        result *= d * c
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        d, c = 1 / _not_zero(1 + odd * d), _not_zero(1 + odd / c)
        result *= d * c
        if abs(d * c - 1) < _PRECISION:
            break
    return result


def _not_zero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY
