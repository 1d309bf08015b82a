"""What a drill starts from, and leaves behind: one slot has the public, whole and well, and the other is empty."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drillbook.ports import Observation, Unreachable

if TYPE_CHECKING:
    from drillbook.platform import Platform
    from drillbook.ports import Clock


def look(platform: Platform, live_version: str, clock: Clock) -> Observation:
    """Whether it is so now, with this version."""
    try:
        live, idle = platform.live_slot(), platform.idle_slot()
        serving, other = platform.cluster.slot(live), platform.cluster.slot(idle)
    except Unreachable as error:
        return Observation(holds=False, text=str(error), at_s=clock.now())
    whole = 0 < serving.desired == serving.ready == len(serving.pods) and serving.version == live_version
    unserved = platform.unserved() if whole else ""
    data = {
        "version": serving.version, "ready": serving.ready, "desired": serving.desired,
        "pods": len(serving.pods), "others": len(other.pods), "unserved": unserved,
        "bounds": {name: list(bounds) for name, bounds in serving.bounds.items()},
    }  # fmt: skip
    text = (
        f"slot {live} has the public with release {serving.version or '(none)'}, {serving.ready} of "
        f"{serving.desired} pods ready, and slot {idle} has {len(other.pods)} pods"
    )
    text += f"; {unserved}" if unserved else ""
    return Observation(whole and not other.pods and not unserved, text, clock.now(), data)
