"""Evidence that one stream of yes-or-no answers is *not* worse than another by a margin or more, at the same time.

The converse of `two_sample`, by the same bets: what is tested is that *at every moment the second stream's probability
is at least the first one's and the margin*. The pairs that keep that rule are a convex set too, so that the likelihood
ratio of a pair within the margin against the nearest of them is an e-variable (Turner, Ly and Grünwald; Turner and
Grünwald). A canary that is beyond its margin passes 1/a with a chance of at most a, however often one looks. To make
both tests at once is Wald's way with two regions (*Sequential tests of statistical hypotheses*, 1945): each of the two
errors has its own bound, and what neither test decides goes on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from drillbook.domain.two_sample import Alternative, log_mean, log_ratio, on_edge

if TYPE_CHECKING:
    from drillbook.domain.two_sample import Counts

PARTS = (0.0, 0.3)
"""By so much of the margin the second stream is worse in the pairs that are bet on."""
_LEAST = 1e-9


def pairs(first: float, margin: float) -> tuple[Alternative, ...]:
    """Within the margin, one for each of `PARTS`; none when there is nothing beyond it.

    Args:
        first: What the first stream's probability is believed to be, from what was seen *before* the block.
        margin: How much more is too much.
    """
    first = min(max(first, _LEAST), 1 - _LEAST)
    if first + margin >= 1 - _LEAST:
        return ()
    return tuple(Alternative(first, first + part * margin) for part in PARTS)


def log_bet(first: Counts, second: Counts, pair: Alternative, margin: float) -> float:
    """Natural logarithm of what a bet on a block pays; 0 when it lacks a stream."""
    if not first.total or not second.total:
        return 0.0
    return log_ratio(first, second, pair, on_edge((first.total, second.total), pair, margin))


@dataclass(frozen=True, slots=True)
class Assurance:
    """What the bets on all blocks so far have made of 1.

    Attributes:
        logs: Natural logarithm of what each pair's bets have made.
    """

    logs: tuple[float, ...] = (0.0,) * len(PARTS)

    @property
    def log(self) -> float:
        """Of the mixture. As it is, not the most that it was: who was within the margin may leave it."""
        return log_mean(self.logs)

    def plus(self, first: Counts, second: Counts, *, believed: float, margin: float, cap: float) -> Assurance:
        """With one more block.

        Args:
            first: The stream that is compared with.
            second: The stream that may be worse.
            believed: The first stream's probability, from earlier blocks only.
            margin: How much more is too much.
            cap: Natural logarithm of the most that one block may multiply a bet by, as in `two_sample`.
        """
        bets = pairs(believed, margin)
        if not bets:
            return self
        return Assurance(
            tuple(
                log + min(cap, log_bet(first, second, pair, margin)) for log, pair in zip(self.logs, bets, strict=True)
            )
        )
