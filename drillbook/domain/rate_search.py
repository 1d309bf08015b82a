"""The search for the highest rate that still meets what is promised, as pure decisions over what was tried so far.

Rates rise geometrically until one fails; between the highest that passed and the lowest that failed the widest gap is
halved, on the logarithmic scale, until the two are close. The one that is found is then held for longer: what a
platform bears for seconds may pile up. A rate that decided nothing is tried once more, and no more.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from drillbook.domain.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

_TRIES = 2
"""Of a rate that decides nothing."""
_CLOSEST = 1.03
"""Rates that are closer than this factor are not told apart."""
_LOWEST = 0.1
"""Of the rate that it starts from: below that nothing is looked for."""


@dataclass(frozen=True, slots=True)
class Tried:
    """One rate that was held for a while.

    Attributes:
        rate_hz: Requests a second.
        verdict: Whether it met what is promised.
        starved: Whether the machine that makes the load could not keep up, so that the verdict is about that.
        longer: Whether it was held for longer, to see that it lasts.
    """

    rate_hz: float
    verdict: Verdict
    starved: bool = False
    longer: bool = False


@dataclass(frozen=True, slots=True)
class Next:
    """What to try.

    Attributes:
        rate_hz: Requests a second.
        longer: Whether to hold it for longer.
    """

    rate_hz: float
    longer: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """What is known at the end.

    Attributes:
        met_hz: The highest rate that met what is promised and that none at or below it failed; 0 when none did.
        failed_hz: The lowest that did not; infinite when none failed.
        why_open: Why there is no upper bound, or none that is close; empty when the search came to its end.
    """

    met_hz: float
    failed_hz: float
    why_open: str = ""


@dataclass(frozen=True, slots=True)
class Search:
    """How to look.

    Attributes:
        from_hz: Where it starts.
        most_hz: What it never goes beyond.
        factor: By which the rate rises while nothing fails; above 1.
        within: Factor between the two rates at which they are close enough; above 1.

    Raises:
        ValueError: When it could not come to an end.
    """

    from_hz: float
    most_hz: float
    factor: float = 1.5
    within: float = 1.25

    def __post_init__(self) -> None:
        if not 0 < self.from_hz <= self.most_hz or not self.factor > 1 or not self.within > _CLOSEST:
            msg = (
                f"a search for a rate starts within its most, rises, and ends at a factor above {_CLOSEST:g}, "
                f"and got {self}"
            )
            raise ValueError(msg)

    def next(self, tried: Sequence[Tried]) -> Next | None:
        """What to try; None at the end."""
        if not tried:
            return Next(self.from_hz)
        last = tried[-1]
        if last.verdict is Verdict.INCONCLUSIVE and self._tries(tried, last.rate_hz) < _TRIES:
            return Next(last.rate_hz, last.longer)
        met_hz, failed_hz = _bounds(tried)
        if math.isinf(failed_hz):
            higher_hz = self._higher(tried, met_hz)
            if higher_hz is not None:
                return Next(higher_hz)
        elif met_hz == 0:
            lower_hz = failed_hz / self.factor
            return Next(lower_hz) if lower_hz >= _LOWEST * self.from_hz and not _undecided(tried) else None
        elif failed_hz > self.within * met_hz and (between_hz := _widest(tried, met_hz, failed_hz)) is not None:
            return Next(between_hz)
        return self._longer(tried, met_hz)

    def found(self, tried: Sequence[Tried]) -> Found:
        """What is known so far."""
        met_hz, failed_hz = _bounds(tried)
        decided = {one.rate_hz for one in tried if one.verdict is not Verdict.INCONCLUSIVE}
        starved = [one.rate_hz for one in tried if one.starved and one.rate_hz > met_hz and one.rate_hz not in decided]
        if starved:
            why = "requests a second the machine that makes the load was the limit, and not the platform"
            return Found(met_hz, failed_hz, f"at {min(starved):.0f} {why}")
        if math.isinf(failed_hz):
            undecided = [rate_hz for rate_hz in _undecided(tried) if rate_hz > met_hz]
            if undecided:
                return Found(met_hz, failed_hz, f"{min(undecided):.0f} requests a second decided nothing")
            highest_hz = max((one.rate_hz for one in tried), default=0.0)
            return Found(met_hz, failed_hz, f"no rate up to {highest_hz:.0f} requests a second failed")
        if met_hz and failed_hz > self.within * met_hz:
            return Found(met_hz, failed_hz, "what lies between could not be decided")
        return Found(met_hz, failed_hz)

    def _higher(self, tried: Sequence[Tried], met_hz: float) -> float | None:
        undecided = _undecided(tried)
        if any(one.starved for one in tried if one.rate_hz in undecided):
            return None
        highest_hz = max((one.rate_hz for one in tried), default=0.0)
        # What decided nothing lies near what is looked for: what fails lies above it.
        return min(highest_hz * self.factor, self.most_hz) if highest_hz < self.most_hz and met_hz > 0 else None

    def _longer(self, tried: Sequence[Tried], met_hz: float) -> Next | None:
        """The rate that was found, once more, before anybody relies on it."""
        lasted = any(one.longer and one.rate_hz == met_hz for one in tried)
        return None if met_hz == 0 or lasted else Next(met_hz, longer=True)

    @staticmethod
    def _tries(tried: Sequence[Tried], rate_hz: float) -> int:
        return sum(one.rate_hz == rate_hz and one.verdict is Verdict.INCONCLUSIVE for one in tried)


def _bounds(tried: Sequence[Tried]) -> tuple[float, float]:
    """The highest rate that passed below all that failed, and the lowest that failed."""
    failed_hz = min((one.rate_hz for one in tried if one.verdict is Verdict.FAIL), default=math.inf)
    passed = [one.rate_hz for one in tried if one.verdict is Verdict.PASS and one.rate_hz < failed_hz]
    unsure = {rate_hz for rate_hz in _undecided(tried) if any(one.longer for one in tried if one.rate_hz == rate_hz)}
    return max((rate_hz for rate_hz in passed if rate_hz not in unsure), default=0.0), failed_hz


def _undecided(tried: Sequence[Tried]) -> set[float]:
    """Rates that decided nothing as often as they are tried."""
    counted = Counter(one.rate_hz for one in tried if one.verdict is Verdict.INCONCLUSIVE)
    return {rate_hz for rate_hz, count in counted.items() if count >= _TRIES}


def _widest(tried: Sequence[Tried], met_hz: float, failed_hz: float) -> float | None:
    """The middle of the widest gap between rates that were tried; None when all are too narrow."""
    known = sorted({met_hz, failed_hz, *(rate_hz for rate_hz in _undecided(tried) if met_hz < rate_hz < failed_hz)})
    low_hz, high_hz = max(pairwise(known), key=lambda pair: pair[1] / pair[0])
    return math.sqrt(low_hz * high_hz) if high_hz > _CLOSEST**2 * low_hz else None
