"""What becomes of a canary: one decision at each look, with the numbers that it stands on.

A canary is promoted only on enough answers of both releases, seen by their clients and counted by the canary's own
servers under its version, and to all of the traffic only on evidence that its errors are within the margin. Whatever is
missing holds the step, and a step that is held too long ends undecided. Requests that fail and name nobody abort only
where they are more than they were before the canary had traffic, by more than the margin would be of its share.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

from drillbook.domain.canary import LEARN_FROM, WHOLE
from drillbook.domain.sequential import Allowance, Tally, exceeds, log_evidence
from drillbook.domain.statistics import share
from drillbook.domain.two_sample import Counts, mixture

if TYPE_CHECKING:
    from collections.abc import Sequence

    from drillbook.domain.canary import Comparison, Plan, Window
    from drillbook.domain.serving import Flaw

Ruling = Literal["hold", "promote", "abort", "undecided"]

_SURE = 0.999
_LARGEST = 700.0
_FALSE_UNNAMED = 0.001
"""Highest chance that requests that fail and name nobody abort a canary that has no part in them; `Plan.false_abort` is
of those that name one. Half of it is that more failed before the canary than was seen, half is shared by the steps."""


def quantile(latencies_s: Sequence[float], of: float) -> float:
    """Of what was seen; NaN of nothing."""
    return sorted(latencies_s)[min(len(latencies_s) - 1, int(of * len(latencies_s)))] if latencies_s else math.nan


@dataclass(frozen=True, slots=True)
class Step:
    """What was seen at one weight.

    Attributes:
        weight: Of the canary, in percent.
        since_s: Since when it has it.
        canary: Its answers since then.
        stable: Likewise.
        timed: How many latencies of the canary and of stable are known since then.
        requests: All of them since then; bad are the failures that name neither and are certainly not the load's own.
    """

    weight: int
    since_s: float
    canary: Counts = field(default_factory=Counts)
    stable: Counts = field(default_factory=Counts)
    timed: tuple[int, int] = (0, 0)
    requests: Tally = field(default_factory=Tally)

    def plus(self, seen: Window) -> Step:
        """With one more window; one that began before the step had other weights in it."""
        if seen.start_s < self.since_s:
            return self
        timed = (self.timed[0] + len(seen.canary.latencies_s), self.timed[1] + len(seen.stable.latencies_s))
        total, lost = seen.requests.total - seen.doubtful, seen.others.hits - seen.doubtful
        return replace(
            self, canary=self.canary.plus(seen.canary.counts), stable=self.stable.plus(seen.stable.counts), timed=timed,
            requests=self.requests.plus(total, lost),
        )  # fmt: skip


def took(seen: Comparison, step: Step, made: Window, first_s: float) -> tuple[Comparison, Step]:
    """With one more window; what ended before the canary had traffic only teaches what stable does."""
    if made.end_s <= first_s:
        return seen.learn(made), step
    return seen.plus(made), step.plus(made)


@dataclass(frozen=True, slots=True)
class Look:
    """A decision and the numbers that it stands on.

    Attributes:
        at_s: When.
        ruling: What is to be done.
        reason: In a sentence.
        flaw: What it was found worse for; None unless it is aborted.
    """

    at_s: float
    ruling: Ruling
    reason: str
    flaw: Flaw | None = None


def look(seen: Comparison, step: Step, at_s: float, servers: float | None) -> Look:
    """Decide about a step that has not the whole traffic.

    Args:
        seen: Everything so far.
        step: The weight that the canary has now.
        at_s: Now.
        servers: Answers of the canary that its own servers have counted under its version; None or NaN when nobody
            can tell.
    """
    found: Sequence[tuple[Flaw, str]] = (
        ("errors", _bad(seen)), ("latency", _slower(seen)), ("errors", _unnamed(seen, step)),
    )  # fmt: skip
    for flaw, reason in found:
        if reason:
            return Look(at_s, "abort", reason, flaw)
    reason = (
        _lacking(seen, step)
        or _uncounted(seen, servers)
        or _doubtful(seen)
        or _lossy(seen, step)
        or _unsure(seen, step)
        or _elsewhere(step)
    )
    if not reason:
        return Look(at_s, "promote", f"{_told(seen)}; {_margins(seen.plan)}")
    if at_s - step.since_s >= seen.plan.hold_s:
        return Look(at_s, "undecided", f"held at {step.weight} % for {seen.plan.hold_s:g} s: {reason}")
    return Look(at_s, "hold", reason)


def _bad(seen: Comparison) -> str:
    if seen.errors.highest < seen.plan.log_abort:
        return ""
    return f"{_told(seen)}, which is more than {seen.plan.margins.errors:.2%} more: {_odds(seen.errors.highest)}"


def _slower(seen: Comparison) -> str:
    if seen.slow_highest < seen.plan.log_abort:
        return ""
    halves = [quantile(latencies_s, 0.5) * 1000 for latencies_s in (seen.canary_s, seen.stable_s)]
    tails = [quantile(latencies_s, 0.99) * 1000 for latencies_s in (seen.canary_s, seen.stable_s)]
    return (
        f"half of the canary's answers took up to {halves[0]:.1f} ms and 99 % up to {tails[0]:.1f} ms, where stable's "
        f"took {halves[1]:.1f} ms and {tails[1]:.1f} ms, which is beyond {seen.plan.margins.latency:g} times and "
        f"{seen.plan.margins.latency_s * 1000:g} ms more: {_odds(seen.slow_highest)}"
    )


def _unnamed(seen: Comparison, step: Step) -> str:
    allowed = _allowed(seen, step)
    if allowed is None or not exceeds(step.requests, allowed):
        return ""
    return (
        f"{_lost(seen, step)}, where {allowed.share:.2%} would be as many as then and, of the {step.weight} % that are "
        f"the canary's, {seen.plan.margins.errors:.2%} more"
    )


def _allowed(seen: Comparison, step: Step) -> Allowance | None:
    """What share of all requests may fail without a name and be none of the canary's doing; None when any may."""
    share_before = _at_most(seen.before.hits, seen.before.total) if seen.before.total else 1.0
    allowed = share_before + seen.plan.margins.errors * step.weight / WHOLE
    return Allowance(allowed, _FALSE_UNNAMED / 2 / (len(seen.plan.steps) - 1)) if allowed < 1 else None


