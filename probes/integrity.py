"""Whether the system has what it acknowledged."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drillbook.domain.interval import Interval
from drillbook.domain.ledger import Integrity, LookUp, Write, integrity
from drillbook.domain.measurement import Measurement, Window
from probes.recording import recording

if TYPE_CHECKING:
    from pathlib import Path

    from probes.recording import Recording


def acknowledged_events_lost(drill_dir: Path, window: Window | None = None) -> Measurement:
    """Number of acknowledged events that are gone or altered; those not answered for are in the upper bound."""
    load, found, whole = _looked_up(drill_dir, window)
    return _measured(load, "acknowledged events lost", found, whole, found.losses)


def events_duplicated(drill_dir: Path, window: Window | None = None) -> Measurement:
    """Number of events that are there more than once; those not answered for are in the upper bound."""
    load, found, whole = _looked_up(drill_dir, window)
    certain = len(found.duplicated)
    unknown = len(found.unknown) + len(found.unclear)
    return _measured(load, "events stored more than once", found, whole, Interval(certain, certain + unknown))


def ledger(drill_dir: Path, window: Window | None = None) -> Integrity:
    """Every key by what became of it, for the report."""
    return _looked_up(drill_dir, window)[1]


def entries(load: Recording, window: Window | None = None) -> tuple[list[Write], list[LookUp]]:
    """Every try of every write that was due in the window, or of all, and what was found of each key at the end."""
    rows = load.rows("ledger")
    if window is not None:
        rows = [row for row in rows if window.start_s <= row["due_s"] < window.end_s]
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


def unread(load: Recording) -> tuple[str, ...]:
    """Why nothing is known of what became of the writes; empty when it is."""
    return () if load.phase == "done" else (f"the ledger was not read back: the load ended in phase {load.phase!r}",)


def _looked_up(drill_dir: Path, window: Window | None) -> tuple[Recording, Integrity, Window]:
    """The ledger of writes that were due in the window, or of all."""
    load = recording(drill_dir)
    writes, look_ups = entries(load, window)
    if window is None:
        times = [row["due_s"] for row in load.rows("ledger")] or [0.0]
        window = Window(min(times), max(times) + 1e-6)
    return load, integrity(writes, look_ups), window


def _measured(load: Recording, name: str, found: Integrity, window: Window, interval: Interval) -> Measurement:
    doubts = unread(load)
    return Measurement(
        name=name,
        interval=None if doubts else interval,
        unit="events",
        samples=found.acknowledged,
        window=window,
        source="ledger",
        doubts=doubts,
        evidence=(load.evidence("ledger"), load.evidence("readback")),
    )
