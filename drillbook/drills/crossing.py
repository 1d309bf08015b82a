"""What the sentences about sessions and jobs do: both are under way while the platform goes away and comes back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drillbook import wiring
from drillbook.domain import crossing
from drillbook.domain.interval import Interval
from drillbook.domain.measurement import Window
from drillbook.drills import recovery
from drillbook.drills.seen import NotOffered, NotReady
from drillbook.run.load import Load
from loadtests.workload import SessionWorkload
from probes import crossing as probe
from probes import story

if TYPE_CHECKING:
    from drillbook.drills.drill import Drill

_THERE_AND_BACK_WITHIN_S = 900.0
"""Each step has 2 min, and the name's time to live is waited for twice."""


def begin(drill: Drill) -> None:
    """Open sessions of both regions and send jobs to both, from now on to the end of the experiment.

    Raises:
        NotReady: When nobody has said where the regions are, or how sessions are opened.
        LoadError: When a region opens none.
    """
    recovery.recovery_of(drill)
    environment, run = drill.platform.environment, drill.session.folder.run_id
    settings = environment.recovery
    if settings is None or not isinstance(drill.platform.workload("sessions"), SessionWorkload):
        adapter = environment.workload.adapter
        raise NotOffered(f"not proved here: the adapter {adapter} does not say how sessions are opened and asked for")
    home, output = environment.primary.name, drill.folder / probe.FOLDER
    namespace = f"{wiring.key_prefix(run, drill.id)}-jobs"
    plan = {
        "load": wiring.load_plan(environment, drill.session.clock, output, namespace),
        "regions": {home: settings.name_addresses[home], **settings.name_addresses},
    }
    called = "process with sessions and jobs"
    drill.accompany(Load.start(plan, output, module="loadtests.crossing", called=called))
    drill.timeline.record("note", "sessions and jobs of both regions are under way", activity="crossing")


def go_and_come_back(drill: Drill) -> None:
    """The experiment `application_state`."""
    drill.run_experiment("application_state", deadline_s=_THERE_AND_BACK_WITHIN_S)


def window_away(drill: Drill) -> Window:
    """From where what users write was seen to be kept in the other region to where they were led back.

    Raises:
        NotReady: When it never came to that.
    """
    start_s = _moment(drill, "verify-writes", "recovered")
    return Window(start_s, max(start_s, _moment(drill, "lead-traffic-back", "intent")))


def window_home(drill: Drill) -> Window:
    """From where everything was back.

    Raises:
        NotReady: When it never was.
    """
    start_s = _moment(drill, "put_back", "recovered")
    return Window(start_s, max(start_s, drill.session.clock.now()))


def switch(drill: Drill) -> Interval:
    """From where the database was to leave the primary region to where it was seen to have done so.

    Raises:
        NotReady: When it never was.
    """
    began_s = _moment(drill, "switch-over", "intent")
    return Interval(began_s, max(began_s, _moment(drill, "switch-over", "observed")))


def way_back(drill: Drill) -> Interval:
    """From where everything was to be put back to where it was seen to be.

    Raises:
        NotReady: When it never was.
    """
    began_s = _moment(drill, "put_back", "intent")
    return Interval(began_s, max(began_s, _moment(drill, "put_back", "recovered")))


def jobs_in_flight(drill: Drill) -> list[str]:
    """Keys of those in flight at either switch; their numbers are written down."""
    home, away = recovery.regions(drill)
    found = probe.tries(drill.folder)
    there = crossing.in_flight(found, home, switch(drill))
    back = crossing.in_flight(found, away, way_back(drill))
    text = f"jobs in flight: {len(there)} at the switch to {away}, {len(back)} at the way back to {home}"
    drill.timeline.record("note", text, activity="jobs_in_flight", there=len(there), back=len(back))
    return [*there, *back]


def _moment(drill: Drill, activity: str, kind: str) -> float:
    found = story.moment(drill.seen.events, activity, kind)
    if found is None:
        raise NotReady(f"the experiment never came to {activity} ({kind}), so nothing can be measured from there")
    return found
