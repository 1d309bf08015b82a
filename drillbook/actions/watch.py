"""Watch a release on the public's traffic and decide whether it may stay.

Two witnesses are asked: the clients' own record of answers, complete within a quarter of a second, and Prometheus.
Either is enough to send a release back; only the clients' can let it stay, and only with enough answers. Since the
switch all users are the release's, and so are their failures that name nobody: time-outs, resets, a gateway's own 502.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from drillbook.domain import live_window
from drillbook.domain.sequential import Allowance, Tally, exceeds
from drillbook.ports import Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from drillbook.domain.serving import Flaw
    from drillbook.ports import Clock, Metrics, Sample

_NO_ANSWER: Mapping[str, Any] = MappingProxyType({"ok": 0, "bad": {}, "latency_ms": []})
Ruling = Literal["keep", "roll back", "undecided"]


@dataclass(frozen=True, slots=True)
class Limits:
    """What a release may do and stay.

    Attributes:
        errors: Share of bad answers (failed or wrong).
        slow: Share of answers that take longer than `slow_s`.
        slow_s: Seconds.
        least_answers: Fewer answers than this decide nothing.
    """

    errors: Allowance
    slow: Allowance
    slow_s: float
    least_answers: int


@dataclass(frozen=True, slots=True)
class Decision:
    """What became of the watch.

    Attributes:
        ruling: Keep it, roll it back, or undecided for want of data.
        reason: In a sentence, with the numbers.
        at_s: When.
        first_bad_s: Start of the first window with a bad or slow answer; NaN when there was none.
        data: The numbers of each signal.
        flaw: What it was found bad for; None unless it is rolled back.
    """

    ruling: Ruling
    reason: str
    at_s: float
    first_bad_s: float = math.nan
    data: Mapping[str, Any] = field(default_factory=dict[str, Any])
    flaw: Flaw | None = None


@dataclass(frozen=True, slots=True)
class _Alarm:
    reason: str
    flaw: Flaw


@dataclass(frozen=True, slots=True)
class ServerCounts:
    """PromQL of what a slot's servers have counted since they started.

    Attributes:
        answers: All answers, apart by `told_by`.
        errors: Those that failed; no series where none ever did.
        fast: Those that took no longer than a watch calls slow.
        told_by: Labels that tell whether an answer failed.
    """

    answers: str
    errors: str
    fast: str
    told_by: tuple[str, ...] = ()


class Watch:
    """One release in one slot, from its switch on."""

    def __init__(
        self,
        *,
        version: str,
        slot: str,
        limits: Limits,
        windows: Callable[[], Iterable[Mapping[str, Any]]],
        metrics: Metrics,
        counts: ServerCounts,
        clock: Clock,
        pace_s: float = 0.1,
        ask_every_s: float = 1.0,
    ) -> None:
        """Nothing is asked yet.

        Args:
            version: The release.
            slot: Where it runs.
            limits: What it may do and stay.
            windows: Lines of the load's `live.jsonl` that were not given before.
            metrics: Prometheus.
            counts: What to ask it.
            clock: The run's.
            pace_s: Between two looks at the clients' record.
            ask_every_s: Between two questions to Prometheus; its scrape interval.
        """
        self._name = f"{version}|{slot}"
        self._nameless = frozenset({"|", f"|{slot}"})
        self._limits = limits
        self._windows = windows
        self._servers = _Servers(metrics, counts, behind_s=ask_every_s)
        self._clock = clock
        self._pace_s = pace_s
        self._ask_every_s = ask_every_s
        self._answers = 0
        self._unnamed = 0
        self._doubtful = 0
        self._errors = Tally()
        self._possible = Tally()
        self._slow = Tally()
        self._first_bad_s = math.nan

    def run(self, *, since_s: float, for_s: float) -> Decision:
        """Watch until the release is found bad, or for `for_s` seconds; answers before `since_s` do not count."""
        until_s = self._clock.now() + for_s
        next_question_s = self._clock.now()
        while True:
            for window in self._windows():
                self._count(window, since_s)
            alarm = self._clients_alarm()
            if alarm is None and self._clock.now() >= next_question_s:
                alarm = self._servers.alarm(self._limits)
                next_question_s = self._clock.now() + self._ask_every_s
            if alarm is not None:
                return self._decide("roll back", alarm.reason, alarm.flaw)
            if self._clock.now() >= until_s:
                return self._end()
            self._clock.sleep(self._pace_s)

    def _count(self, window: Mapping[str, Any], since_s: float) -> None:
        if window["end_s"] <= since_s:
            return
        seen: Mapping[str, Any] = window["versions"].get(self._name, _NO_ANSWER)
        bad = sum(seen["bad"].values())
        slow = sum(latency > self._limits.slow_s * 1000 for latency in seen["latency_ms"])
        unnamed, doubtful = self._nobodys(window)
        answers, certain = seen["ok"] + bad, unnamed - doubtful
        self._answers += answers
        self._unnamed += certain
        self._doubtful += doubtful
        self._errors = self._errors.plus(answers + certain, bad + certain)
        self._possible = self._possible.plus(answers + unnamed, bad + unnamed)
        self._slow = self._slow.plus(len(seen["latency_ms"]), slow)
        if (bad or slow or certain) and math.isnan(self._first_bad_s):
            self._first_bad_s = window["start_s"]

    def _nobodys(self, window: Mapping[str, Any]) -> tuple[int, int]:
        """Failures that name no release, and how many of them may be the meter's own doing."""
        nameless = sum(sum(seen["bad"].values()) for name, seen in window["versions"].items() if name in self._nameless)
        return live_window.lost(window) + nameless, live_window.doubtful(window)

    def _clients_alarm(self) -> _Alarm | None:
        if exceeds(self._errors, self._limits.errors):
            what = "failed or were wrong"
            if self._unnamed:
                what += f", {self._unnamed} of them without an answer that names a release"
            reason = _sentence("clients", self._errors, what, self._limits.errors, of="requests")
            return _Alarm(reason, "errors")
        if exceeds(self._slow, self._limits.slow):
            what = f"took longer than {self._limits.slow_s:g} s"
            return _Alarm(_sentence("clients", self._slow, what, self._limits.slow), "latency")
        return None

    def _end(self) -> Decision:
        if self._answers < self._limits.least_answers:
            text = f"{self._answers} answers were seen, and {self._limits.least_answers} are needed to let it stay"
            return self._decide("undecided", text)
        if exceeds(self._possible, self._limits.errors):
            text = (
                f"{self._possible.bad} of {self._possible.total} requests failed or were wrong, which is too many, and "
                f"{self._doubtful} of them may be the meter's own doing"
            )
            return self._decide("undecided", text)
        text = f"{self._errors.bad - self._unnamed} of {self._answers} answers were bad, {self._slow.bad} slow"
        if lost := self._unnamed + self._doubtful:
            text += f"; {lost} request{'s' if lost > 1 else ''} failed without an answer that names a release"
        text += self._servers.unseen()
        return self._decide("keep", text)

    def _decide(self, ruling: Ruling, reason: str, flaw: Flaw | None = None) -> Decision:
        data = {
            "clients": {
                "answers": self._answers, "bad": self._errors.bad, "slow": self._slow.bad, "unnamed": self._unnamed,
                "doubtful": self._doubtful,
            },
            "servers": self._servers.data(),
        }  # fmt: skip
        return Decision(ruling, reason, self._clock.now(), self._first_bad_s, data, flaw)


