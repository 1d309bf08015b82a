"""What experiments of recovery call: one entry for every step, by the name that the runbook tells it under."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drillbook import wiring
from drillbook.actions.recovery.served import Served
from drillbook.activities import Halted, activity
from drillbook.drivers.live import LiveRecord
from drillbook.run.action import perform, wait_for

if TYPE_CHECKING:
    from drillbook.actions.recovery.plan import Recovery

STAGE_OF = {
    "fence-primary": "fence",
    "promote-standby": "promote",
    "switch-over": "promote",
    "repoint-application": "repoint",
    "move-traffic": "dns",
}
"""The stage of the recovery time that ends when a step is seen done; see `drillbook.domain.recovery_time.STAGES`."""


@activity
def take_step(step: str) -> dict[str, Any]:
    """Make one change, and see it in effect before the next."""
    drill = wiring.experiment()
    done = perform(_recovery(drill).step(step), drill.journal, drill.timeline, drill.clock)
    if step in STAGE_OF:
        text = f"the stage {STAGE_OF[step]} has ended"
        drill.timeline.record("note", text, at_s=done.observed_s, activity="stage", stage=STAGE_OF[step])
    return {"seen": done.observation.text, "took_s": done.observed_s - done.intended_s}


@activity
def verify_writes(step: str, where: str) -> dict[str, Any]:
    """See that what the public writes is kept; `where` is `home` or `away`."""
    drill = wiring.experiment()
    recovery = _recovery(drill)
    check = recovery.verify(drill.platform.smoke(drill.prefix), {"home": recovery.home, "away": recovery.away}[where])
    drill.timeline.record("intent", check.describe(), activity=step)
    seen = wait_for(check.observe, drill.clock, deadline_s=check.deadline_s, pace_s=0.5)
    data = {**seen.data, "activity": step, "holds": seen.holds}
    drill.timeline.record("recovered" if seen.holds else "note", seen.text, at_s=seen.at_s, **data)
    if not seen.holds:
        raise Halted(f"writes are not kept: {seen.text}")
    return {"seen": seen.text}


@activity
def await_good_service(for_s: float, within_s: float) -> dict[str, Any]:
    """See users served well for so long without a break."""
    drill = wiring.experiment()
    look = Served(LiveRecord(drill.folder / "load" / "live.jsonl"), drill.clock, for_s)
    drill.timeline.record("intent", look.describe(), activity="await_good_service")
    seen = wait_for(look.observe, drill.clock, deadline_s=within_s, pace_s=0.25)
    data = {**seen.data, "activity": "await_good_service", "holds": seen.holds}
    drill.timeline.record("observed" if seen.holds else "note", seen.text, at_s=seen.at_s, **data)
    if not seen.holds:
        raise Halted(f"service is not good again: {seen.text}, after {within_s:g} s")
    return {"seen": seen.text}


def _recovery(drill: wiring.Experiment) -> Recovery:
    found = drill.platform.recovery
    if found is None:
        name = drill.platform.environment.name
        raise Halted(f"not proved here: the environment {name} does not say how it is recovered")
    return found
