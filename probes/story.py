"""What a drill's timeline tells: validations, switches, decisions, drains. Pure functions over its events."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Protocol

from drillbook.domain.interval import Interval
from drillbook.domain.measurement import Measurement, Window

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from drillbook.domain.serving import Flaw

BOUNDS = frozenset({"requests.cpu", "requests.memory", "limits.cpu", "limits.memory"})
"""What each container is to have."""
_OF_ERRORS = (" failed", " were bad")
_WRONGLY = "was answered wrongly"
_WRONG = "answers of the validation that were wrong"


class Event(Protocol):
    """One entry of the timeline."""

    @property
    def t_s(self) -> float:
        """When, in seconds since the epoch."""
        ...

    @property
    def kind(self) -> str:
        """`intent`, `injected`, `observed`, `detected`, `decided`, `recovered` or `note`."""
        ...

    @property
    def text(self) -> str:
        """For people."""
        ...

    @property
    def data(self) -> Mapping[str, Any]:
        """For programs; `activity` or `action` says whose event it is."""
        ...


def of(events: Sequence[Event], activity: str) -> list[Event]:
    """The events of one activity; actions go by their registered names."""
    return [event for event in events if activity in {event.data.get("activity"), event.data.get("action")}]


def moment(events: Sequence[Event], activity: str, kind: str) -> float | None:
    """When an activity last was at this point; None when it never was."""
    return max((event.t_s for event in of(events, activity) if event.kind == kind), default=None)


def reached_s(events: Sequence[Event]) -> float | None:
    """Since when users may have been sent to the release: from before the first weight was declared; None if never."""
    shifts = [*of(events, "switch-traffic"), *of(events, "shift-traffic")]
    return min((event.t_s for event in shifts if event.kind == "intent"), default=None)


def images(events: Sequence[Event], version: str) -> list[str]:
    """What the pods of a release ran from when its slot was seen whole, as the nodes had resolved it."""
    seen = [event.data for event in of(events, "deploy-release") if event.kind == "observed"]
    return [
        str(name) for data in seen[-1:] if version and data.get("version") == version for name in data.get("images", ())
    ]


def failed_validation_checks(events: Sequence[Event], window: Window) -> Measurement:
    """Number of smoke checks that the release failed before the switch."""
    made = [event for event in of(events, "validate_release") if "problems" in event.data]
    count = Interval.exactly(sum(len(event.data["problems"]) for event in made)) if made else None
    tried = sum(int(event.data["tried"]) for event in made)
    return Measurement("failed checks of the validation", count, "checks", tried, window, "gateway")


def wrong_answers_found(events: Sequence[Event], window: Window) -> Measurement:
    """Number of smoke checks that were answered wrongly before the switch; any other that failed may have been."""
    failed = failed_validation_checks(events, window)
    made = [event.data for event in of(events, "validate_release") if "problems" in event.data]
    if failed.interval is None:
        return replace(failed, name=_WRONG)
    # Runs that were recorded before the number was kept tell it in their sentences alone.
    wrong = sum(int(data.get("wrong", sum(_WRONGLY in said for said in data["problems"]))) for data in made)
    return replace(failed, name=_WRONG, interval=Interval(min(wrong, failed.interval.high), failed.interval.high))


def switches(events: Sequence[Event], window: Window) -> Measurement:
    """How often the route was told to send the public to another slot."""
    made = [event for event in of(events, "switch-traffic") if event.kind == "injected"]
    return Measurement("switches of traffic", Interval.exactly(len(made)), "switches", 1, window, "timeline")


def decisions(events: Sequence[Event]) -> list[Event]:
    """What became of each release that was watched, or tried as a canary."""
    watched = [*of(events, "watch_release"), *of(events, "release_canary")]
    return [event for event in watched if event.kind == "decided"]


def rollbacks_decided(events: Sequence[Event], window: Window) -> Measurement:
    """How often a watch sent a release back, or a canary was aborted; nothing when there was neither."""
    rulings = [event.data.get("ruling") for event in decisions(events)]
    count = Interval.exactly(rulings.count("roll back") + rulings.count("abort")) if rulings else None
    return Measurement("decisions to roll back", count, "decisions", len(rulings), window, "watch")


def found_bad_for(events: Sequence[Event]) -> Flaw:
    """What the release was sent back for; where nobody can tell, `latency`, for which all its answers count."""
    sent_back = [event for event in decisions(events) if event.data.get("ruling") in {"roll back", "abort"}]
    if not sent_back:
        return "latency"
    told = sent_back[-1].data.get("flaw")
    # Runs that were recorded before decisions told it have it in their sentences alone.
    errors = told == "errors" if told else any(words in sent_back[-1].text for words in _OF_ERRORS)
    return "errors" if errors else "latency"


def pods_that_flapped(events: Sequence[Event], window: Window) -> Measurement:
    """How many of the watched release's pods stopped being ready meanwhile; nothing when nobody could look."""
    looks = [event for event in of(events, "readiness") if "lost" in event.data]
    lost = sum(len(event.data["lost"]) for event in looks)
    seen = sum(len(event.data["pods"]) for event in looks)
    count = Interval.exactly(lost) if seen else None
    return Measurement("pods that stopped being ready", count, "pods", seen, window, "kubernetes")


