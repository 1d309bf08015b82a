"""What two regions are to each other: who has the primary, who streams from it, where the public is led, what is up.

A drill looks before it begins and after it has ended; both looks are on its timeline, and what differs is told from
them alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drillbook.actions.recovery.site import follows
from drillbook.ports import Observation, Unreachable
from drillbook.run.action import wait_for

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from drillbook.actions.recovery.plan import Recovery
    from drillbook.ports import Clock
    from drillbook.run.timeline import Event, Timeline

_ACTIVITY = "topology"
_SETTLES_WITHIN_S = 60.0
"""A standby that was just rebuilt streams after a moment, and pods that were restarted are ready. Besides, an answer of
before leads the public for as long as it may be kept."""

_HARMLESS_ORDERS: Mapping[str, tuple[str, ...]] = {"home": ("",), "away": ("", "standby")}
"""With which a restart changes nothing: an order `primary` that was left behind makes a server ask nobody any more."""


def look(recovery: Recovery, clock: Clock) -> Observation:
    """Ask both regions; raises Unreachable when one does not answer."""
    home, away = recovery.sites[recovery.home], recovery.sites[recovery.away]
    streams, found = follows(away, home), home.look()
    order = recovery.public.order()
    data: dict[str, Any] = {
        "home": recovery.home,
        "away": recovery.away,
        "streams": streams,
        "held": found is not None and found.held,
        "orders": {"home": home.host.orders(), "away": away.host.orders()},
        "name": list(order),
        "application": {region: application.points_at() for region, application in recovery.application.items()},
        "led": sorted(recovery.public.resolved()),
        "pods": {region: _pods(recovery, region) for region in (recovery.home, recovery.away)},
    }
    led = ", ".join(data["led"]) or "nowhere"
    text = f"{home.said()}; {away.said()}; the public's name prefers {order[0]} and leads to {led}"
    return Observation(not _wrong(data), text, clock.now(), data)


def settled(recovery: Recovery, clock: Clock) -> Observation:
    """The last look, once it is as expected or that has been waited for."""
    try:
        kept_s = recovery.public.kept_for_s()
    except Unreachable:
        kept_s = 0.0  # the look says so
    return wait_for(lambda: look(recovery, clock), clock, deadline_s=_SETTLES_WITHIN_S + kept_s, pace_s=0.5)


def tell(timeline: Timeline, seen: Observation) -> None:
    """Write a look down."""
    timeline.record("observed", seen.text, at_s=seen.at_s, activity=_ACTIVITY, holds=seen.holds, **seen.data)


def told(events: Sequence[Event]) -> list[Mapping[str, Any]]:
    """What the looks of a drill found, in order."""
    return [event.data for event in events if event.data.get("activity") == _ACTIVITY]


def differences(looks: Sequence[Mapping[str, Any]]) -> list[str]:
    """What is not as it should be at the last look, or not as it was at the first; in sentences."""
    first, last = looks[0], looks[-1]
    if len(looks) < 2:  # noqa: PLR2004 - before and after
        return ["nobody looked when the drill had ended"]
    if "home" not in last:
        return ["the regions could not be looked at when the drill had ended"]
    changed = [
        f"{what} was {first[key]}, and is {last[key]}"
        for key, what in (("name", "the order of the public's name"), ("application", "the application's database"))
        if first[key] != last[key]
    ]
    # Looks of earlier versions have no pods, nor where the name leads.
    unseen = [
        f"nobody saw {key} when the drill had ended" for key in ("led", "pods") if key in first and key not in last
    ]
    return [*_wrong(last), *changed, *unseen]


def _pods(recovery: Recovery, region: str) -> Mapping[str, Any]:
    """The pods of the one slot of a region that has some."""
    seen = recovery.clusters[region].slot(recovery.slot_in(region))
    whole = seen.rolled_out and seen.desired == seen.ready == len(seen.pods)
    return {"slot": seen.slot, "desired": seen.desired, "ready": seen.ready, "whole": whole}


def _wrong(data: Mapping[str, Any]) -> list[str]:
    home, away = data["home"], data["away"]
    found: list[str] = []
    if not data["streams"]:
        found.append(f"{away} does not stream from a primary in {home}")
    if data["held"]:
        found.append(f"writes are held in {home}")
    if data["name"][0] != home:
        found.append(f"the public's name prefers {data['name'][0]}")
    if data.get("led", [home]) != [home]:
        found.append(f"the public's name leads to {', '.join(data['led']) or 'nowhere'}")
    found += [
        f"{region} has {pods['ready']} of {pods['desired']} pods of slot {pods['slot']} ready as they are to be now"
        for region, pods in data.get("pods", {}).items()
        if not pods["whole"]
    ]
    found += [
        f"the database in {data[key]} is ordered to be {data['orders'][key]!r} at its next start"
        for key, harmless in _HARMLESS_ORDERS.items()
        if data["orders"][key] not in harmless
    ]
    return found
