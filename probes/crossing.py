"""Whether sessions and jobs in flight went on in the other region. Pure functions over a drill's folder."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from drillbook.domain import crossing
from drillbook.domain.crossing import Asked, Count, Kept, Kind, Try
from drillbook.domain.interval import Interval
from drillbook.domain.measurement import Measurement, Window

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from pathlib import Path

FOLDER = "crossing"
"""Of the drill's, with what the process beside the users wrote."""

_BAD: tuple[Kind, ...] = ("forged", "over")


def asks(drill_dir: Path) -> list[Asked]:
    """Every question about a session."""
    return [Asked(**line) for line in _lines(drill_dir, "sessions")]


def tries(drill_dir: Path) -> list[Try]:
    """Every time that a job was sent."""
    return [Try(**line) for line in _lines(drill_dir, "jobs")]


def kept(drill_dir: Path) -> list[Kept]:
    """Every look at what is stored of a job."""
    return [Kept(**line) for line in _lines(drill_dir, "kept")]


def sessions_not_honoured(drill_dir: Path, region: str, window: Window) -> Measurement:
    """Number of sessions, opened by either region, that this one did not honour in the window."""
    found = asks(drill_dir)
    opened = {ask.session for ask in found if ask.kind == "good"}
    count = crossing.not_honoured(found, opened, region, window)
    return _counted(f"sessions that {region} did not honour", "sessions", count, window, drill_dir, "sessions")


def bad_sessions_honoured(drill_dir: Path, regions: Collection[str], windows: Sequence[Window]) -> Measurement:
    """Number of times that one which was forged or is over was honoured: each by each region, in each window."""
    found = asks(drill_dir)
    counts = [
        crossing.wrongly_honoured(found, kind, region, window)
        for kind in _BAD
        for region in regions
        for window in windows
    ]
    # Where one kind was never tried, nothing is shown about it.
    tried = sum(it.among for it in counts) if all(it.among for it in counts) else 0
    count = Count(tried, sum(it.wrong for it in counts), sum(it.unknown for it in counts))
    name = "sessions honoured that were forged or are over"
    return _counted(name, "sessions", count, _hull(windows), drill_dir, "sessions")


def jobs_unfinished(drill_dir: Path, left: str, region: str, switch: Interval) -> Measurement:
    """Number of jobs in flight at a switch that the region which took over did not finish.

    Args:
        drill_dir: The drill's folder.
        left: The region that was left.
        region: The one that took over.
        switch: From where the switch began to where it was seen to be over; seconds since the epoch.
    """
    found = tries(drill_dir)
    keys = crossing.in_flight(found, left, switch)
    count = crossing.unfinished(found, keys, region)
    name = f"jobs in flight that {region} did not finish"
    return _counted(name, "jobs", count, Window(switch.low, switch.high), drill_dir, "jobs")


def jobs_wrongly_kept(drill_dir: Path, keys: Collection[str], regions: Collection[str], window: Window) -> Measurement:
    """Number of jobs that either region has not exactly once, as they were sent."""
    count = crossing.wrongly_kept(kept(drill_dir), keys, regions)
    return _counted("jobs that are not stored once, as they were sent", "jobs", count, window, drill_dir, "kept")


def jobs_answered_otherwise(
    drill_dir: Path, keys: Collection[str], regions: Collection[str], window: Window
) -> Measurement:
    """Number of jobs that were answered otherwise when they were sent again."""
    count = crossing.answered_otherwise(tries(drill_dir), keys, regions)
    return _counted("jobs that were answered otherwise when sent again", "jobs", count, window, drill_dir, "jobs")


def _counted(  # noqa: PLR0917 - what a measurement consists of
    name: str, unit: str, count: Count, window: Window, drill_dir: Path, evidence: str
) -> Measurement:
    """Where there were none of them, nothing is shown."""
    nothing = (f"there was none of the {unit} that this is about, so nothing is shown",)
    return Measurement(
        name=name,
        interval=Interval(count.wrong, count.wrong + count.unknown) if count.among else None,
        unit=unit,
        samples=count.among,
        window=window,
        source="requests to each region's gateway",
        doubts=() if count.among else nothing,
        evidence=(f"drills/{drill_dir.name}/{FOLDER}/{evidence}.jsonl",),
    )


def _hull(windows: Sequence[Window]) -> Window:
    return Window(min(it.start_s for it in windows), max(it.end_s for it in windows))


def _lines(drill_dir: Path, name: str) -> Iterator[dict[str, Any]]:
    """A last line that was cut off when its process was killed is none."""
    path = drill_dir / FOLDER / f"{name}.jsonl"
    text = path.read_bytes() if path.is_file() else b""
    yield from (json.loads(line) for line in text[: text.rfind(b"\n") + 1].splitlines())
