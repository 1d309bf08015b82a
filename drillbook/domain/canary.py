"""A canary compared with the stable release at the same time under the same load.

Errors: the share of bad answers, canary against stable. Latency: the shares of answers that take longer than what half,
a tenth and a hundredth of stable's answers took before, canary's limits being longer by the margin; that the canary's
latency is at most stable's and the margin is the same as that no such share is larger. Both by `two_sample`: looks may
be taken at any time, stable's own errors and latencies may change as they will, and a release that keeps its margins is
aborted with a chance of at most `Plan.false_abort`, in the whole canary and however often one looks. Not to be seen to
be worse is not to be seen to be no worse: by `within_margin`, a release whose errors are beyond the margin gets all of
the traffic with a chance of at most `Plan.false_promotion`. Of a request that failed and names nobody it is not known
which of the two it was for: for all of the traffic it counts as the canary's, and for an abort `canary_ruling` holds
their number against the time before.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from drillbook.domain import live_window
from drillbook.domain.sequential import Tally
from drillbook.domain.two_sample import Counts, Evidence, mixture
from drillbook.domain.within_margin import Assurance

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

WHOLE = 100
TAILS = (0.5, 0.1, 0.01)
"""Shares of stable's answers that were slower than the limits at which latencies are compared."""
LEARN_FROM = 100
"""Latencies of stable below which its limits are not known."""
_REMEMBER = 1000
_PARTS = 2
_LEAST_MOMENTS = 3


@dataclass(frozen=True, slots=True)
class Margins:
    """What is too little to matter.

    Attributes:
        errors: So many more of the canary's answers may be bad than of stable's, as a difference of shares.
        latency: Factor by which the canary's answers may take longer.
        latency_s: Seconds by which they may take longer, whatever the factor says.
    """

    errors: float = 0.002
    latency: float = 1.1
    latency_s: float = 0.0

    def __post_init__(self) -> None:
        if not (0 < self.errors < 1 and 1 <= self.latency < math.inf and 0 <= self.latency_s < math.inf):
            raise ValueError(f"the margins of a canary cannot be {self}")

    def limit_s(self, stable_s: float) -> float:
        """What the canary may take where stable takes `stable_s` seconds."""
        return max(stable_s * self.latency, stable_s + self.latency_s)


@dataclass(frozen=True, slots=True)
class Plan:
    """How a canary goes.

    Attributes:
        steps: Weights of the canary in percent, one after the other; the last is all.
        least_answers: Of each of the two, in each step, before the next.
        hold_s: The longest that a step is held for want of what decides, in seconds.
        false_abort: Highest chance that a canary within its margins is aborted.
        false_promotion: Highest chance that a canary whose errors are beyond the margin gets all of the traffic.
        margins: What is too little to matter.
    """

    steps: tuple[int, ...] = (5, 10, 25, 50, WHOLE)
    least_answers: int = 500
    hold_s: float = 300.0
    false_abort: float = 0.01
    false_promotion: float = 0.05
    margins: Margins = field(default_factory=Margins)

    def __post_init__(self) -> None:
        rising = all(low < high for low, high in zip((0, *self.steps), self.steps, strict=False))
        if not rising or self.steps[-1:] != (WHOLE,) or len(self.steps) == 1:
            raise ValueError(f"a canary's weights rise to {WHOLE} % in at least two steps, and these are {self.steps}")
        chances = (self.false_abort, self.false_promotion)
        if self.least_answers < 1 or not all(0 < it < 1 for it in chances) or not 0 < self.hold_s < math.inf:
            raise ValueError(f"a canary cannot be decided by {self}")

    @property
    def log_abort(self) -> float:
        """Evidence that aborts, as a natural logarithm; errors and latency each have half of `false_abort`."""
        return math.log(_PARTS / self.false_abort)

    @property
    def log_doubt(self) -> float:
        """Evidence above which a step is held though it does not abort: half the way there."""
        return self.log_abort / 2

    @property
    def log_assured(self) -> float:
        """Evidence that the canary's errors are within the margin without which it does not get all of the traffic."""
        return math.log(1 / self.false_promotion)

    @property
    def log_cap(self) -> float:
        """The most that one moment counts: three bad ones abort at the soonest, one hiccup never does."""
        return self.log_abort / _LEAST_MOMENTS


@dataclass(frozen=True, slots=True)
class Arm:
    """What one release answered in a window.

    Attributes:
        counts: Its answers; the bad ones are hits.
        latencies_s: Of those that were metered.
    """

    counts: Counts = field(default_factory=Counts)
    latencies_s: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Window:
    """A short time in which both releases were asked.

    Attributes:
        start_s: When it began.
        end_s: When it ended.
        canary: What the canary answered.
        stable: What the stable release answered.
        others: Requests that neither of them put its name to; hits are those that failed.
        unusable: Latencies that are no numbers.
        doubtful: How many of the others' failures may be the load's own doing.
    """

    start_s: float
    end_s: float
    canary: Arm
    stable: Arm
    others: Counts = field(default_factory=Counts)
    unusable: int = 0
    doubtful: int = 0

    @property
    def requests(self) -> Counts:
        """All of them; hits are the failures that name neither release."""
        return Counts(self.canary.counts.total + self.stable.counts.total + self.others.total, self.others.hits)


