"""Give a release more and more of the traffic, and decide at each look whether it may have it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from drillbook.actions.switch import Switch
from drillbook.domain.canary import WHOLE, Comparison, window
from drillbook.domain.canary_ruling import Look, Step, look, numbers, took
from drillbook.ports import Conflict, Observation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from drillbook.domain.canary import Plan
    from drillbook.domain.serving import Flaw
    from drillbook.ports import Client, Clock, Router

_ASKED_AT_MOST = 4
"""Requests for each that the smaller weight should get one of; more, and the weights are not in effect."""


@dataclass(frozen=True, slots=True)
class Shift:
    """Part of the weight to one slot, in steps; in effect once that slot answers new connections beside the other.

    One change in the undo journal covers all steps: it is written down before the first, with the weights as they were,
    and its undo knows every weight that it may find.

    Attributes:
        router: Declares the weights.
        client: A user, who sees where the answers come from: a route's own status says less.
        clock: The run's.
        slot: Where to.
        path: What the user asks for to see who answers; cheap and always answered.
        steps: Weights of the slot, in percent.
        place: Which of them, from 0.
        deadline_s: For each step to show; nobody looks at the answers meanwhile, so it is short.
    """

    router: Router
    client: Client
    clock: Clock
    slot: str
    path: str
    steps: tuple[int, ...]
    place: int = 0
    deadline_s: float = 10.0

    @property
    def name(self) -> str:
        """Its registered name."""
        return "shift-traffic"

    @property
    def arguments(self) -> Mapping[str, Any]:
        """What it was made with."""
        return {"slot": self.slot, "steps": list(self.steps)}

    @property
    def touches(self) -> tuple[str, ...]:
        """The route, and every slot that it may lead to."""
        return self._switch.touches

    @property
    def weight(self) -> int:
        """Of the slot at this step, in percent."""
        return self.steps[self.place]

    def at(self, place: int) -> Shift:
        """The same at another step."""
        return replace(self, place=place)

    def describe(self) -> str:
        """In words."""
        return f"send {self.weight} % of the traffic to slot {self.slot}"

    def capture(self) -> Mapping[str, Any]:
        """The weights now."""
        return {"weights": self.router.weights()}

    def do(self) -> None:
        """Declare the weights of this step."""
        self.router.set_weights(self._wanted(self.weight))

    def observe(self) -> Observation:
        """Whether new connections are answered by every slot that has weight, and by no other."""
        if self.weight == WHOLE:
            return self._switch.observe()
        wanted = set(self.router.backends())
        most = _ASKED_AT_MOST * math.ceil(WHOLE / min(self.weight, WHOLE - self.weight))
        seen: set[str] = set()
        for number in range(1, most + 1):
            seen.add(self.client.origin(self.client.get(self.path)).slot)
            if seen >= wanted:
                text = f"slots {' and '.join(sorted(wanted))} answered within {number} new connections"
                return Observation(True, text, self.clock.now(), {"answered": sorted(seen), "weight": self.weight})
        text = f"only slot {' and '.join(sorted(seen))} answered {most} new connections"
        return Observation(False, text, self.clock.now(), {"answered": sorted(seen), "weight": self.weight})

    def undo(self, before: Mapping[str, Any]) -> None:
        """Declare the weights of before, from whichever step.

        Raises:
            Conflict: When the weights are neither those of before nor those of a step.
        """
        former = {str(slot): int(weight) for slot, weight in before["weights"].items()}
        now = self.router.weights()
        if now == former:
            return
        if now not in [self._wanted(weight) for weight in self.steps]:
            raise Conflict(
                f"the weights are {now}, which is neither what they were ({former}) nor what a step of this canary "
                "made of them: somebody else has changed them since, so they are left; set them by hand"
            )
        self.router.set_weights(former)

    def observe_undone(self, before: Mapping[str, Any]) -> Observation:
        """Whether the slots that had weight answer again, and no other, and the weights are those of before."""
        return self._switch.observe_undone(before)

    @property
    def _switch(self) -> Switch:
        return Switch(self.router, self.client, self.clock, self.slot, self.path, deadline_s=self.deadline_s)

    def _wanted(self, weight: int) -> dict[str, int]:
        return {slot: weight if slot == self.slot else WHOLE - weight for slot in self.router.backends()}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a canary.

    Attributes:
        ruling: Promoted to all traffic, aborted, or undecided for want of what decides.
        reason: In a sentence, with the numbers.
        at_s: When.
        first_bad_s: Start of the first window with a bad answer of the canary; NaN when there was none.
        flaw: What it was found worse for; None unless it was aborted.
    """

    ruling: Literal["promote", "abort", "undecided"]
    reason: str
    at_s: float
    first_bad_s: float = math.nan
    flaw: Flaw | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """One look, for the record.

    Attributes:
        look: The decision.
        document: The numbers that it stands on, and how many windows of the load's record had been read.
    """

    look: Look
    document: Mapping[str, Any]


