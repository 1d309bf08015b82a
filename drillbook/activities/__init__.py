"""What experiments call: thin entry points for Chaos Toolkit's Python provider, each one activity.

The run's folder, drill and environment come by environment variables, the ports from `drillbook.wiring`. Chaos Toolkit
goes on after an activity that raised, and swallows its own InterruptExecution when an activity raises that. So whatever
fails here is written to the timeline, and every later activity but the way back refuses to act.
"""

from __future__ import annotations

import functools
import math
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ParamSpec, Protocol, TypeAlias, TypeVar

from drillbook import wiring
from drillbook.actions.drain import Drain
from drillbook.actions.validate import Validate
from drillbook.actions.watch import ServerCounts, Watch
from drillbook.domain.promql import total
from drillbook.drivers.live import LiveRecord
from drillbook.ports import Unreachable
from drillbook.run.action import perform, restore, wait_for
from probes import story

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Generator
    from contextlib import AbstractContextManager

    from drillbook.actions.watch import Decision
    from drillbook.domain.undo import Change, Restoration
    from drillbook.ports import Observation, SlotStatus
    from drillbook.run.timeline import Kind

P = ParamSpec("P")
R = TypeVar("R")
Around: TypeAlias = "Callable[[wiring.Experiment, Change], AbstractContextManager[Callable[[Restoration], None]]]"

_FOUND_WITHIN_S = 20.0
"""For Prometheus to find a new slot's pods, beside what it takes to scrape them."""
_STILL_SCRAPES = 2.5
"""For so many scrapes a counter has to stand still to be known to."""
_UNNOTICED = frozenset({"deploy-release"})
"""Actions whose undo no user notices: it clears a slot that has no traffic any more."""
_MOVES_TRAFFIC = frozenset({"switch-traffic", "shift-traffic"})


class Halted(Exception):
    """The experiment goes no further; the text says why."""


_halted: list[str] = []
"""Why this process' experiment goes no further; empty while it may."""


def activity(function: Callable[P, R]) -> Callable[P, R]:
    """Whatever goes wrong, nothing more is done after it."""

    @functools.wraps(function)
    def halting(*args: P.args, **kwargs: P.kwargs) -> R:
        if _halted:
            raise Halted(f"not done, because: {_halted[0]}")
        try:
            return function(*args, **kwargs)
        except Exception as error:
            _halted.append(str(error))
            text = f"{function.__name__.replace('_', ' ')}: {error}"
            wiring.experiment().timeline.record("note", text, activity=function.__name__, failed=True)
            raise

    return halting


class Look(Protocol):
    """What is waited for."""

    def describe(self) -> str:
        """In words."""
        ...

    def observe(self) -> Observation:
        """How it is now."""
        ...


def wait_and_tell(
    drill: wiring.Experiment, look: Look, name: str, kind: Kind, *, deadline_s: float, pace_s: float
) -> Observation:
    """Wait for something, with what is waited for and what came of it on the timeline.

    Args:
        drill: Whose timeline and clock.
        look: What is waited for.
        name: Of the activity that waits.
        kind: Of the event that says that it came about; else it is a note.
        deadline_s: When it is given up, in seconds from now.
        pace_s: Between two looks, in seconds.
    """
    drill.timeline.record("intent", look.describe(), activity=name)
    seen = wait_for(look.observe, drill.clock, deadline_s=deadline_s, pace_s=pace_s)
    data = {**seen.data, "activity": name, "holds": seen.holds}
    drill.timeline.record(kind if seen.holds else "note", seen.text, at_s=seen.at_s, **data)
    return seen


def platform_serves() -> bool:
    """Probe: the slot that has the weight is whole. Never raises; says why not on the timeline."""
    drill = wiring.experiment()
    try:
        slot = drill.platform.live_slot()
        status = drill.platform.cluster.slot(slot)
    except Unreachable as error:
        drill.timeline.record("note", f"the platform cannot be looked at: {error}", activity="platform_serves")
        return False
    whole = 0 < status.desired == status.ready
    if not whole:
        text = f"slot {slot} has the public's traffic with {status.ready} of {status.desired} pods ready"
        drill.timeline.record("note", text, activity="platform_serves")
    return whole


@activity
def await_steady_load() -> None:
    """Some seconds of undisturbed load, to compare with."""
    drill = wiring.experiment()
    began_s = story.moment(drill.events(), "load", "note") or drill.clock.now()
    left_s = began_s + drill.platform.environment.strategy.before_s - drill.clock.now()
    drill.clock.sleep(max(0.0, left_s))


@activity
def deploy_release(release: str) -> dict[str, Any]:
    """To the idle slot."""
    drill = wiring.experiment()
    action = drill.platform.deploy(drill.platform.idle_slot(), release)
    return perform(action, drill.journal, drill.timeline, drill.clock).answer