def window(line: Mapping[str, Any], canary: str, stable: str) -> Window:
    """A line of the load's `live.jsonl`.

    Args:
        line: As it was read.
        canary: Who it is there, as `VERSION|SLOT`.
        stable: Likewise.
    """
    versions: Mapping[str, Any] = line["versions"]
    latencies = {name: [float(ms) / 1000 for ms in seen["latency_ms"]] for name, seen in versions.items()}
    usable = {name: tuple(s for s in found if math.isfinite(s) and s >= 0) for name, found in latencies.items()}
    counts = {name: _counts(seen) for name, seen in versions.items()}
    failed = live_window.lost(line)
    others = Counts(failed, failed)
    for name, found in counts.items():
        if name not in {canary, stable}:
            others = others.plus(found)
    return Window(
        line["start_s"],
        line["end_s"],
        Arm(counts.get(canary, Counts()), usable.get(canary, ())),
        Arm(counts.get(stable, Counts()), usable.get(stable, ())),
        others,
        sum(len(latencies[name]) - len(usable[name]) for name in latencies),
        live_window.doubtful(line),
    )


def _counts(seen: Mapping[str, Any]) -> Counts:
    bad = sum(seen["bad"].values())
    return Counts(seen["ok"] + bad, bad)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Canary and stable, as far as they were seen together.

    Attributes:
        plan: How the canary goes.
        errors: Evidence that the canary's share of bad answers is beyond the margin.
        within: Evidence that it is not, also if all failures that name nobody are the canary's.
        owed: Such failures of moments without any answer of stable: they count with the next one that has some.
        slow: Likewise of its shares of slow answers, for each of `TAILS`.
        slow_highest: The most that their mixture ever was, as a logarithm.
        canary: Its answers since it has traffic.
        stable: Likewise.
        others: All requests since then; bad are those that failed and that neither of them put its name to.
        before: Likewise, of the time before the canary had traffic.
        strangers: How many others were answered well.
        unusable: Latencies since then that are no numbers.
        known: Stable's answers from the beginning of the load on.
        stable_s: Its last latencies.
        canary_s: The canary's last latencies.
    """

    plan: Plan
    errors: Evidence = field(default_factory=Evidence)
    within: Assurance = field(default_factory=Assurance)
    owed: int = 0
    slow: tuple[Evidence, ...] = (Evidence(),) * len(TAILS)
    slow_highest: float = 0.0
    canary: Counts = field(default_factory=Counts)
    stable: Counts = field(default_factory=Counts)
    others: Tally = field(default_factory=Tally)
    before: Counts = field(default_factory=Counts)
    strangers: int = 0
    unusable: int = 0
    known: Counts = field(default_factory=Counts)
    stable_s: tuple[float, ...] = ()
    canary_s: tuple[float, ...] = ()

    def learn(self, seen: Window) -> Comparison:
        """What stable does, from a window before the canary had traffic."""
        return replace(self._knowing(seen), before=self.before.plus(seen.requests))

    def _knowing(self, seen: Window) -> Comparison:
        """What stable does; the bets on a window must not know it."""
        return replace(
            self,
            known=self.known.plus(seen.stable.counts),
            stable_s=(*self.stable_s, *seen.stable.latencies_s)[-_REMEMBER:],
        )

    def plus(self, seen: Window) -> Comparison:
        """With a window in which the canary had traffic."""
        slow = self._slow(seen)
        arms = seen.stable.counts, seen.canary.counts
        charged = self.owed + seen.others.hits
        worst = seen.canary.counts.plus(Counts(charged, charged))
        believed, margin = (self.known.hits + 0.5) / (self.known.total + 1), self.plan.margins.errors
        return replace(
            self._knowing(seen),
            errors=self.errors.plus(*arms, believed=believed, margin=margin, cap=self.plan.log_cap),
            within=self.within.plus(
                seen.stable.counts, worst, believed=believed, margin=margin,
                cap=self.plan.log_assured / _LEAST_MOMENTS,
            ),
            owed=0 if seen.stable.counts.total else charged,
            slow=slow,
            slow_highest=max(self.slow_highest, mixture(slow)),
            canary=self.canary.plus(seen.canary.counts),
            stable=self.stable.plus(seen.stable.counts),
            others=self.others.plus(seen.requests.total, seen.others.hits),
            strangers=self.strangers + seen.others.total - seen.others.hits,
            unusable=self.unusable + seen.unusable,
            canary_s=(*self.canary_s, *seen.canary.latencies_s)[-_REMEMBER:],
        )  # fmt: skip

    def limits_s(self) -> tuple[float, ...]:
        """What half, a tenth and a hundredth of stable's latest answers exceeded; none while too few are known."""
        if len(self.stable_s) < LEARN_FROM:
            return ()
        ordered = sorted(self.stable_s)
        return tuple(ordered[min(len(ordered) - 1, int((1 - tail) * len(ordered)))] for tail in TAILS)

    def _slow(self, seen: Window) -> tuple[Evidence, ...]:
        limits_s = self.limits_s()
        if not limits_s:
            return self.slow
        return tuple(
            evidence.plus(
                _above(seen.stable.latencies_s, limit_s),
                _above(seen.canary.latencies_s, self.plan.margins.limit_s(limit_s)),
                believed=tail,
                margin=0.0,
                cap=self.plan.log_cap,
            )
            for evidence, tail, limit_s in zip(self.slow, TAILS, limits_s, strict=True)
        )


def _above(latencies_s: Sequence[float], limit_s: float) -> Counts:
    return Counts(len(latencies_s), sum(latency_s > limit_s for latency_s in latencies_s))
