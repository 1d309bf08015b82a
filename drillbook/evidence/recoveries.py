"""What a recovery's time went into, by stage and by layer, as the timeline tells it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from drillbook.domain.interval import Interval
from drillbook.evidence.reading import mapping_of, number_of, text_of, texts_of

if TYPE_CHECKING:
    from drillbook.evidence.record import DrillRecord, Event

_STAGES, _LAYERS = "The recovery in its stages", "Time without writes, by the layer that it is put down to"
_ELSEWHERE = "elsewhere"


@dataclass(frozen=True, slots=True)
class Part:
    """A stage, or a layer.

    Attributes:
        name: For example `promote`, or `database`.
        took: Seconds.
    """

    name: str
    took: Interval


@dataclass(frozen=True, slots=True)
class Breakdown:
    """One way to part the time.

    Attributes:
        title: What is parted, and by what.
        connections: On which connections it was measured; empty where the record does not say.
        parts: In order.
        remark: What is missing in it; empty when nothing is.
    """

    title: str
    connections: str
    parts: tuple[Part, ...]
    remark: str


def of(drill: DrillRecord) -> tuple[Breakdown, ...]:
    """What the record has; none when nothing was recovered."""
    found = [
        _stages(event) for event in drill.events if event.kind == "note" and event.data.get("activity") == "stages"
    ]
    found += [
        _layers(event) for event in drill.events if event.kind == "note" and event.data.get("activity") == "layers"
    ]
    return tuple(it for it in found if it.parts)


def _stages(event: Event) -> Breakdown:
    """Those of a way back are single numbers, and are told elsewhere."""
    return Breakdown(_STAGES, text_of(event.data.get("connection", "")), _parts(event.data.get("stages")), "")


def _layers(event: Event) -> Breakdown:
    """The layers that have some of it, and always what none explains."""
    parts = _parts(event.data.get("layers"))
    shown = tuple(
        Part("explained by no layer", it.took) if it.name == _ELSEWHERE else it
        for it in parts
        if it.took.high > 0.0 or it.name == _ELSEWHERE
    )
    unasked = texts_of(event.data.get("not_probed"))
    remark = f"Not probed: {', '.join(unasked)}." if unasked else ""
    return Breakdown(_LAYERS, text_of(event.data.get("connection", "")), shown, remark)


def _parts(value: object) -> tuple[Part, ...]:
    found = [(name, _interval(bounds)) for name, bounds in mapping_of(value).items()]
    return tuple(Part(name, took) for name, took in found if took is not None)


def _interval(value: object) -> Interval | None:
    """Two bounds in seconds; an upper one that is missing is infinite."""
    bounds = cast("list[object]", value) if isinstance(value, list) else []
    if len(bounds) != 2:  # noqa: PLR2004 - the least and the most
        return None
    low = number_of(bounds[0])
    high = float("inf") if bounds[1] is None else number_of(bounds[1])
    return Interval(low, high) if low is not None and high is not None and low <= high else None
