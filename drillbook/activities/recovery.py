"""What experiments of recovery call: one entry for every step, by the name that the runbook tells it under."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from drillbook import activities, wiring
from drillbook.actions.recovery.detect import DecideFailover, DetectLoss
from drillbook.actions.recovery.served import Served
from drillbook.activities import Halted, activity, telling, wait_and_tell
from drillbook.domain import archive_age, runbook
from drillbook.domain.undo import FAULT
from drillbook.drivers.live import LiveRecord
from drillbook.ports import Observation
from drillbook.run.action import perform, wait_for
from probes import archive

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from drillbook.actions.recovery.plan import Recovery
    from drillbook.domain.undo import Change, Restoration

STAGE_OF = {
    "fence-primary": "fence",
    "promote-standby": "promote",
    "switch-over": "promote",
    "repoint-application": "repoint",
    "move-traffic": "dns",
}
"""The stage of the recovery time that ends when a step is seen done; see `drillbook.domain.recovery_time.STAGES`."""


TAKEN_BACK_BY = {"switch-back": ("promote-standby", "fence-primary"), "lead-traffic-back": ("move-traffic",)}
"""Steps that are the undo of earlier ones, those in the order of their undoing: nothing is left to undo then."""

_MOMENT_WITHIN_S = 240.0
"""Two segments that end by time have to be seen, each a minute after the one before, and the archive may be slow."""
_LEAD_S = 6.0
"""So long before the segment's end by time: ordering a loss takes some seconds to bite."""

_LED_WITHIN_S = 120.0
"""Longer than a name may be kept; what takes longer is measured by what users saw."""

_LOST_WITHIN_S = 120.0
"""A fault that nobody has noticed after so long, and a primary's lease has run out, is none that fails over."""


@activity
def await_moment(moment: str) -> dict[str, Any]:
    """Wait for the moment at which the loss is to come: one of `archive_age.MOMENTS`."""
    drill = wiring.experiment()
    if moment not in archive_age.MOMENTS:
        raise Halted(f"there is no moment {moment!r}; there are {', '.join(archive_age.MOMENTS)}")
    if moment == "any":
        return {"seen": "whenever it is its turn"}

    def look() -> Observation:
        seen = archive.looks(drill.folder)
        text = f"the archive lacks nearly the most that it ever does: {archive_age.most_s(seen)} s"
        return Observation(archive_age.about_to_go_on(seen, _LEAD_S), text, drill.clock.now())

    drill.timeline.record("intent", "wait until the archive is about to get a segment", activity="await_moment")
    seen = wait_for(look, drill.clock, deadline_s=_MOMENT_WITHIN_S, pace_s=0.5)
    drill.timeline.record("observed" if seen.holds else "note", seen.text, at_s=seen.at_s, activity="await_moment")
    if not seen.holds:
        raise Halted(f"the archive was not seen to be about to get a segment within {_MOMENT_WITHIN_S:g} s")
    return {"seen": seen.text}


@activity
def lose_region(how: str) -> dict[str, Any]:
    """Lose the primary region: `cut` from the network, all its `nodes`, or a `partition` in which both sides live."""
    return _lose(how)


@activity
def lose_primary(how: str) -> dict[str, Any]:
    """Lose the database while its region lives: its `server` is gone, or both `servers` with all that they hold."""
    return _lose(how)


@activity
def destroy_table() -> dict[str, Any]:
    """A bad migration drops a table that users rest on."""
    return _lose("table")


@activity
def detect_loss() -> dict[str, Any]:
    """See that the primary is lost, as whoever is on watch would."""
    drill = wiring.experiment()
    recovery = recovery_of(drill)
    look = DetectLoss(recovery.sites[recovery.home], drill.clock)
    within_s = max(_LOST_WITHIN_S, recovery.silence_s + 30.0)
    seen = wait_and_tell(drill, look, "detect_loss", "detected", deadline_s=within_s, pace_s=1.0)
    if not seen.holds:
        raise Halted(f"nothing is failed over: {seen.text}, {within_s:g} s after it was made to go wrong")
    end_stage(drill, "detect", seen.at_s)
    return {"seen": seen.text}


@activity
def decide_failover() -> dict[str, Any]:
    """Decide by the rule, without a person."""
    drill = wiring.experiment()
    recovery = recovery_of(drill)
    seen = DecideFailover(recovery.sites[recovery.home], recovery.sites[recovery.away], drill.clock).observe()
    drill.timeline.record(
        "decided", seen.text, at_s=seen.at_s, activity="decide_failover", holds=seen.holds, **seen.data
    )
    if not seen.holds:
        raise Halted(seen.text)
    end_stage(drill, "decide", seen.at_s)
    return {"decided": seen.text}


@activity
def end_fault() -> dict[str, Any]:
    """What was lost comes back: whoever was primary there takes no write before it was rebuilt."""
    drill = wiring.experiment()
    drill.timeline.record("intent", "end what was made to go wrong", activity="end_fault")
    return {"seen": [_taken_back(drill, FAULT, "end_fault")]}


@activity
def take_back(step: str) -> dict[str, Any]:
    """Undo the earlier steps that this one is the opposite of, and see them undone."""
    drill = wiring.experiment()
    recovery = recovery_of(drill)
    telling.before(drill, recovery, step)
    drill.timeline.record("intent", f"take back {' and '.join(TAKEN_BACK_BY[step])}", activity=step)
    seen = [_taken_back(drill, action, step) for action in TAKEN_BACK_BY[step]]
    telling.after(drill, recovery, step)
    return {"seen": seen}


