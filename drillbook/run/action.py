"""Actions: changes to the system, each with its undo, carried out so that a crash at any moment can be mended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from drillbook.domain.undo import Restoration
from drillbook.ports import Observation, Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from drillbook.domain.undo import Change
    from drillbook.ports import Clock
    from drillbook.run.journal import Journal
    from drillbook.run.timeline import Timeline


class NotObserved(Exception):
    """A change was made, and an independent look did not find it in effect before the deadline."""


class Action(Protocol):
    """One change to the system.

    An action is made from its arguments alone, which are JSON-compatible, so that another process, on another machine,
    can make it again from the journal in order to undo it.
    """

    @property
    def name(self) -> str:
        """Its registered name, for example `switch-traffic`."""
        ...

    @property
    def arguments(self) -> Mapping[str, Any]:
        """What it was made with."""
        ...

    @property
    def touches(self) -> tuple[str, ...]:
        """Names of what the change and its undo concern, for example `slot/green`; see `Change.touches`."""
        ...

    def describe(self) -> str:
        """What it will do, in a sentence without a full stop."""
        ...

    def capture(self) -> Mapping[str, Any]:
        """The state before, as far as `undo` needs it; changes nothing."""
        ...

    def do(self) -> None:
        """Make the change; returns once it was accepted."""
        ...

    def observe(self) -> Observation:
        """Whether the change is in effect, seen by another path than the one that made it."""
        ...

    def undo(self, before: Mapping[str, Any]) -> None:
        """Put the state back; idempotent, whether the change was never made, half made or made twice."""
        ...

    def observe_undone(self, before: Mapping[str, Any]) -> Observation:
        """Whether the state is as it was before."""
        ...

    @property
    def deadline_s(self) -> float:
        """How long the change, and again its undo, may take to be in effect."""
        ...


@dataclass(frozen=True, slots=True)
class Performed:
    """A change that was made and seen.

    Attributes:
        change: Its entry in the undo journal.
        intended_s: When it was written down.
        accepted_s: When the system had accepted it.
        observed_s: When it was seen in effect; all in seconds since the epoch on the run's clock.
        observation: What was seen.
    """

    change: Change
    intended_s: float
    accepted_s: float
    observed_s: float
    observation: Observation

    @property
    def answer(self) -> dict[str, Any]:
        """What an activity answers with, JSON-compatible: what was seen, and how many seconds it took."""
        return {"seen": self.observation.text, "took_s": self.observed_s - self.intended_s}


def perform(action: Action, journal: Journal, timeline: Timeline, clock: Clock) -> Performed:
    """Capture, write ahead, do, observe.

    Raises:
        NotObserved: When the change was not seen in effect before its deadline; it stays in the journal to be undone.
    """
    before = action.capture()
    intended = timeline.record("intent", action.describe(), action=action.name)
    arguments = {"arguments": dict(action.arguments), "before": dict(before)}
    change = journal.intend(action.name, arguments, timeline.drill, action.touches)
    action.do()
    accepted = timeline.record("injected", action.describe(), action=action.name)
    journal.done(change)
    observation = _in_effect(action, timeline, clock)
    return Performed(change, intended.t_s, accepted.t_s, observation.at_s, observation)


def advance(action: Action, journal: Journal, timeline: Timeline, clock: Clock) -> float:
    """Take a further step of a change that the journal has with all its steps; answers when the system accepted it.

    Raises:
        NotObserved: When the step was not seen in effect before its deadline; the change stays to be undone.
        LockLost: When the environment is someone else's by now; then the step is not taken.
    """
    timeline.record("intent", action.describe(), action=action.name)
    journal.go_on()
    action.do()
    accepted = timeline.record("injected", action.describe(), action=action.name)
    _in_effect(action, timeline, clock)
    return accepted.t_s


def _in_effect(action: Action, timeline: Timeline, clock: Clock) -> Observation:
    observation = wait_for(action.observe, clock, deadline_s=action.deadline_s)
    if not observation.holds:
        text = f"{action.describe()}: not in effect after {action.deadline_s:g} s: {observation.text}"
        timeline.record("note", text, action=action.name)
        raise NotObserved(text)
    timeline.record("observed", observation.text, at_s=observation.at_s, action=action.name, **observation.data)
    return observation


def restore(change: Change, action: Action, clock: Clock) -> Restoration:
    """Undo one change and look whether the state is back."""
    before = change.arguments["before"]
    action.undo(before)
    seen = wait_for(lambda: action.observe_undone(before), clock, deadline_s=action.deadline_s)
    return Restoration(change, seen.holds, seen.text, seen.at_s)


def wait_for(look: Callable[[], Observation], clock: Clock, *, deadline_s: float, pace_s: float = 0.1) -> Observation:
    """Look until what is expected holds, or the deadline has passed; answers the last observation.

    A system that does not answer is looked at again: it may be what the wait is for.
    """
    give_up_s = clock.now() + deadline_s
    while True:
        try:
            seen = look()
        except Unreachable as error:
            seen = Observation(holds=False, text=str(error), at_s=clock.now())
        if seen.holds or clock.now() >= give_up_s:
            return seen
        clock.sleep(pace_s)
