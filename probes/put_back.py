"""Whether a backup alone brought back what was destroyed, by what its restore showed and by the ledger of the load."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drillbook.domain import recovery_point
from drillbook.domain.interval import Interval
from drillbook.domain.ledger import LookUp
from drillbook.domain.measurement import Measurement, Window
from drillbook.domain.restored import RUNGS_OF_TABLE, Restored
from probes.integrity import entries
from probes.recording import recording

if TYPE_CHECKING:
    from pathlib import Path

FILE = "backups/put-back.txt"
"""In the drill's folder: what the restore printed."""


def restored(drill_dir: Path) -> Restored:
    """What the restore printed; raises OSError or NotUnderstood when that is not there."""
    return Restored.printed((drill_dir / FILE).read_text(encoding="utf-8"))


def rung(drill_dir: Path, name: str, happened: Interval) -> Measurement:
    """1 when a rung of the table's ladder does not hold, 0 when it does."""
    found = restored(drill_dir)
    holds = found.holds(name)
    words = "" if holds else f": {found.words(name) or 'not come to'}"
    return Measurement(
        name=f"not so: {RUNGS_OF_TABLE[name]}{words}",
        interval=None if holds is None else Interval.exactly(int(not holds)),
        unit="problems",
        samples=1,
        window=Window(happened.low, happened.high),
        source="the restored database",
        evidence=(FILE,),
    )


def age_of_lost_writes(drill_dir: Path, happened: Interval) -> Measurement:
    """The recovery point in seconds: the age at the fault of the oldest acknowledged write that the backup lacked.

    By the keys that were restored, and not by what users find afterwards: the drill's undo gives them the rest.
    """
    load, found = recording(drill_dir), restored(drill_dir)
    writes, _ = entries(load)
    # What was sent once the fault was seen can be in no restore to before it.
    writes = [write for write in writes if not write.sent_s > happened.high]
    look_ups = [
        LookUp(key, int(key in found.events), found.events.get(key) == found.originals.get(key), "")
        for key in {write.key for write in writes}
    ]
    point = recovery_point.recovery_point(writes, look_ups, happened)
    times = [happened.low, happened.high, *(row["due_s"] for row in load.rows("ledger"))]
    window = Window(min(times), max(times))
    return recovery_point.age_measured(point, window, evidence=(load.evidence("ledger"), FILE))
