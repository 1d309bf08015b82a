"""How old what the archive lacked ever was, by looks at whoever was the primary: what would be lost with all servers.

A primary tells up to where its log reaches, and which segment it archived last. What lies between is in no archive yet.
By the primary's own word, that is: a command that only says that it archives is found by `pgbackrest check`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from drillbook.domain.interval import Interval
from drillbook.domain.measurement import Measurement
from drillbook.domain.wal import SEGMENT_BYTES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from drillbook.domain.measurement import Window

MOMENTS = ("any", "before-archive")
"""When a loss is made to come: whenever it is its turn, or just before the archive gets its next segment."""

BEGINS_WITHIN_S = 5.0
"""Looks have to begin within this of the window's beginning."""


@dataclass(frozen=True, slots=True)
class Look:
    """One answer of a primary.

    Attributes:
        asked_s: Seconds since the epoch.
        answered_s: Likewise.
        position: Up to where its log reaches, in bytes.
        reaches: Up to where it says that the archive has the log, in bytes; None when it says of none.
        timeline: Whose log that is; of a timeline that has ended the one after it, which goes on from there.
        written_ago_s: When the segment that ends there was last written to, by its own clock: what the archive lacks is
            no older; None when that is not known, as when the segment is gone.
        server: Which one it is. Each tells of what it archived itself.
    """

    asked_s: float
    answered_s: float
    position: int
    reaches: int | None
    written_ago_s: float | None
    timeline: int = 0
    server: str = ""


def ages(looks: Sequence[Look]) -> list[Interval]:
    """Of each look, in order of time: seconds since the oldest byte that no archive had; unbounded when not known."""
    found: list[Interval] = []
    best, since_s = looks[0] if looks else None, -math.inf
    for number, look in enumerate(looks):
        assert best is not None  # noqa: S101 - there is a look
        if _reach(look) > _reach(best):
            # A new end that tells no time: what is beyond it was written after what is before the last one.
            best, since_s = look, since_s if look.written_ago_s is None else -math.inf
        if _reach(look) == _reach(best) and look.written_ago_s is not None:
            # Whoever is the primary later: what is beyond the archive's end was written after that end was.
            since_s = max(since_s, look.asked_s - look.written_ago_s)
        found.append(_age(looks[: number + 1], best, since_s))
    return found


def worst(looks: Sequence[Look], until_s: float) -> Interval | None:
    """The oldest that it ever was, in seconds: between two looks, and after the last until then, it grows on.

    Until the archive is seen to have what had been written by the first look, only the time since that look counts: a
    database that had been idle for hours is not taken for one whose archive stands still. One that lacked a whole
    segment at first was not idle: a segment that ends is archived at once. There, and where the archive never came so
    far, the last file's age bounds it alone. None without a look.
    """
    told = sorted(looks, key=lambda look: look.asked_s)
    if not told:
        return None
    found, idle_until_s = ages(told), _idle_until_s(told)
    ends = [*(later.asked_s for _, later in pairwise(told)), max(until_s, told[-1].asked_s)]
    high = 0.0
    for age, look, end_s in zip(found, told, ends, strict=True):
        since_first_s = look.answered_s - told[0].asked_s
        most_s = min(age.high, since_first_s) if look.asked_s < idle_until_s else age.high
        high = max(high, most_s + end_s - look.asked_s)
    return Interval(max(age.low for age in found), high)


def most_s(looks: Sequence[Look]) -> float | None:
    """How old what the archive lacks becomes, by what it was just before the archive last went on; None before that."""
    told = sorted(looks, key=lambda look: look.asked_s)
    reached, found = -1, None
    previous: Look | None = None
    for look, age in zip(told, [Interval(0.0, 0.0), *ages(told)][: len(told)], strict=True):
        if look.reaches is not None and look.reaches > reached:
            if previous is not None and reached >= 0 and math.isfinite(age.high):
                found = age.high + look.asked_s - previous.asked_s
            reached = look.reaches
        previous = look
    return found


def about_to_go_on(looks: Sequence[Look], lead_s: float) -> bool:
    """Whether the archive lacks nearly the most that it ever does, as far as `lead_s` before it last went on."""
    most = most_s(looks)
    return most is not None and ages(sorted(looks, key=lambda look: look.asked_s))[-1].high >= most - lead_s


def share_at(looks: Sequence[Look], moment: Interval) -> Interval | None:
    """What the archive lacked at a moment: its age, as a share of the most that it becomes; None when not known."""
    before = sorted((look for look in looks if look.answered_s <= moment.low), key=lambda look: look.asked_s)
    most = most_s(before)
    if most is None or most <= 0:
        return None
    age, asked_s = ages(before)[-1], before[-1].asked_s
    return Interval((age.low + moment.low - asked_s) / most, (age.high + moment.high - asked_s) / most)


def measured(looks: Sequence[Look], window: Window, evidence: Sequence[str] = ()) -> Measurement:
    """The worst age in seconds, to be judged."""
    inside = [look for look in looks if look.asked_s <= window.end_s]
    first_s = min((look.asked_s for look in inside), default=math.inf)
    doubts = ()
    if inside and first_s > window.start_s + BEGINS_WITHIN_S:
        doubts = (f"nobody looked at the archive in the first {first_s - window.start_s:.1f} s",)
    return Measurement(
        "age of the oldest that the archive ever lacked", worst(inside, window.end_s), "s", len(inside), window,
        "the primary's archiver", doubts, tuple(evidence),
    )  # fmt: skip


def _idle_until_s(told: Sequence[Look]) -> float:
    """When the archive was seen to have the first look's position, if it lacked no whole segment then; else no time."""
    first = next((look for look in told if look.reaches is not None), None)
    if first is None or first.position - _reach(first)[1] >= SEGMENT_BYTES:
        return -math.inf
    return next((look.asked_s for look in told if _reach(look)[1] >= told[0].position), -math.inf)


def _age(looks: Sequence[Look], best: Look, since_s: float) -> Interval:
    """What is lacking at the last look, with the one by which the archive reaches furthest."""
    last, (_, reaches) = looks[-1], _reach(best)
    its = [look for look in looks if look.server == best.server]
    since_s = max([since_s, *(look.asked_s for look in its if look.position <= reaches)])
    if last.server != best.server:
        # Its log may have left the other's before the archive's end: positions tell nothing, and times do.
        return Interval(0.0, last.answered_s - since_s)
    if last.position <= reaches:
        return Interval(0.0, last.answered_s - last.asked_s)
    if last.reaches is None:
        # Segments may have been archived since the look that told of one.
        return Interval(0.0, last.answered_s - since_s)
    beyond_s = min(look.answered_s for look in its if look.position > reaches)
    low = max(0.0, last.asked_s - beyond_s)
    return Interval(low, max(low, last.answered_s - since_s))


def _reach(look: Look) -> tuple[int, int]:
    return (look.timeline, look.reaches) if look.reaches is not None else (-1, -1)