def containers_unbounded(events: Sequence[Event], window: Window) -> Measurement:
    """How many containers of the live release lack a request or a limit; nothing when none was looked at.

    A release that came after it counts as well: where its containers were not looked at, any number may lack one.
    """
    first: Mapping[str, Sequence[str]] = {}
    for event in of(events, "start"):
        first = event.data.get("bounds", first)
    changes = [*of(events, "deploy-release"), *of(events, "update-release")]
    later: list[Mapping[str, Sequence[str]]] = [e.data.get("bounds", {}) for e in changes if e.kind == "observed"]
    found = {name: has for look in (first, *later) for name, has in look.items()}
    lacking = {name: sorted(BOUNDS.difference(has)) for name, has in found.items() if not BOUNDS.issubset(has)}
    said = "; ".join(f"{name} has no {' and no '.join(lacks)}" for name, lacks in sorted(lacking.items()))
    name = "containers without a request or a limit" + (f" ({said})" if said else "")
    count = Interval(len(lacking), len(lacking) if all(later) else math.inf) if first else None
    return Measurement(name, count, "containers", len(found), window, "kubernetes")


def canaries_undecided(events: Sequence[Event], window: Window) -> Measurement:
    """How many canaries could not be decided; nothing when there was none."""
    return _canaries(events, "undecided", window, of_all=True)


def canaries_aborted(events: Sequence[Event], window: Window) -> Measurement:
    """How many canaries were found worse; nothing when none could be decided."""
    return _canaries(events, "abort", window, of_all=False)


def weights_promoted(events: Sequence[Event], window: Window) -> Measurement:
    """How many weights a canary had on its way to all of the traffic; 0 when it was aborted, nothing when undecided."""
    promoted = _canaries(events, "promote", window, of_all=False)
    if promoted.interval is None or promoted.interval.high == 0:
        return promoted
    return weights_declared(events, window)


def weights_declared(events: Sequence[Event], window: Window) -> Measurement:
    """How many of a canary's weights were declared, one after the other."""
    made = [event for event in of(events, "shift-traffic") if event.kind == "injected"]
    return Measurement("weights declared", Interval.exactly(len(made)), "weights", 1, window, "timeline")


def _canaries(events: Sequence[Event], ruling: str, window: Window, *, of_all: bool) -> Measurement:
    decided = [event for event in of(events, "release_canary") if event.kind == "decided"]
    rulings = [event.data.get("ruling") for event in decided]
    known = rulings if of_all else [found for found in rulings if found != "undecided"]
    count = Interval.exactly(known.count(ruling)) if known else None
    doubts = () if of_all else tuple(undecided(decided))
    return Measurement(f"canaries: {ruling}", count, "canaries", len(known), window, "canary", doubts)


def drained_after(events: Sequence[Event], window: Window) -> Measurement:
    """Seconds from the last switch until the other slot was without work; without end when it was not seen to be.

    It had work for as long as it was seen to have some. Where neither was seen, nobody can tell: a doubt.
    """
    looks = [event for event in of(events, "drain_old_slot") if event.kind == "observed"]
    switch_s = moment(events, "switch-traffic", "injected")
    interval, doubts = None, ()
    if looks and switch_s is not None:
        last = looks[-1]
        if "needs_s" in last.data:
            high_s = last.data.get("since_s", float("inf")) - switch_s
            low_s = max(0.0, last.data.get("working_s", switch_s) - switch_s)
            interval = Interval(min(low_s, high_s), high_s)
            doubts = _undrained(last)
        else:
            # Runs that were recorded before looks told what they saw have only whether it was drained by then.
            interval = Interval(0.0, last.t_s - switch_s) if last.data["holds"] else Interval.exactly(float("inf"))
    name = "time until the old slot was drained"
    return Measurement(name, interval, "s", len(looks), window, "prometheus", doubts)


def _undrained(last: Event) -> tuple[str, ...]:
    """Why the last look at a slot told neither that it had work left nor that it had none; empty when it told."""
    if {"since_s", "working_s"} & {*last.data}:
        return ()
    needs_s = last.data["needs_s"]
    return (f"nobody saw for {needs_s:g} s in a row whether it has no work left, and none was seen: {last.text}",)


def warm_share(events: Sequence[Event], window: Window) -> Measurement:
    """Share of the drained slot's pods that were ready, for a way back."""
    looks = [event for event in of(events, "drain_old_slot") if event.kind == "observed"]
    interval = None
    if looks:
        desired, ready = int(looks[-1].data["desired"]), int(looks[-1].data["ready"])
        interval = Interval.exactly(ready / desired if desired else 0.0)
    return Measurement("share of the old slot's pods kept ready", interval, "ratio", len(looks), window, "kubernetes")


def undecided(events: Sequence[Event]) -> list[str]:
    """Why a watch or a canary could not be decided; empty when it was."""
    return [event.text for event in decisions(events) if event.data.get("ruling") == "undecided"]


def stages(events: Sequence[Event]) -> dict[str, float]:
    """Seconds of each stage of a way back, from the first bad answer or the order to the slot being drained.

    Stages that did not happen are left out.
    """
    decided = decisions(events)
    detected = [moment(events, activity, "detected") for activity in ("watch_release", "release_canary")]
    points: list[tuple[str, float | None]] = [
        ("first bad answer", next((e.data["first_bad_s"] for e in decided if "first_bad_s" in e.data), None)),
        ("detected", max((at_s for at_s in detected if at_s is not None), default=None)),
        ("decided", moment(events, "roll_back", "intent")),
        ("switched", moment(events, "roll_back", "injected")),
        ("seen by clients", moment(events, "roll_back", "recovered")),
        ("drained", moment(events, "drain_old_slot", "observed")),
    ]
    reached = [(name, at_s) for name, at_s in points if at_s is not None]
    return {name: at_s - before_s for (_, before_s), (name, at_s) in pairwise(reached)}
