"""What the sentences about recoveries do: the topology that they start from, their experiments, their windows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drillbook import topology
from drillbook.domain.measurement import Window
from drillbook.ports import Unreachable
from drillbook.seen import NotReady
from probes import story

if TYPE_CHECKING:
    from drillbook.actions.recovery.plan import Recovery
    from drillbook.drill import Drill

_SWITCHOVER_WITHIN_S = 420.0
"""Each way has its steps' deadlines of 2 min, of which an orderly one needs seconds; then comes the way back."""


def start(drill: Drill) -> None:
    """The primary region has the database and the public, and the other one's standby streams.

    Raises:
        NotReady: When it is not so, or the environment does not say how it is recovered.
    """
    try:
        seen = topology.look(recovery_of(drill), drill.session.clock)
    except Unreachable as error:
        raise NotReady(f"the regions cannot be looked at: {error}") from error
    if not seen.holds:
        wrong = "; ".join(topology.differences([seen.data, seen.data]))
        raise NotReady(f"{wrong}: put the platform back with `drillbook recover`, or look at it yourself")
    topology.tell(drill.timeline, seen)


def switch_over(drill: Drill) -> None:
    """The experiment `switchover`, whose way back is a switch as well."""
    drill.run_experiment("switchover", deadline_s=_SWITCHOVER_WITHIN_S)


def window_of_way_back(drill: Drill) -> Window:
    """From where the experiment began to put things back to where the load ended.

    Raises:
        NotReady: When it never came to that.
    """
    start_s = story.moment(drill.seen.events, "put_back", "intent")
    if start_s is None:
        raise NotReady("the experiment never put anything back, so nothing can be measured from there")
    return Window(start_s, max(start_s, drill.seen.window.end_s))


def recovery_of(drill: Drill) -> Recovery:
    """How the environment is recovered.

    Raises:
        NotReady: When it does not say.
    """
    found = drill.platform.recovery
    if found is None:
        name = drill.platform.environment.name
        raise NotReady(f"not proved here: the environment {name} does not say how one region is recovered in the other")
    return found