@dataclass(slots=True)
class _Growth:
    """By how much two counters grew, that of all answers and that of some of them.

    Attributes:
        of_bad: Whether some are the bad ones; else they are the good ones.
        tally: Since the first look.
        before: Both counters at the last look; None before the first.
        unseen: Why a look told nothing; empty while each did.
    """

    of_bad: bool
    tally: Tally = field(default_factory=Tally)
    before: tuple[float, float] | None = None
    unseen: str = ""

    def add(self, answers: float, some: float) -> None:
        """One more look."""
        before, self.before = self.before, (answers, some)
        if before is None or answers < before[0] or some < before[1]:
            return
        grown, grown_some = int(answers - before[0]), int(some - before[1])
        bad = grown_some if self.of_bad else grown - grown_some
        self.tally = self.tally.plus(grown, min(max(bad, 0), grown))

    @property
    def blind(self) -> str:
        """Why nothing is known of it; empty when something is."""
        return "" if self.tally.total else self.unseen


class _Servers:
    """The growth of the servers' counters since the first look.

    All of a look is asked for one moment, a scrape ago: a scrape that comes in between two questions about now would
    make answers of one that the other does not have.
    """

    def __init__(self, metrics: Metrics, counts: ServerCounts, *, behind_s: float) -> None:
        self._metrics = metrics
        self._counts = counts
        self._behind_s = behind_s
        self._errors = _Growth(of_bad=True)
        self._slow = _Growth(of_bad=False)
        self._silent = 0

    def alarm(self, limits: Limits) -> _Alarm | None:
        """Why the release is to go back, or None; a Prometheus that is silent gives no reason."""
        self._silent += not self._look()
        if exceeds(self._errors.tally, limits.errors):
            return _Alarm(_sentence("Prometheus", self._errors.tally, "failed", limits.errors), "errors")
        if exceeds(self._slow.tally, limits.slow):
            what = f"took longer than {limits.slow_s:g} s"
            return _Alarm(_sentence("Prometheus", self._slow.tally, what, limits.slow), "latency")
        return None

    def data(self) -> dict[str, int]:
        """The numbers."""
        return {
            "answers": max(self._errors.tally.total, self._slow.tally.total),
            "bad": self._errors.tally.bad,
            "slow": self._slow.tally.bad,
            "unanswered_questions": self._silent,
        }

    def unseen(self) -> str:
        """What it did not see of the release, and why, for a sentence to go on with; empty when it saw all of it."""
        blind = {"whether the servers failed": self._errors.blind, "how slow they were": self._slow.blind}
        reasons = dict.fromkeys(why for why in blind.values() if why)
        said = [f"{' and '.join(it for it in blind if blind[it] == why)}: {why}" for why in reasons]
        return "".join(f"; Prometheus did not see {one}" for one in said)

    def _look(self) -> bool:
        """Whether all that was asked was told."""
        try:
            # By its own clock, which need not be ours.
            at_s = self._told(self._counts.answers)[0].at_s - self._behind_s
            answers = self._told(self._counts.answers, at_s)
        except Unreachable as error:
            self._errors.unseen = self._slow.unseen = str(error)
            return False
        told = True
        for growth, ask in ((self._errors, self._errors_of), (self._slow, self._fast_of)):
            try:
                growth.add(_sum(answers), ask(answers, at_s))
            except Unreachable as error:
                growth.unseen, told = str(error), False
        return told

    def _errors_of(self, answers: Sequence[Sample], at_s: float) -> float:
        """How many failed; none while there is no series of them, if the answers' series would tell."""
        for label in self._counts.told_by:
            if any(sample.value > 0 and not sample.labels.get(label) for sample in answers):
                raise Unreachable(
                    f"what they answered lacks the label {label}, by which metrics.failures tells failures"
                )
        return _sum(self._metrics.query(self._counts.errors, at_s=at_s))

    def _fast_of(self, _answers: Sequence[Sample], at_s: float) -> float:
        return _sum(self._told(self._counts.fast, at_s))

    def _told(self, promql: str, at_s: float | None = None) -> Sequence[Sample]:
        samples = self._metrics.query(promql, at_s=at_s)
        if not samples:
            raise Unreachable(f"Prometheus has no value for {promql!r}")
        return samples


def _sum(samples: Sequence[Sample]) -> float:
    """Of all values.

    Raises:
        Unreachable: When one is none.
    """
    if any(math.isnan(sample.value) for sample in samples):
        raise Unreachable("Prometheus answered NaN")
    return sum(sample.value for sample in samples)


def _sentence(who: str, tally: Tally, what: str, allowed: Allowance, *, of: str = "answers") -> str:
    return (
        f"{who} saw {tally.bad} of {tally.total} {of} that {what} ({tally.share:.1%}), where {allowed.share:.2%} is "
        "allowed"
    )
