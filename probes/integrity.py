"""Whether the system has what it acknowledged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drillbook.domain.interval import Interval
from drillbook.domain.ledger import Integrity, LookUp, Write, integrity
from drillbook.domain.measurement import Measurement, Window
from probes.recording import recording

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from probes.recording import Recording


def acknowledged_events_lost(drill_dir: Path, release: str | None = None) -> Measurement:
    """Number of acknowledged events that are gone or altered; those not answered for are in the upper bound.

    Args:
        drill_dir: The drill's folder.
        release: The version that acknowledged them, whenever it did; any when None.
    """
    load = recording(drill_dir)
    rows = load.rows("ledger")
    if release is not None:
        rows = [row for row in rows if row["version"] == release]
    found = _found(load, rows)
    return _measured(load, "acknowledged events lost", found, rows, found.losses)


def events_duplicated(drill_dir: Path) -> Measurement:
    """Number of events that are there more than once; those not answered for are in the upper bound."""
    load = recording(drill_dir)
    rows = load.rows("ledger")
    found = _found(load, rows)
    certain = len(found.duplicated)
    unknown = len(found.unknown) + len(found.unclear)
    return _measured(load, "events stored more than once", found, rows, Interval(certain, certain + unknown))


def ledger(drill_dir: Path) -> Integrity:
    """Every key by what became of it, for the report."""
    return integrity(*entries(recording(drill_dir)))


def entries(load: Recording) -> tuple[list[Write], list[LookUp]]:
    """Every try of every write, and what was found of each key at the end."""
    return _entries(load, load.rows("ledger"))


def unread(load: Recording) -> tuple[str, ...]:
    """Why nothing is known of what became of the writes; empty when it is."""
    return () if load.phase == "done" else (f"the ledger was not read back: the load ended in phase {load.phase!r}",)


def _entries(load: Recording, rows: Sequence[Mapping[str, Any]]) -> tuple[list[Write], list[LookUp]]:
    """Likewise, of these rows of the ledger."""
    writes = [
        Write(row["key"], row["state"] == "acknowledged", row["state"] == "refused", row["sent_s"], row["done_s"])
        for row in rows
    ]
    keys = {write.key for write in writes}
    look_ups = [
        LookUp(row["key"], row["copies"], row["equal"], row["error"])
        for row in load.rows("readback")
        if row["key"] in keys
    ]
    return writes, look_ups


def _found(load: Recording, rows: Sequence[Mapping[str, Any]]) -> Integrity:
    return integrity(*_entries(load, rows))


def _measured(
    load: Recording, name: str, found: Integrity, rows: Sequence[Mapping[str, Any]], interval: Interval
) -> Measurement:
    times = [row["due_s"] for row in rows] or [0.0]
    doubts = unread(load)
    return Measurement(
        name=name,
        interval=None if doubts else interval,
        unit="events",
        samples=found.acknowledged,
        window=Window(min(times), max(times) + 1e-6),
        source="ledger",
        doubts=doubts,
        evidence=(load.evidence("ledger"), load.evidence("readback")),
    )
