"""What drills that passed tell of the next ones: the success run of reliability testing, and what holds of any row.

When each drill keeps its promise with probability p, n in a row all do with p^n. So n without a miss show, at
confidence c, that p is at least (1 - c)^(1/n), and n = ln(1 - c) / ln(p) of them are needed to show p. The same holds
of the share of drills no worse than the worst of n, whatever the distribution (Wilks, Ann. Math. Statist. 12, 1941).
With misses among them the bound is Clopper's and Pearson's (Biometrika 26, 1934), of which the success run is a case.
"""

from __future__ import annotations

import math

CONFIDENCE = 0.95
"""That is asked of a statement."""

SHARE = 0.95
"""Of drills, about which it is made."""

_HALVINGS = 50
"""Of the interval in which a share lies; floats tell no more apart."""


def shown_share(in_a_row: int, confidence: float = CONFIDENCE) -> float:
    """The share of drills that pass, of which so many in a row without a miss are evidence."""
    _check(confidence)
    return (1 - confidence) ** (1 / in_a_row) if in_a_row > 0 else 0.0


def shown_share_of(passed: int, drilled: int, confidence: float = CONFIDENCE) -> float:
    """The share of drills that pass, of which so many of so many are evidence; one-sided, rounded down.

    It is the p with which that many or more of them pass with a chance of 1 - c. That chance grows with p, so halving
    finds it.

    Raises:
        ValueError: When more passed than were drilled.
    """
    _check(confidence)
    if not 0 <= passed <= drilled:
        msg = f"between none and all of {drilled} drills can have passed, and not {passed}"
        raise ValueError(msg)
    low, high = 0.0, 1.0
    if passed == 0:
        return low
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if _at_least(passed, drilled, middle) > 1 - confidence:
            high = middle
        else:
            low = middle
    return low


def _at_least(passed: int, drilled: int, share: float) -> float:
    """The chance that so many or more of them pass when each does with this share."""
    among, missing = math.log(share), math.log1p(-share)
    return math.fsum(
        math.exp(_log_choices(drilled, count) + count * among + (drilled - count) * missing)
        for count in range(passed, drilled + 1)
    )


def _log_choices(of: int, count: int) -> float:
    """Of so many out of so many; a logarithm, since for years of nights the number itself is beyond floats."""
    return math.lgamma(of + 1) - math.lgamma(count + 1) - math.lgamma(of - count + 1)


def needed(share: float = SHARE, confidence: float = CONFIDENCE) -> int:
    """How many in a row show that at least this share passes."""
    _check(confidence)
    _check(share)
    # A whole number that comes out as 59.000000000000007 is 59.
    return math.ceil(math.log(1 - confidence) / math.log(share) - 1e-9)


def _check(probability: float) -> None:
    if not 0 < probability < 1:
        msg = f"a confidence and a share lie between 0 and 1, and got {probability}"
        raise ValueError(msg)