class Trial:
    """A canary's way through its steps."""

    def __init__(
        self,
        *,
        plan: Plan,
        canary: str,
        stable: str,
        windows: Callable[[], Iterable[Mapping[str, Any]]],
        servers: Callable[[], float | None],
        clock: Clock,
        tell: Callable[[Told], None],
        pace_s: float = 0.1,
        ask_every_s: float = 1.0,
    ) -> None:
        """Nothing is asked yet.

        Args:
            plan: How it is decided.
            canary: Who it is in the load's record, as `VERSION|SLOT`.
            stable: Likewise.
            windows: Lines of the load's `live.jsonl` that were not given before.
            servers: Answers that the canary's servers have counted under its version; None when nobody can tell.
            clock: The run's.
            tell: Is given every look that had something new to look at.
            pace_s: Between two looks.
            ask_every_s: Between two questions to the servers' metrics; their scrape interval.
        """
        self._plan = plan
        self._names = (canary, stable)
        self._windows = windows
        self._ask = servers
        self._clock = clock
        self._tell = tell
        self._pace_s = pace_s
        self._ask_every_s = ask_every_s
        self._asked_s = -math.inf
        self._servers: float | None = None
        self._seen = Comparison(plan)
        self._read = 0
        self._first_bad_s = math.nan

    def run(self, *, since_s: float, shift: Callable[[int], float]) -> Outcome:
        """Step by step, until it has all traffic, is aborted or cannot be decided.

        Args:
            since_s: Since when the first step's weights are declared.
            shift: Brings another step into effect, by its place, and answers since when it is declared.
        """
        place, first_s = 0, since_s
        step = Step(self._plan.steps[0], since_s)
        while True:
            step, news = self._take(step, first_s)
            found = look(self._seen, step, self._clock.now(), self._counted())
            if news or found.ruling != "hold":
                self._tell(Told(found, self._document(step, first_s)))
            if found.ruling == "hold":
                self._clock.sleep(self._pace_s)
                continue
            if found.ruling == "promote":
                place += 1
                step = Step(self._plan.steps[place], shift(place))
                if step.weight < WHOLE:
                    continue
            return Outcome(found.ruling, found.reason, found.at_s, self._first_bad_s, found.flaw)

    def _take(self, step: Step, first_s: float) -> tuple[Step, bool]:
        before = self._read
        for line in self._windows():
            made = window(line, *self._names)
            self._seen, step, self._read = *took(self._seen, step, made, first_s), self._read + 1
            if made.canary.counts.hits and math.isnan(self._first_bad_s):
                self._first_bad_s = made.start_s
        return step, self._read > before

    def _counted(self) -> float | None:
        if self._clock.now() - self._asked_s >= self._ask_every_s:
            self._asked_s, self._servers = self._clock.now(), self._ask()
        return self._servers

    def _document(self, step: Step, first_s: float) -> dict[str, Any]:
        return {
            "windows": self._read,
            "first_s": first_s,
            "since_s": step.since_s,
            **numbers(self._seen, step, self._servers),
        }
