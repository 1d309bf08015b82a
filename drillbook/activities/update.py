"""What experiments call to update the live release in place; see `drillbook.activities`."""

from __future__ import annotations

from typing import Any

from drillbook import wiring
from drillbook.actions.deploy import UPDATE
from drillbook.activities import activity, open_change, take_back
from drillbook.run.action import perform


@activity
def update_release(release: str) -> dict[str, Any]:
    """In the slot that has the public."""
    drill = wiring.experiment()
    action = drill.platform.update(drill.platform.live_slot(), release)
    return perform(action, drill.journal, drill.timeline, drill.clock).answer


@activity
def roll_back_by_operator(after_s: float) -> dict[str, Any]:
    """An operator's order, after the update was live for a while.

    Raises:
        Unreachable: When there is no update to take back.
    """
    drill = wiring.experiment()
    drill.clock.sleep(float(after_s))
    change = open_change(drill, {UPDATE}, "update to take back")
    drill.timeline.record("decided", "an operator orders the way back", activity="roll_back", by="operator")
    revision = change.arguments["before"]["revision"]
    drill.timeline.record("intent", f"have Helm roll back to revision {revision}", activity="roll_back")
    return {"seen": take_back(drill, change, "Helm has declared the revision before")}


@activity
def await_service() -> None:
    """Some seconds of load after the way back: its last connections end only then."""
    drill = wiring.experiment()
    drill.clock.sleep(drill.platform.environment.strategy.before_s)