@activity
def await_telemetry() -> dict[str, Any]:
    """Of the idle slot; without it the drill could not pass, so the public is spared the switch."""
    drill = wiring.experiment()
    look = drill.platform.scraped(drill.platform.idle_slot())
    # The first scrape is due within one interval, and may be missed.
    within_s = _FOUND_WITHIN_S + 2 * drill.platform.series.scrape_interval_s
    seen = wait_and_tell(drill, look, "await_telemetry", "observed", deadline_s=within_s, pace_s=0.5)
    if not seen.holds:
        raise Halted(f"the public is not sent to what its servers' metrics do not show: {seen.text}")
    return {"seen": seen.text}


@activity
def validate_release(release: str) -> dict[str, Any]:
    """Before it takes traffic; a release that fails ends the experiment."""
    drill = wiring.experiment()
    platform = drill.platform
    check = Validate(
        platform.smoke(drill.prefix), drill.clock, platform.idle_slot(), platform.version_of(release),
        times=platform.environment.strategy.validations,
    )  # fmt: skip
    drill.timeline.record("intent", check.describe(), activity="validate_release")
    seen = check.observe()
    data = {**seen.data, "activity": "validate_release", "holds": seen.holds}
    drill.timeline.record("observed" if seen.holds else "decided", seen.text, at_s=seen.at_s, **data)
    if not seen.holds:
        raise Halted(f"release {release} is not fit for the public: {seen.text}")
    return {"seen": seen.text}


@activity
def switch_traffic() -> dict[str, Any]:
    """To the slot that was idle."""
    drill = wiring.experiment()
    action = drill.platform.switch(drill.platform.idle_slot())
    return perform(action, drill.journal, drill.timeline, drill.clock).answer


@activity
def watch_release(release: str) -> dict[str, Any]:
    """Keep it, or send it back as soon as it is known to be bad."""
    drill = wiring.experiment()
    platform = drill.platform
    slot, version = platform.live_slot(), platform.version_of(release)
    series = platform.series
    watch = Watch(
        version=version,
        slot=slot,
        limits=platform.limits(),
        windows=LiveRecord(drill.folder / "load" / "live.jsonl"),
        metrics=platform.metrics,
        counts=ServerCounts(
            answers=total(series.of(series.requests, slot=slot, version=version), by=series.failure_labels),
            errors=total(series.of(series.failures, slot=slot, version=version)),
            fast=total(series.of(series.fast, slot=slot, version=version)),
            told_by=series.failure_labels,
        ),
        clock=drill.clock,
        ask_every_s=series.scrape_interval_s,
    )  # fmt: skip
    for_s = platform.environment.strategy.watch_s
    status = platform.cluster.slot(slot)
    drill.timeline.record(
        "intent", f"watch release {version} for {for_s:g} s", activity="watch_release", slot=slot,
        addresses=list(status.addresses),
    )  # fmt: skip
    decision = watch.run(since_s=story.moment(drill.events(), "switch-traffic", "injected") or 0.0, for_s=for_s)
    _tell(drill, decision)
    _tell_readiness(drill, status)
    if decision.ruling == "roll back":
        roll_back(drill, "by itself")
    return {"ruling": decision.ruling, "reason": decision.reason}


@activity
def roll_back_by_operator(after_s: float) -> dict[str, Any]:
    """An operator's order, after the release was live for a while."""
    drill = wiring.experiment()
    drill.clock.sleep(float(after_s))
    drill.timeline.record("decided", "an operator orders the way back", activity="roll_back", by="operator")
    return {"seen": roll_back(drill, "by an operator's order")}


@activity
def drain_old_slot() -> dict[str, Any]:
    """See the slot without traffic finish what it has; it stays warm."""
    drill = wiring.experiment()
    platform = drill.platform
    slot, series = platform.idle_slot(), platform.series
    still_s = _STILL_SCRAPES * series.scrape_interval_s
    action = Drain(
        platform.metrics, platform.cluster, drill.clock, slot,
        in_flight=series.of(series.in_flight, slot=slot), requests=series.of(series.requests, slot=slot),
        still_s=still_s, switched_s=story.moment(drill.events(), "switch-traffic", "injected") or drill.clock.now(),
        # What it has to be seen to do is not taken from what it may take to do it.
        deadline_s=platform.environment.strategy.drain_s + still_s,
    )  # fmt: skip
    drill.timeline.record("intent", action.describe(), activity="drain_old_slot")
    seen = wait_for(action.observe, drill.clock, deadline_s=action.deadline_s, pace_s=0.3)
    data = {**seen.data, "activity": "drain_old_slot", "holds": seen.holds, "slot": slot}
    # A last look that saw nothing is no slot with work left.
    drill.timeline.record("observed" if seen.data else "note", seen.text, at_s=seen.at_s, **data)
    return {"drained": seen.holds, "seen": seen.text}


