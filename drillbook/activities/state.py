"""What experiments on the state beside the database call: a marker is written, changed, and seen to arrive."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from drillbook import wiring
from drillbook.actions.state import ACTIONS, FOLDER, WriteMarker
from drillbook.activities import Halted, activity
from drillbook.domain.interval import Interval
from drillbook.ports import Unreachable
from drillbook.run.action import advance, perform

if TYPE_CHECKING:
    from collections.abc import Callable

_ARRIVES_WITHIN_S = 90.0
"""Longer than any drill promises; what has not arrived by then is known to take longer."""
_PACE_S = 0.1


@activity
def write_marker(step: str) -> dict[str, Any]:
    """Write a marker in the primary region, see it arrive in the other one, change it, and see that arrive."""
    drill = wiring.experiment()
    state = drill.platform.state
    if state is None:
        name = drill.platform.environment.name
        raise Halted(f"not proved here: the environment {name} does not say which files and secrets its regions have")
    action = cast("WriteMarker", state.make(step, {"marker": f"{FOLDER}/{drill.prefix}"}))

    def written() -> Interval:
        done = perform(action, drill.journal, drill.timeline, drill.clock)
        return Interval(done.intended_s, done.accepted_s)

    def changed() -> Interval:
        sent_s = drill.clock.now()
        return Interval(sent_s, advance(action, drill.journal, drill.timeline, drill.clock))

    return {"arrived": _arrives(drill, action, "written", written) and _arrives(drill, action, "changed", changed)}


def _arrives(drill: wiring.Experiment, action: WriteMarker, how: str, do: Callable[[], Interval]) -> bool:
    """Whether it arrived, and on the timeline between which moments it did, as far as that was seen.

    `do` answers from when it was sent to when it was acknowledged.
    """
    clock, state = drill.clock, action.state
    done = do()
    sent_s, acknowledged_s = done.low, done.high
    wanted = state.digest(action.kind, state.home, action.marker)
    absent_s, arrived_s, said = acknowledged_s, None, ""
    while arrived_s is None and clock.now() < acknowledged_s + _ARRIVES_WITHIN_S:
        asked_s = clock.now()
        try:
            found = state.digest(action.kind, state.away, action.marker)
        except Unreachable as error:
            found, said = "", str(error)
        if found == wanted:
            arrived_s = clock.now()
        else:
            absent_s = asked_s
            clock.sleep(_PACE_S)
    seen = (
        f"after {arrived_s - sent_s:.2f} s at the most" if arrived_s is not None else f"not by now; {said}".rstrip("; ")
    )
    drill.timeline.record(
        "observed" if arrived_s is not None else "note",
        f"the {action.kind} that was {how} in {state.home} is so in {state.away} {seen}", activity="arrival",
        kind_of_state=ACTIONS[action.name], how=how, sent_s=sent_s, acknowledged_s=acknowledged_s, absent_s=absent_s,
        arrived_s=arrived_s,
    )  # fmt: skip
    return arrived_s is not None
