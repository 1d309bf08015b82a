"""Whether a repository alone brings the database back to a moment, by its ladder and by the ledger of the load."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from drillbook.domain.interval import Interval
from drillbook.domain.measurement import Measurement, Window
from drillbook.domain.restored import RUNGS, Restored
from probes.integrity import entries
from probes.recording import recording

if TYPE_CHECKING:
    from pathlib import Path

    from drillbook.domain.ledger import Write

MOMENT = "backups/moment.json"
"""In the drill's folder: the moment, and the repositories."""


@dataclass(frozen=True, slots=True)
class Moment:
    """The moment that is restored to: the database's own, bracketed by our clock.

    Attributes:
        asked_s: Before the database was asked for its time; seconds since the epoch on the run's clock.
        answered_s: After it had answered.
        text: Its answer, as PostgreSQL reads it.
        keys: The repositories, by their numbers.
    """

    asked_s: float
    answered_s: float
    text: str
    keys: tuple[int, ...]


def file_of(key: int) -> str:
    """In the drill's folder: what the restore from this repository printed."""
    return f"backups/restored-{key}.txt"


def moment(drill_dir: Path) -> Moment:
    """What a drill kept; raises OSError or ValueError when it did not."""
    found: Any = json.loads((drill_dir / MOMENT).read_text(encoding="utf-8"))
    keys = tuple(int(key) for key in found["keys"])
    return Moment(float(found["asked_s"]), float(found["answered_s"]), str(found["text"]), keys)


def restored(drill_dir: Path, key: int) -> Restored:
    """What the restore from a repository printed; raises OSError or NotUnderstood when that is not there."""
    return Restored.printed((drill_dir / file_of(key)).read_text(encoding="utf-8"))


def rung(drill_dir: Path, key: int, name: str) -> Measurement:
    """1 when a rung of the ladder does not hold for a repository, 0 when it does."""
    found = restored(drill_dir, key)
    holds = found.holds(name)
    words = "" if holds else f": {found.words(name) or 'not come to'}"
    return Measurement(
        name=f"not so with repository {key}: {RUNGS[name]}{words}",
        interval=None if holds is None else Interval.exactly(int(not holds)),
        unit="problems",
        samples=1,
        window=_window(moment(drill_dir)),
        source="the restored database",
        evidence=(file_of(key),),
    )


def lost(drill_dir: Path, key: int) -> Measurement:
    """Number of events that were acknowledged before the moment and are not restored."""
    at = moment(drill_dir)
    due = {write.key for write in _writes(drill_dir) if write.acknowledged and write.done_s <= at.asked_s}
    missing = due - restored(drill_dir, key).events.keys()
    return _counted("events of before the moment that are not restored", due, missing, drill_dir, key)


def beyond(drill_dir: Path, key: int) -> Measurement:
    """Number of events that were sent only after the moment, and are restored: then it was not the moment."""
    at = moment(drill_dir)
    first: dict[str, float] = {}
    for write in _writes(drill_dir):
        if math.isnan(write.sent_s):
            continue
        first[write.key] = min(first.get(write.key, write.sent_s), write.sent_s)
    later = {key for key, sent_s in first.items() if sent_s >= at.answered_s}
    acknowledged = {write.key for write in _writes(drill_dir) if write.acknowledged} & later
    too_many = later & restored(drill_dir, key).events.keys()
    return _counted("events of after the moment that are restored", acknowledged, too_many, drill_dir, key)


def altered(drill_dir: Path, key: int) -> Measurement:
    """Number of restored events that are not what the primary has."""
    found = restored(drill_dir, key)
    wrong = {it for it, hash_ in found.events.items() if found.originals.get(it) != hash_}
    return _counted("restored events that the primary has not, or not so", {*found.events}, wrong, drill_dir, key)


def _counted(name: str, among: set[str], found: set[str], drill_dir: Path, key: int) -> Measurement:
    """Where there was nothing to be found, nothing is shown."""
    return Measurement(
        name=f"{name}, repository {key}",
        interval=Interval.exactly(len(found)) if among else None,
        unit="events",
        samples=len(among),
        window=_window(moment(drill_dir)),
        source="ledger and restored database",
        evidence=(file_of(key), MOMENT),
    )


def _writes(drill_dir: Path) -> list[Write]:
    writes, _ = entries(recording(drill_dir))
    return list(writes)


def _window(at: Moment) -> Window:
    return Window(at.asked_s, at.answered_s)
