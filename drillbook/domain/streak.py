"""What drills that pass in a row tell of the next ones: the success run of reliability testing.

When each drill keeps its promise with probability p, n in a row all do with p^n. So n without a miss show, at
confidence c, that p is at least (1 - c)^(1/n), and n = ln(1 - c) / ln(p) of them are needed to show p. The same holds
of the share of drills no worse than the worst of n, whatever the distribution (Wilks, Ann. Math. Statist. 12, 1941).
"""

from __future__ import annotations

import math

CONFIDENCE = 0.95
"""That is asked of a statement."""

SHARE = 0.95
"""Of drills, about which it is made."""


def shown_share(in_a_row: int, confidence: float = CONFIDENCE) -> float:
    """The share of drills that pass, of which so many in a row without a miss are evidence."""
    _check(confidence)
    return (1 - confidence) ** (1 / in_a_row) if in_a_row > 0 else 0.0


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
