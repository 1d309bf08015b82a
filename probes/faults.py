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


def cutovers_under(events: Sequence[Event], window: Window) -> Measurement:
    """How many cutovers went on while the fault was certainly there; nothing when that was not seen.

    A fault that lasts was there from a look before the public was switched to a look after the decision. Of one that
    heals by itself only the moment is known when it was seen to bite: that lies between the release's deployment and
    the decision.
    """
    name = meant(events)
    lasts = name in CATALOGUE and CATALOGUE[name].lasts
    begun_s = _first(events, "switch-traffic" if lasts else "deploy-release", "intent")
    decided_s = story.moment(events, "watch_release", "decided")
    first_s = _first(events, name, "observed") if name else None
    last_s = story.moment(events, "hold_fault", "observed") if lasts else first_s
    if begun_s is None or decided_s is None:
        doubt = "no release was cut over and decided on"
    elif first_s is None or last_s is None:
        doubt = "the fault was not seen to be there"
    else:
        there, cutover = Window(first_s, max(first_s, last_s)), Window(begun_s, max(begun_s, decided_s))
        doubt = _not_all_along(there, cutover) if lasts else _not_during(first_s, cutover)
    count = None if doubt else Interval.exactly(1)
    doubts = (doubt,) if doubt else ()
    return Measurement("cutovers under the fault", count, "cutovers", 1, window, "timeline", doubts)


def _not_all_along(there: Window, cutover: Window) -> str:
    """Why a fault that lasts was not seen to be there for all of a cutover; empty when it was."""
    if there.start_s > cutover.start_s:
        late_s = there.start_s - cutover.start_s
        return f"the fault was first seen {late_s:.2f} s after the public began to be switched"
    if there.end_s < cutover.end_s:
        return f"the fault was last seen {cutover.end_s - there.end_s:.2f} s before the release was decided on"
    return ""


def _not_during(bit_s: float, cutover: Window) -> str:
    """Why a fault that heals by itself did not bite during a cutover; empty when it did."""
    if bit_s < cutover.start_s:
        return f"the fault bit {cutover.start_s - bit_s:.2f} s before the release was deployed, and heals by itself"
    if bit_s > cutover.end_s:
        return f"the fault bit {bit_s - cutover.end_s:.2f} s after the release was decided on"
    return ""


def cutovers_decided(events: Sequence[Event], window: Window) -> Measurement:
    """How many cutovers came to a decision, to keep the release or to send it back."""
    rulings = [event.data.get("ruling") for event in story.of(events, "watch_release") if event.kind == "decided"]
    decided = sum(ruling in {"keep", "roll back"} for ruling in rulings)
    count = Interval.exactly(decided) if rulings else None
    return Measurement("cutovers that were decided", count, "decisions", len(rulings), window, "watch")


def _first(events: Sequence[Event], activity: str, kind: str) -> float | None:
    """When an activity first was at this point; None when it never was."""
    return min((event.t_s for event in story.of(events, activity) if event.kind == kind), default=None)
