"""What the experiment `canary` does."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from drillbook import wiring
from drillbook.actions.canary import Trial
from drillbook.activities import activity, roll_back
from drillbook.domain.promql import total
from drillbook.drivers.live import LiveRecord
from drillbook.ports import Unreachable
from drillbook.run.action import advance, perform
from drillbook.run.folder import append_line

if TYPE_CHECKING:
    from drillbook.actions.canary import Told

_LOOKS_TOLD_EVERY_S = 1.0


@activity
def release_canary(release: str) -> dict[str, Any]:
    """To the idle slot's release step by step, as long as it is no worse than the live one; else back at once."""
    drill = wiring.experiment()
    platform = drill.platform
    plan, series = platform.environment.strategy.canary, platform.series
    live, slot, version = platform.live_slot(), platform.idle_slot(), platform.version_of(release)
    canary, stable = f"{version}|{slot}", f"{platform.cluster.slot(live).version}|{live}"
    text = f"try release {version} on {', '.join(f'{weight} %' for weight in plan.steps)} of the traffic"
    drill.timeline.record("intent", text, activity="release_canary", canary=canary, stable=stable)
    action = platform.shift(slot, plan.steps)
    counted = total(series.of(series.requests, slot=slot, version=version))
    trial = Trial(
        plan=plan,
        canary=canary,
        stable=stable,
        windows=LiveRecord(drill.folder / "load" / "live.jsonl"),
        servers=lambda: _number(drill, counted),
        clock=drill.clock,
        tell=_CanaryLog(drill),
        ask_every_s=series.scrape_interval_s,
    )
    first = perform(action, drill.journal, drill.timeline, drill.clock)
    outcome = trial.run(
        since_s=first.accepted_s,
        shift=lambda place: advance(action.at(place), drill.journal, drill.timeline, drill.clock),
    )
    data: dict[str, Any] = {"activity": "release_canary", "ruling": outcome.ruling}
    if not math.isnan(outcome.first_bad_s):
        data["first_bad_s"] = outcome.first_bad_s
    if outcome.flaw is not None:
        data["flaw"] = outcome.flaw
    if outcome.ruling == "abort":
        drill.timeline.record("detected", outcome.reason, at_s=outcome.at_s, **data)
    drill.timeline.record("decided", f"{outcome.ruling}: {outcome.reason}", at_s=outcome.at_s, **data)
    if outcome.ruling != "promote":
        roll_back(drill, "by itself")
    return {"ruling": outcome.ruling, "reason": outcome.reason}


class _CanaryLog:
    """Every look in `canary.jsonl`; on the timeline those that decide, and of the others one a second."""

    def __init__(self, drill: wiring.Experiment) -> None:
        self._drill = drill
        self._told_s = -math.inf

    def __call__(self, told: Told) -> None:
        at_s, ruling = told.look.at_s, told.look.ruling
        document = {"at_s": at_s, "ruling": ruling, "reason": told.look.reason, **told.document}
        append_line(self._drill.folder / "canary.jsonl", document)
        if ruling == "hold" and at_s - self._told_s < _LOOKS_TOLD_EVERY_S:
            return
        self._told_s = at_s
        self._drill.timeline.record(
            "note", f"{ruling} at {told.document['weight']} %: {told.look.reason}", at_s=at_s, activity="canary_look",
            ruling=ruling, **told.document,
        )  # fmt: skip


def _number(drill: wiring.Experiment, promql: str) -> float | None:
    """What Prometheus has; None when it is silent or has no such series."""
    try:
        samples = drill.platform.metrics.query(promql)
    except Unreachable:
        return None
    return sum(sample.value for sample in samples) if samples else None