@lru_cache(maxsize=64)
def _at_most(hits: int, of: int) -> float:
    return share(hits, of, 1 - _FALSE_UNNAMED).high


def _lost(seen: Comparison, step: Step) -> str:
    return (
        f"{step.requests.bad} of {step.requests.total} requests failed without an answer that names a release since "
        f"the canary has {step.weight} % of the traffic, and {seen.before.hits} of {seen.before.total} before the "
        "canary had traffic"
    )


def _lacking(seen: Comparison, step: Step) -> str:
    least = seen.plan.least_answers
    for name, counts, timed in (("canary", step.canary, step.timed[0]), ("stable", step.stable, step.timed[1])):
        if min(counts.total, timed) < least:
            strangers = f"; {seen.strangers} answers named neither release" if seen.strangers else ""
            return (
                f"{counts.total} answers of the {name} were seen at this weight, {timed} of them timed, and {least} "
                f"are needed{strangers}"
            )
    if seen.unusable:
        return f"{seen.unusable} latencies are no numbers"
    return "" if seen.limits_s() else f"fewer than {LEARN_FROM} latencies of stable are known"


def _elsewhere(step: Step) -> str:
    total = step.canary.total + step.stable.total
    found, weight = share(step.canary.total, total, _SURE), step.weight / WHOLE
    if weight / 2 <= found.high and found.low <= min(1.0, 2 * weight):
        return ""
    return f"the canary gave {step.canary.total / total:.1%} of the answers, and its weight is {step.weight} %"


def _uncounted(seen: Comparison, servers: float | None) -> str:
    if servers is None or math.isnan(servers):
        return "the servers' metrics have no number for the canary's version"
    if servers < seen.canary.total / 2:
        return f"the servers counted {servers:g} answers of the canary, and its clients {seen.canary.total}"
    return ""


def _doubtful(seen: Comparison) -> str:
    most = max(seen.errors.log, mixture(seen.slow))
    return f"more than half the way to an abort: {_odds(most)}" if most > seen.plan.log_doubt else ""


def _lossy(seen: Comparison, step: Step) -> str:
    if not step.requests.bad:
        return ""
    allowed = _allowed(seen, step)
    if allowed is None:
        return f"{_lost(seen, step)}: too little is known of the time before to say whose they were"
    if log_evidence(step.requests, allowed.share) <= math.log(1 / allowed.false_alarm) / 2:
        return ""
    return f"{_lost(seen, step)}: more than half the way to an abort"


def _unsure(seen: Comparison, step: Step) -> str:
    """Fewer users of a canary that is not known to be well are the way to know; all of them are not."""
    if step.weight < seen.plan.steps[-2] or (seen.within.log >= seen.plan.log_assured and not seen.owed):
        return ""
    known, lost = _told(seen), seen.others.bad
    if lost:
        known += f", {lost} requests failed without an answer that names a release, and are taken for the canary's"
    return (
        f"{known}; that it is less than {seen.plan.margins.errors:.2%} more has to be shown before it gets all "
        f"of the traffic: {_odds(seen.within.log)}, of {math.exp(seen.plan.log_assured):.3g} to 1"
    )


def _told(seen: Comparison) -> str:
    return (
        f"{seen.canary.hits} of the canary's {seen.canary.total} answers were bad and {seen.stable.hits} of stable's "
        f"{seen.stable.total}"
    )


def _margins(plan: Plan) -> str:
    return f"no evidence beyond the margins of {plan.margins.errors:.2%} and {plan.margins.latency:g} times"


def _odds(log: float) -> str:
    return f"evidence of {math.exp(min(log, _LARGEST)):.3g} to 1"


def numbers(seen: Comparison, step: Step, servers: float | None) -> dict[str, Any]:
    """What a look stands on, JSON-compatible; nothing stands for what is no number."""
    return {
        "weight": step.weight,
        "canary": {"answers": seen.canary.total, "bad": seen.canary.hits, **_latencies(seen.canary_s)},
        "stable": {"answers": seen.stable.total, "bad": seen.stable.hits, **_latencies(seen.stable_s)},
        "step": {
            "canary": step.canary.total, "stable": step.stable.total, "timed": list(step.timed),
            "requests": step.requests.total, "unnamed": step.requests.bad,
        },
        "others": {"failed": seen.others.bad, "answered": seen.strangers, "unusable": seen.unusable},
        "before": {"requests": seen.before.total, "unnamed": seen.before.hits},
        "servers": None if servers is None or not math.isfinite(servers) else servers,
        "evidence": {
            "errors": round(seen.errors.log, 6),
            "latency": round(mixture(seen.slow), 6),
            "aborts_at": round(seen.plan.log_abort, 6),
            "within": round(seen.within.log, 6),
            "promotes_at": round(seen.plan.log_assured, 6),
        },
    }  # fmt: skip


def _latencies(latencies_s: Sequence[float]) -> dict[str, float | None]:
    ordered = sorted(latencies_s)
    found = {name: quantile(ordered, of) * 1000 for name, of in (("p50_ms", 0.5), ("p99_ms", 0.99))}
    return {name: None if math.isnan(ms) else round(ms, 3) for name, ms in found.items()}