def put_back() -> dict[str, Any]:
    """As after any experiment; whoever a planned way back touches is told of that as well."""
    return activities.put_back(_told_as_a_step)


@activity
def look_at_name() -> dict[str, Any]:
    """See for how long whoever asks for the public's name may keep the answer."""
    drill = wiring.experiment()
    public = recovery_of(drill).public
    kept_s = public.kept_for_s()
    text = f"the public's name leads to {public.order()[0]} first, and may be kept for {kept_s:g} s"
    drill.timeline.record("observed", text, activity="look_at_name", kept_s=kept_s)
    return {"seen": text}


@activity
def await_led_home() -> dict[str, Any]:
    """See users led to the primary region again, and nowhere else, before anything is taken away in the other one."""
    drill = wiring.experiment()
    recovery = recovery_of(drill)
    look = recovery.make("move-traffic", {"region": recovery.home})
    seen = wait_for(look.observe, drill.clock, deadline_s=_LED_WITHIN_S, pace_s=0.5)
    data = {**seen.data, "activity": "await_led_home", "holds": seen.holds}
    drill.timeline.record("observed" if seen.holds else "note", seen.text, at_s=seen.at_s, **data)
    if not seen.holds:
        raise Halted(f"users are not led home: {seen.text}, {_LED_WITHIN_S:g} s after that was declared")
    return {"seen": seen.text}


@activity
def take_step(step: str) -> dict[str, Any]:
    """Make one change, and see it in effect before the next."""
    drill = wiring.experiment()
    recovery = recovery_of(drill)
    telling.before(drill, recovery, step)
    done = perform(recovery.step(step), drill.journal, drill.timeline, drill.clock)
    if step in STAGE_OF:
        end_stage(drill, STAGE_OF[step], done.observed_s)
    telling.after(drill, recovery, step)
    return done.answer


@activity
def verify_writes(step: str, where: str) -> dict[str, Any]:
    """See that what the public writes is kept, answered by the region that is `home` or the other one, `away`."""
    drill = wiring.experiment()
    recovery = recovery_of(drill)
    region = {"home": recovery.home, "away": recovery.away}[where]
    check = recovery.verify(drill.platform.smoke(drill.prefix), region)
    drill.timeline.record("intent", check.describe(), activity=step)
    seen = wait_for(check.observe, drill.clock, deadline_s=check.deadline_s, pace_s=0.5)
    data = {**seen.data, "activity": step, "holds": seen.holds}
    drill.timeline.record("recovered" if seen.holds else "note", seen.text, at_s=seen.at_s, **data)
    if not seen.holds:
        raise Halted(f"writes are not kept: {seen.text}")
    telling.after(drill, recovery, step)
    return {"seen": seen.text}


@activity
def await_good_service(for_s: float, within_s: float) -> dict[str, Any]:
    """See users served well for so long without a break."""
    drill = wiring.experiment()
    look = Served(LiveRecord(drill.folder / "load" / "live.jsonl"), drill.clock, for_s)
    seen = wait_and_tell(drill, look, "await_good_service", "observed", deadline_s=within_s, pace_s=0.25)
    if not seen.holds:
        raise Halted(f"service is not good again: {seen.text}, after {within_s:g} s")
    return {"seen": seen.text}


def _lose(how: str) -> dict[str, Any]:
    drill = wiring.experiment()
    fault = recovery_of(drill).fault(how)
    # Whoever asks a cluster first loads a library for seconds, which are none between the order and the loss.
    drill.journal.go_on()
    drill.journal.open_changes()
    done = perform(fault, drill.journal, drill.timeline, drill.clock)
    return {"seen": done.observation.text}


@contextmanager
def _told_as_a_step(drill: wiring.Experiment, change: Change) -> Generator[Callable[[Restoration], None]]:
    step, recovery = runbook.TOLD_WHEN_UNDONE.get(change.action, ""), drill.platform.recovery
    if not step or recovery is None:
        yield lambda _found: None
        return

    def seen(found: Restoration) -> None:
        if found.restored:
            drill.timeline.record_on_the_way_back("recovered", found.text, at_s=found.at_s, activity=step)
            telling.after(drill, recovery, step)

    telling.before(drill, recovery, step)
    drill.timeline.record_on_the_way_back("intent", f"take the planned step {step}", activity=step)
    yield seen


def _taken_back(drill: wiring.Experiment, action: str, activity_name: str) -> str:
    change = next((found for found in drill.journal.open_changes() if found.action == action), None)
    if change is None:
        raise Halted(f"there is no {action} to take back: the undo journal holds none that is open")
    found = drill.journal.settle(change, drill.platform.undo, drill.clock)
    kind = "recovered" if found.restored else "note"
    drill.timeline.record_on_the_way_back(
        kind, found.text, at_s=found.at_s, activity=activity_name, of=action, failed=not found.restored
    )
    if not found.restored:
        raise Halted(f"{action} could not be taken back: {found.text}")
    return found.text


def end_stage(drill: wiring.Experiment, stage: str, at_s: float) -> None:
    """Write down that a stage of the recovery time has ended."""
    drill.timeline.record("note", f"the stage {stage} has ended", at_s=at_s, activity="stage", stage=stage)


def recovery_of(drill: wiring.Experiment) -> Recovery:
    """How the environment is recovered; raises Halted when it does not say."""
    found = drill.platform.recovery
    if found is None:
        name = drill.platform.environment.name
        raise Halted(f"not proved here: the environment {name} does not say how it is recovered")
    return found
