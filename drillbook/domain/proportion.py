"""What so many good ones of so many tell about the share of good ones: Clopper and Pearson's exact interval (1934).

Its bounds are quantiles of beta distributions; the incomplete beta function is Lentz's continued fraction (Numerical
Recipes, section 6.4), and the quantile is found by bisection.
"""

from __future__ import annotations

import math

from drillbook.domain.interval import Interval

CONFIDENCE = 0.95
_TINY = 1e-300
_EPSILON = 1e-14
_TERMS = 10_000
_HALVINGS = 60


def proportion(good: int, total: int, *, confidence: float = CONFIDENCE) -> Interval:
    """The interval of the true share of good ones.

    Each bound holds with `confidence` by itself: what is judged is always one side. 5,990 of 5,990 show at least 0.9995.

    Raises:
        ValueError: When there are none, or more good ones than all.
    """
    if total <= 0 or not 0 <= good <= total:
        raise ValueError(f"a proportion needs 0 <= good <= total and a total, and got {good} of {total}")
    doubt = 1 - confidence
    low = 0.0 if good == 0 else _beta_quantile(doubt, good, total - good + 1)
    high = 1.0 if good == total else _beta_quantile(confidence, good + 1, total - good)
    return Interval(low, high)


def _beta_quantile(probability: float, a: float, b: float) -> float:
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if _beta_cdf(middle, a, b) < probability:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _beta_cdf(x: float, a: float, b: float) -> float:
    if x <= 0 or x >= 1:
        return 0.0 if x <= 0 else 1.0
    log_front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    if x < (a + 1) / (a + b + 2):
        return math.exp(log_front) * _continued_fraction(x, a, b) / a
    return 1 - math.exp(log_front) * _continued_fraction(1 - x, b, a) / b


def _continued_fraction(x: float, a: float, b: float) -> float:
    c, d = 1.0, _away_from_zero(1 - (a + b) * x / (a + 1))
    d = 1 / d
    result = d
    for m in range(1, _TERMS):
        for numerator in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1 / _away_from_zero(1 + numerator * d)
            c = _away_from_zero(1 + numerator / c)
            step = d * c
            result *= step
        if abs(step - 1) < _EPSILON:
            break
    return result


def _away_from_zero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY
