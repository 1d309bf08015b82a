"""What experiments of faults call: made, held, lifted, and the users' service seen to be good again."""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from drillbook import wiring
from drillbook.activities import Halted, activity, open_change
from drillbook.domain.fault import CATALOGUE
from drillbook.ports import Observation, Unreachable
from drillbook.run import fault_guard
from drillbook.run.action import perform, wait_for
from probes import story

if TYPE_CHECKING:
    from drillbook.actions.faults.plan import Faults
    from drillbook.domain.undo import Change, Restoration

AFTERMATH_S = 6.0
"""How long the load goes on after a fault is over: longer than the good service that counts as sustained (5 s)."""

_WHOLE_WITHIN_S = 60.0
"""From the undo to every serving pod's being ready."""


@activity
def inject_fault(fault: str) -> dict[str, Any]:
    """Choose what it hits, ask the guard, make it, and see by another path that it bit."""
    drill = wiring.experiment()
    chosen = _faults(drill).choose(fault)
    fault_guard.check(
        drill.platform.environment, CATALOGUE[fault], chosen.reach, fault_guard.faults_in(drill.journal.open_changes())
    )
    return perform(chosen.action, drill.journal, drill.timeline, drill.clock).answer


@activity
def hold_fault(fault: str) -> dict[str, Any]:
    """Keep it for as long as its drill says; one that lasts has to be there still at the end."""
    drill = wiring.experiment()
    meant_s = story.moment(drill.events(), fault, "intent") or drill.clock.now()
    drill.clock.sleep(max(0.0, meant_s + CATALOGUE[fault].held_s - drill.clock.now()))
    if not CATALOGUE[fault].lasts:
        return {"seen": f"{fault} is over by itself"}
    action = drill.platform.make(open_change(drill, {fault}, f"{fault} in the system"))
    seen = wait_for(action.observe, drill.clock, deadline_s=0.0)
    kind = "observed" if seen.holds else "note"
    drill.timeline.record(kind, seen.text, at_s=seen.at_s, **{**seen.data, "activity": "hold_fault"}, holds=seen.holds)
    if not seen.holds:
        raise Halted(f"{fault} did not last until it was to be lifted: {seen.text}")
    return {"seen": seen.text}


@activity
def lift_fault(fault: str) -> dict[str, Any]:
    """Its undo, by the journal, so that nothing is left to undo of it."""
    drill = wiring.experiment()
    change = open_change(drill, {fault}, f"{fault} in the system")
    drill.timeline.record("intent", f"lift {fault}", activity="lift_fault")
    found = drill.journal.settle(change, functools.partial(_undo_and_see_service, drill), drill.clock)
    kind = "recovered" if found.restored else "note"
    drill.timeline.record(kind, found.text, at_s=found.at_s, activity="lift_fault", failed=not found.restored)
    if not found.restored:
        raise Unreachable(f"{fault} is not undone: {found.text}")
    return {"seen": found.text}


@activity
def await_aftermath() -> None:
    """Some seconds of load after the fault: whether the service stays good is seen only then."""
    drill = wiring.experiment()
    over_s = story.moment(drill.events(), "lift_fault", "recovered") or drill.clock.now()
    drill.clock.sleep(max(0.0, over_s + AFTERMATH_S - drill.clock.now()))


def _undo_and_see_service(drill: wiring.Experiment, change: Change) -> Restoration:
    """A fault is over when those who serve are whole again, too: until then the guard has to allow for it."""

    def look() -> Observation:
        ready, wanted = wiring.serving(drill.platform)
        return Observation(0 < wanted == ready, f"{ready} of {wanted} serving pods are ready", drill.clock.now())

    found = drill.platform.undo(change)
    if not found.restored:
        return found
    seen = wait_for(look, drill.clock, deadline_s=_WHOLE_WITHIN_S)
    return replace(found, restored=seen.holds, text=f"{found.text}; {seen.text}", at_s=seen.at_s)


def _faults(drill: wiring.Experiment) -> Faults:
    found = drill.platform.faults
    if found is None:
        name = drill.platform.environment.name
        raise Halted(f"not proved here: the environment {name} does not say what faults may hit")
    return found
