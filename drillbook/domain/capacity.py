"""The inverse of the size model: the largest database for which a recovery time is supported."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from drillbook.domain.scaling import PROVEN_FACTOR

if TYPE_CHECKING:
    from drillbook.domain.scaling import Model, Production

# Sizes that are tried, and how sharply the one in question is then told.
_LOOKS = 64
_SHARP = 1e-6


@dataclass(frozen=True, slots=True)
class Certificate:
    """The largest database for which an objective is supported.

    Attributes:
        objective_s: The recovery time that is promised.
        data_bytes: The size; None when none is supported.
        because: What ends it there, in a sentence.
    """

    objective_s: float
    data_bytes: float | None
    because: str


def certificate(found: Model, production: Production, objective_s: float) -> Certificate:
    """The largest size whose upper bound keeps the objective, and that is proved."""

    def supported(data_bytes: float) -> bool:
        estimate = found.estimate(data_bytes, production)
        return not estimate.unproven and estimate.bounds.high <= objective_s

    smallest, largest = found.smallest_data_bytes, PROVEN_FACTOR * found.largest["database"]
    low = high = smallest
    # The bound need not rise everywhere: the certificate ends at the first size that is not supported.
    for step in range(_LOOKS + 1):
        low, high = high, smallest * (largest / smallest) ** (step / _LOOKS)
        if not supported(high):
            break
    else:
        return Certificate(objective_s, largest, f"nothing is proved beyond {PROVEN_FACTOR:g} times the largest drill")
    if high > smallest:
        while high / low > 1 + _SHARP:
            middle = math.sqrt(low * high)
            low, high = (middle, high) if supported(middle) else (low, middle)
    estimate = found.estimate(high, production)
    bound_s = estimate.bounds.high
    over = f"the upper bound for {high:.4g} bytes is {bound_s:.0f} s, over the objective of {objective_s:g} s"
    because = estimate.unproven[0] if estimate.unproven else over
    return Certificate(objective_s, low if high > smallest else None, because)
