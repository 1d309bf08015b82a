"""Whether everybody was told whom the communication plan names. Pure functions over a drill's events."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from drillbook.domain.interval import Interval
from drillbook.domain.measurement import Measurement
from probes import story

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from drillbook.domain.communication import Notice
    from drillbook.domain.measurement import Window

_Key = tuple[object, object, object]
"""Step, audience, whether before it."""


def untold(
    events: Sequence[story.Event], plan: Sequence[tuple[str, Sequence[Notice]]], window: Window, *, within_s: float
) -> Measurement:
    """Number of notices that were not told, or too late, or that their receiver never had.

    Args:
        events: The drill's.
        plan: The steps that were to be taken, each as often as it was to be, with its notices.
        window: The drill's.
        within_s: After a step was seen done, its notices may take so long.
    """
    undone = [step for step, _ in plan if not _is_done(events, step)]
    wanted: Counter[_Key] = Counter((step, it.audience, it.before) for step, notices in plan for it in notices)
    told: Counter[_Key] = Counter(_key(it.data) for it in story.of(events, "tell") if _counts(events, it, within_s))
    missing = sum((wanted - told).values())
    return Measurement(
        name="notices that nobody was told, or too late",
        interval=Interval.exactly(missing) if wanted and not undone else None,
        unit="notices",
        samples=sum(wanted.values()),
        window=window,
        source="timeline",
        doubts=tuple(f"the step {step} was never seen done, so nothing was to be told of it" for step in undone),
    )


def _is_done(events: Sequence[story.Event], step: str) -> bool:
    return any(event.kind in {"observed", "recovered"} for event in story.of(events, step))


def _counts(events: Sequence[story.Event], told: story.Event, within_s: float) -> bool:
    """Whether it was taken and has not been missed at its receiver's, and in time; what cannot be told counts not."""
    data = told.data
    if data.get("accepted") is not True or data.get("arrived", False) is False:
        return False
    if data.get("before"):
        return any(event.kind == "intent" and event.t_s >= told.t_s for event in story.of(events, str(data["step"])))
    return told.t_s - float(data["due_s"]) <= within_s


def _key(data: Mapping[str, object]) -> _Key:
    return data.get("step"), data.get("audience"), data.get("before")
