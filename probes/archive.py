"""How old what the archive lacked ever was while a drill went on: what the archive watch saw."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from drillbook.domain import archive_age, wal
from drillbook.domain.archive_age import Look
from drillbook.domain.measurement import Measurement, Window

if TYPE_CHECKING:
    from pathlib import Path

    from drillbook.domain.interval import Interval

FOLDER = "archive"
_PARTIAL = ".partial"


def looks(drill_dir: Path) -> list[Look]:
    """What primaries answered; a last line that was cut off when the watch was killed is no look."""
    path = drill_dir / FOLDER / "looks.jsonl"
    text = path.read_bytes() if path.is_file() else b""
    lines = [json.loads(line) for line in text[: text.rfind(b"\n") + 1].splitlines()]
    return [_look(line) for line in lines if line["primary"]]


def worst_age(drill_dir: Path, window: Window) -> Measurement:
    """Seconds: the age of the oldest that the archive ever lacked in the window."""
    evidence = (f"drills/{drill_dir.name}/{FOLDER}/looks.jsonl",)
    return archive_age.measured(looks(drill_dir), window, evidence)


def share_at(drill_dir: Path, moment: Interval) -> Measurement:
    """What the archive lacked at a moment, by its age, as a ratio of the most that it becomes."""
    found = looks(drill_dir)
    return Measurement(
        name="age of what the archive lacked, of the most that it becomes",
        interval=archive_age.share_at(found, moment),
        unit="ratio",
        samples=len(found),
        window=Window(moment.low, moment.high),
        source="the primary's archiver",
        evidence=(f"drills/{drill_dir.name}/{FOLDER}/looks.jsonl",),
    )


def _look(line: dict[str, Any]) -> Look:
    archived = line["archived"] or ""
    timeline, reaches = _reach(archived)
    # A partial segment goes on beyond that end: its last write is not from when what the archive lacks began.
    ago_s = None if archived.endswith(_PARTIAL) else line["written_ago_s"]
    return Look(
        float(line["asked_s"]), float(line["answered_s"]), int(line["position"]), reaches,
        None if ago_s is None else max(0.0, float(ago_s)), timeline, str(line["region"]),
    )  # fmt: skip


def _reach(archived: str) -> tuple[int, int | None]:
    """Timeline and position up to which the archive has the log, by the file that was archived last.

    A partial segment is archived by a server that was promoted in it: the timeline that ended there is whole, and of
    the new one, which begins in the same segment, nothing is there. A history or a backup's label is archived too, and
    says nothing of how far the log is.
    """
    whole = archived.removesuffix(_PARTIAL)
    try:
        found = wal.segment(whole)
    except ValueError:
        return 0, None
    return (found.timeline, found.end()) if whole == archived else (found.timeline + 1, found.begin())
