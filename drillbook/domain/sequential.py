"""A test that may be looked at after every request: is the share of bad answers above what is allowed?

Wald's likelihood ratio of a larger share against the allowed one, averaged over a grid of larger shares (a mixture,
after Robbins 1970). While the true share is within the allowed one it is a supermartingale of mean 1, so by Ville's
inequality the chance that it *ever* reaches 1/a is at most a, however often one looks.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

_FACTORS = (2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 300.0)
"""How many times the allowed share the alternatives are; those that exceed 1 count as 0.999."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """What share of bad answers is within the promise, and how sure one has to be that it is exceeded.

    Attributes:
        share: Allowed share, above 0 and below 1.
        false_alarm: Highest chance of an alarm in a release whose share is within it.
        least_bad: Bad answers below which there is no alarm, whatever the ratio.
        least_windows: Windows with a bad answer in them below which there is none: a single hiccup of the network
            spoils many requests at once, and none later.
    """

    share: float
    false_alarm: float = 0.001
    least_bad: int = 3
    least_windows: int = 3

    def __post_init__(self) -> None:
        if not 0 < self.share < 1 or not 0 < self.false_alarm < 1:
            raise ValueError(f"an allowance needs shares between 0 and 1, and got {self.share} and {self.false_alarm}")


@dataclass(frozen=True, slots=True)
class Tally:
    """Answers so far.

    Attributes:
        total: All answers.
        bad: Those that were bad.
        windows: Short windows that held a bad one.
    """

    total: int = 0
    bad: int = 0
    windows: int = 0

    def plus(self, total: int, bad: int) -> Tally:
        """With one more window."""
        return Tally(self.total + total, self.bad + bad, self.windows + (1 if bad else 0))

    @property
    def share(self) -> float:
        """Of bad answers; 0 without any answer."""
        return self.bad / self.total if self.total else 0.0


def log_evidence(tally: Tally, allowed_share: float) -> float:
    """Natural logarithm of the mixture's likelihood ratio."""
    logs: list[float] = []
    for share in sorted({min(allowed_share * factor, 0.999) for factor in _FACTORS}):
        if share > allowed_share:
            good = (tally.total - tally.bad) * math.log((1 - share) / (1 - allowed_share))
            logs.append(tally.bad * math.log(share / allowed_share) + good)
    if not logs:
        return 0.0
    highest = max(logs)
    return highest + math.log(sum(math.exp(value - highest) for value in logs) / len(logs))


def exceeds(tally: Tally, allowance: Allowance) -> bool:
    """Whether the share of bad answers is above the allowed one."""
    if tally.bad < allowance.least_bad or tally.windows < allowance.least_windows:
        return False
    return log_evidence(tally, allowance.share) >= math.log(1 / allowance.false_alarm)