@contextmanager
def _nothing_more(_drill: wiring.Experiment, _change: Change) -> Generator[Callable[[Restoration], None]]:
    yield lambda _found: None


def put_back(around: Around = _nothing_more) -> dict[str, Any]:
    """Undo what is still open, last change first; done also after something went wrong.

    Args:
        around: Is entered with each change before it is undone, and told what came of that.
    """
    drill = wiring.experiment()
    drill.timeline.record_on_the_way_back("intent", "put back what was changed", activity="put_back")

    def undo(change: Change) -> Restoration:
        with around(drill, change) as seen:
            found = drill.platform.undo(change)
            if found.restored:
                drill.timeline.record_on_the_way_back("recovered", found.text, at_s=found.at_s, activity="put_back")
                _tell_traffic_back(drill, but=change)
            seen(found)
        return found

    _tell_traffic_back(drill)
    undone = drill.journal.undo_all(undo, drill.clock)
    for found in undone:
        if not found.restored:
            drill.timeline.record_on_the_way_back("note", found.text, activity="put_back", failed=True)
    return {"restored": [found.text for found in undone], "all": all(found.restored for found in undone)}


def _tell_traffic_back(drill: wiring.Experiment, but: Change | None = None) -> None:
    """What is left to put back touches nobody's requests, so the load may end; told once."""
    noticed = [c for c in drill.journal.open_changes() if c.action not in _UNNOTICED and c != but]
    told = any(event.data.get("activity") == "traffic_back" for event in drill.events())
    if not noticed and not told:
        text = "the public's traffic is where it was"
        drill.timeline.record_on_the_way_back("note", text, activity="traffic_back")


def _tell(drill: wiring.Experiment, decision: Decision) -> None:
    data = {**decision.data, "activity": "watch_release", "ruling": decision.ruling}
    if not math.isnan(decision.first_bad_s):
        data["first_bad_s"] = decision.first_bad_s
    if decision.flaw is not None:
        data["flaw"] = decision.flaw
    if decision.ruling == "roll back":
        drill.timeline.record("detected", decision.reason, at_s=decision.at_s, **data)
    drill.timeline.record("decided", f"{decision.ruling}: {decision.reason}", at_s=decision.at_s, **data)


def _tell_readiness(drill: wiring.Experiment, before: SlotStatus) -> None:
    """Which of a slot's pods stopped being ready while it was watched, though they may be ready again."""
    try:
        since = drill.platform.cluster.slot(before.slot).ready_since
    except Unreachable as error:
        text = f"nobody can tell whether the pods of slot {before.slot} were ready all along: {error}"
        drill.timeline.record("note", text, activity="readiness")
        return
    lost = sorted(name for name, then in before.ready_since.items() if since.get(name) != then)
    stayed = len(before.ready_since) - len(lost)
    text = f"{stayed} of {len(before.ready_since)} pods of slot {before.slot} were ready all along"
    drill.timeline.record("observed", text, activity="readiness", lost=lost, pods=sorted(before.ready_since))


def roll_back(drill: wiring.Experiment, how: str) -> str:
    """Undo the switch, or the shift, so that nothing is left to undo of it; answers what was seen of it.

    Raises:
        Unreachable: When there is none to take back.
    """
    change = open_change(drill, _MOVES_TRAFFIC, "switch to take back")
    weights = change.arguments["before"]["weights"]
    drill.timeline.record("intent", f"send traffic back to {weights}, {how}", activity="roll_back")
    return take_back(drill, change, "traffic is declared for the old slot")


def open_change(drill: wiring.Experiment, actions: Collection[str], what: str) -> Change:
    """The last change by one of these actions that the undo journal has open.

    Raises:
        Unreachable: When it has none; `what` says what there is not.
    """
    change = next((found for found in drill.journal.open_changes() if found.action in actions), None)
    if change is None:
        raise Unreachable(f"there is no {what}: the undo journal holds none that is open")
    return change


def take_back(drill: wiring.Experiment, change: Change, declared: str) -> str:
    """Undo a change as the way back that a drill is about; answers what was seen of it.

    Args:
        drill: Whose change it is.
        change: Open in the undo journal.
        declared: For the timeline, once the system has accepted the way back.
    """
    action = drill.platform.make(change)

    def undo(found: Change) -> Restoration:
        action.undo(found.arguments["before"])
        if story.moment(drill.events(), "roll_back", "injected") is None:
            drill.timeline.record_on_the_way_back("injected", declared, activity="roll_back")
        return restore(found, action, drill.clock)

    restoration = drill.journal.settle(change, undo, drill.clock)
    kind = "recovered" if restoration.restored else "note"
    drill.timeline.record(kind, restoration.text, at_s=restoration.at_s, activity="roll_back",
                          failed=not restoration.restored)  # fmt: skip
    return restoration.text
