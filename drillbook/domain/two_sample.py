"""Evidence that one stream of yes-or-no answers has more of them than another at the same time, looked at all the time.

The e-variables of Turner, Ly and Grünwald, "Generic E-variables for exact sequential k-sample tests that allow for
optional stopping", Journal of Statistical Planning and Inference 230 (2024) 106116, arXiv:2106.02693; with a margin,
Turner and Grünwald, "Exact anytime-valid confidence intervals for contingency tables and beyond", Statistics and
Probability Letters 198 (2023) 109835, arXiv:2203.09785.

What is tested is: *at every moment the second stream's probability is at most the first one's and a margin*. Answers
that came together make a block. A bet on a block is the likelihood ratio of two probabilities that break the rule
against those two that keep it and are nearest (in Kullback-Leibler divergence, weighted by the block's sizes): the
expectation of that ratio is at most 1 under *every* pair of probabilities that keeps the rule. So the product over
blocks is a supermartingale whatever the probabilities do from one block to the next, as long as they keep the rule in
each, and by Ville's inequality the chance that it *ever* reaches 1/a is at most a. Nothing is assumed about the first
stream's probability, and nothing happens in a block that lacks one of the two streams.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

ODDS = (1.3, 2.0, 4.0, 10.0, 40.0, 400.0)
"""How many times the odds that the margin just allows the alternatives have; one bet on each, a mixture of all."""

_CLOSE = 1e-12
_LEAST = 1e-9
_STEPS = 100


@dataclass(frozen=True, slots=True)
class Counts:
    """One stream's part of a block.

    Attributes:
        total: Answers.
        hits: Those that count against the stream.
    """

    total: int = 0
    hits: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.hits <= self.total:
            raise ValueError(f"{self.hits} of {self.total} answers is no count")

    def plus(self, other: Counts) -> Counts:
        """Both together."""
        return Counts(self.total + other.total, self.hits + other.hits)

    @property
    def share(self) -> float:
        """Of hits; NaN without answers."""
        return self.hits / self.total if self.total else math.nan


@dataclass(frozen=True, slots=True)
class Alternative:
    """A pair of probabilities that breaks the rule.

    Attributes:
        first: Of the stream that is compared with.
        second: Of the stream that may be worse.
    """

    first: float
    second: float


def alternatives(first: float, margin: float) -> tuple[Alternative, ...]:
    """One for each of `ODDS`; none when the margin allows everything.

    Args:
        first: What the first stream's probability is believed to be, from what was seen *before* the block.
        margin: How much more is within the rule.
    """
    first = min(max(first, _LEAST), 1 - _LEAST)
    allowed = first + margin
    if allowed >= 1 - _LEAST:
        return ()
    odds = allowed / (1 - allowed)
    return tuple(Alternative(first, odds * factor / (1 + odds * factor)) for factor in ODDS)


def nearest(sizes: tuple[int, int], against: Alternative, margin: float) -> Alternative:
    """The pair that keeps the rule and is nearest to one that breaks it, for a block of these sizes.

    It lies on the edge of the rule, where the derivative of the weighted divergence, which rises, is 0.
    """
    first, second = against.first, against.second
    if second <= first + margin or not all(sizes):
        return against
    if margin == 0.0:
        both = (sizes[0] * first + sizes[1] * second) / sum(sizes)
        return Alternative(both, both)
    return on_edge(sizes, against, margin)


def on_edge(sizes: tuple[int, int], pair: Alternative, margin: float) -> Alternative:
    """The pair on the edge of the rule, where the second is the first and the margin, that is nearest to another."""
    low, high = sorted((pair.first, pair.second - margin))
    low, high = max(low, 0.0), min(high, 1 - margin)
    at = (sizes[0] * low + sizes[1] * high) / sum(sizes)
    for _ in range(_STEPS):  # pragma: no branch - bisection alone is exact before the end
        slope, curve = _slope(sizes, pair, at, margin)
        low, high = (low, at) if slope > 0 else (at, high)
        newton = at - slope / curve if curve else low
        following = newton if low < newton < high else (low + high) / 2
        if abs(following - at) <= _CLOSE * at:
            break
        at = following
    return Alternative(at, at + margin)


def _slope(sizes: tuple[int, int], against: Alternative, at: float, margin: float) -> tuple[float, float]:
    """What has the sign of the weighted divergence's derivative at (at, at + margin), a cubic, and its own derivative.

    The derivative itself has poles at 0 and 1, where Newton's steps are poor; this is it times both variances.
    """
    first, second = at, at + margin
    variances = first * (1 - first), second * (1 - second)
    beyond = sizes[0] * (first - against.first), sizes[1] * (second - against.second)
    slope = beyond[0] * variances[1] + beyond[1] * variances[0]
    curve = sizes[0] * variances[1] + beyond[0] * (1 - 2 * second) + sizes[1] * variances[0]
    return slope, curve + beyond[1] * (1 - 2 * first)


def log_bet(first: Counts, second: Counts, against: Alternative, margin: float) -> float:
    """Natural logarithm of what a bet on a block pays; 0 when it lacks a stream."""
    return log_ratio(first, second, against, nearest((first.total, second.total), against, margin))


def log_ratio(first: Counts, second: Counts, pair: Alternative, other: Alternative) -> float:
    """Natural logarithm of how much likelier a block is under one pair than under another."""
    return _log_ratio(first, pair.first, other.first) + _log_ratio(second, pair.second, other.second)


def _log_ratio(counts: Counts, against: float, near: float) -> float:
    if against == near:
        return 0.0
    hits, rest = counts.hits, counts.total - counts.hits
    return hits * math.log(against / near) + rest * math.log((1 - against) / (1 - near))


def growth(sizes: tuple[float, float], against: Alternative, margin: float) -> float:
    """Expected logarithm of the best bet on a block when the alternative is true: what no test can exceed.

    A test of level a needs, on average, at least log(1/a) of it (Wald 1945; Grünwald, de Heide and Koolen, Safe
    testing, JRSS B 2024, for composite rules).
    """
    scale = 10**6
    near = nearest((round(sizes[0] * scale), round(sizes[1] * scale)), against, margin)
    return sizes[0] * divergence(against.first, near.first) + sizes[1] * divergence(against.second, near.second)


def divergence(true: float, other: float) -> float:
    """Kullback-Leibler divergence of two probabilities, in nats."""
    parts = ((true, other), (1 - true, 1 - other))
    return sum(p * math.log(p / q) if q else math.inf for p, q in parts if p)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the bets on all blocks so far have made of 1.

    Attributes:
        logs: Natural logarithm of what each alternative's bets have made.
        highest: The most that the mixture ever was, as a logarithm: a rule once seen broken stays broken.
    """

    logs: tuple[float, ...] = (0.0,) * len(ODDS)
    highest: float = 0.0

    @property
    def log(self) -> float:
        """Of the mixture: an equal part of the 1 was put on each alternative."""
        return log_mean(self.logs)

    def plus(self, first: Counts, second: Counts, *, believed: float, margin: float, cap: float) -> Evidence:
        """With one more block.

        Args:
            first: The stream that is compared with.
            second: The stream that may be worse.
            believed: The first stream's probability, from earlier blocks only.
            margin: How much more is within the rule.
            cap: Natural logarithm of the most that one block may multiply a bet by. Answers of one moment fail
                together; a bet that is cut keeps its guarantee, and no single moment decides.
        """
        bets = alternatives(believed, margin)
        if not bets or not first.total or not second.total:
            return self
        logs = tuple(
            log + min(cap, log_bet(first, second, against, margin))
            for log, against in zip(self.logs, bets, strict=True)
        )
        now = Evidence(logs)
        return Evidence(logs, max(self.highest, now.log))


def mixture(parts: tuple[Evidence, ...]) -> float:
    """Natural logarithm of the mean of several, which is evidence against all their rules together."""
    return log_mean([part.log for part in parts])


def log_mean(logs: Sequence[float]) -> float:
    """Natural logarithm of the mean of what these are logarithms of."""
    most = max(logs)
    return most + math.log(sum(math.exp(value - most) for value in logs) / len(logs))
