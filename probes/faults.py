"""What a drill's timeline tells of its fault: whether it bit, from when to when it was there. Pure functions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drillbook.domain.fault import CATALOGUE
from drillbook.domain.interval import Interval
from drillbook.domain.measurement import Measurement, Window
from probes import story

if TYPE_CHECKING:
    from collections.abc import Sequence

    from probes.story import Event


def meant(events: Sequence[Event]) -> str:
    """Name of the fault that was to be made; empty when it never came to that."""
    return next((name for name in CATALOGUE if story.moment(events, name, "intent") is not None), "")


def while_there(events: Sequence[Event]) -> Window | None:
    """From when the fault was meant until it was seen to be undone; None when either never was.

    From when it was meant and not from when it was accepted: one that takes time to be made hurts meanwhile.
    """
    start_s = story.moment(events, meant(events), "intent")
    end_s = story.moment(events, "lift_fault", "recovered")
    return None if start_s is None or end_s is None else Window(start_s, max(start_s, end_s))


def bites(events: Sequence[Event], window: Window) -> Measurement:
    """How many faults were seen in effect, by another path than the one that made them; nothing when none was."""
    name = meant(events)
    seen = [event for event in story.of(events, name) if event.kind == "observed"] if name else []
    lost = [event for event in story.of(events, "hold_fault") if event.data.get("holds") is False]
    doubts = () if seen else ("no fault was seen to bite",)
    doubts += tuple(f"it did not last: {event.text}" for event in lost)
    count = Interval.exactly(len(seen)) if seen else None
    return Measurement("faults seen to bite", count, "faults", len(seen), window, "independent look", doubts)


def lifetime(events: Sequence[Event], window: Window) -> Measurement:
    """Seconds from when the fault was meant until it was seen to be undone."""
    there = while_there(events)
    doubts = () if there is not None else ("the fault was not seen to be undone",)
    length = None if there is None else Interval.exactly(there.length_s)
    return Measurement("life of the fault", length, "s", 1, window, "independent look", doubts)


def cutovers_decided(events: Sequence[Event], window: Window) -> Measurement:
    """How many cutovers came to a decision, to keep the release or to send it back."""
    rulings = [event.data.get("ruling") for event in story.of(events, "watch_release") if event.kind == "decided"]
    decided = sum(ruling in {"keep", "roll back"} for ruling in rulings)
    count = Interval.exactly(decided) if rulings else None
    return Measurement("cutovers that were decided", count, "decisions", len(rulings), window, "watch")
