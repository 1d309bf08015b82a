"""What a migration that was run under load has shown, from what its drill has kept."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from drillbook.domain.interval import Interval
from drillbook.domain.ledger import LookUp, Write
from drillbook.domain.measurement import Measurement, Window
from drillbook.domain.migration import backfill, locks, proof
from drillbook.domain.migration.backfill import Done, Filling
from drillbook.domain.migration.locks import Look, Watched
from drillbook.domain.migration.proof import Contents, Contraction, Step
from drillbook.domain.migration.settings import ADVERSARY
from probes.recording import recording

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

WAYS = ("up", "down", "up again")
OLDER, NEWER = "older", "newer"
"""Folders, in the drill's, of the loads on the two releases."""
FOLDER, RECORD, LOOKS = "migration", "record.jsonl", "looks.jsonl"
_AFTER_S = 1.0
"""Requests due so long after the last way may still have met it."""
_NEVER_LOOKED = backfill.Looks()
_FAILED = re.compile(
    r"the migration (cannot be started: |\w+( to \S*)? (ended with exit code -?\d+: |did not end within \S+ s$))"
)
"""What is said of a command that failed."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a drill has kept of a migration.

    Attributes:
        folder: The drill's folder.
        application: Name of the migration's connections.
        every_s: How often the locks were to be looked at.
        steps: Ways that were gone.
        contents: What the table held, the first before all ways.
        invalid: Indexes that were found invalid after any way; None when nobody looked.
        looks: At the locks.
        killed_s: When a back-fill was killed; None when none was.
        backfilled: What was found when it was done; None when it was not seen to end.
        fillings: Looks at which rows it had filled.
        contracts: Contract steps that were tried.
    """

    folder: Path
    application: str
    every_s: float
    steps: tuple[Step, ...]
    contents: tuple[Contents, ...]
    invalid: tuple[str, ...] | None
    looks: tuple[Look, ...]
    killed_s: float | None = None
    backfilled: Done | None = None
    fillings: backfill.Looks = _NEVER_LOOKED
    contracts: tuple[Contraction, ...] = ()

    @property
    def window(self) -> Window:
        """From the first way's beginning until requests that met the last of what was done are answered."""
        if not self.steps:
            return Window(0.0, 0.0)
        ends = [
            self.steps[-1].end_s,
            *([self.backfilled.at_s] if self.backfilled else []),
            *(one.end_s for one in self.contracts),
        ]
        return Window(self.steps[0].start_s, max(ends) + _AFTER_S)

    @property
    def before(self) -> Window:
        """From when all was there that runs beside the migration until its first way."""
        if not self.steps or not self.contents:
            return Window(0.0, 0.0)
        began_s = self.steps[0].start_s
        return Window(min(self.contents[0].taken_s, began_s), began_s)

    @property
    def watched(self) -> Watched:
        """The looks while ways were gone."""
        window = self.window
        return Watched(self.looks, Window(window.start_s, max(window.start_s, window.end_s - _AFTER_S)), self.every_s)


def recorded(folder: Path) -> Recorded:
    """What a drill has kept of its migration.

    Raises:
        FileNotFoundError: When it has kept nothing.
    """
    kept: dict[str, list[dict[str, Any]]] = {}
    for line in _lines(folder / FOLDER / RECORD):
        kept.setdefault(str(line.pop("kind")), []).append(line)
    settings = kept.get("settings", [{}])[0]
    # The first look was before all ways.
    indexes = kept.get("indexes", [])[1:]
    return Recorded(
        folder=folder,
        application=str(settings["application"]),
        every_s=float(settings["every_s"]),
        steps=tuple(Step(**_with_its_end(line)) for line in kept.get("step", [])),
        contents=tuple(Contents(line["taken_s"], line["rows"], int(line["sum"])) for line in kept.get("contents", [])),
        invalid=tuple(sorted({str(name) for line in indexes for name in line["invalid"]})) if indexes else None,
        killed_s=float(kept["killed"][0]["at_s"]) if "killed" in kept else None,
        backfilled=_done(kept["backfilled"][-1]) if "backfilled" in kept else None,
        fillings=_fillings(kept.get("filling", [])),
        contracts=tuple(Contraction(**_with_its_end(line)) for line in kept.get("contract", [])),
        looks=tuple(Look.from_document(line) for line in _lines(folder / FOLDER / LOOKS)),
    )


def ways_missed(kept: Recorded) -> Measurement:
    """Number of the ways up, down and up again that did not lead where they were to."""
    return _evident(kept, RECORD, proof.steps_missed(kept.steps, WAYS, kept.window))


def rows_there(kept: Recorded) -> Measurement:
    """Number of rows on which it was proved, at the least."""
    rows = Interval.exactly(kept.contents[0].rows) if kept.contents else None
    found = Measurement("rows in the table", rows, "rows", len(kept.contents), kept.window, "checksum")
    return _evident(kept, RECORD, found)


def rows_changed(kept: Recorded) -> Measurement:
    """Number of rows that are not what they were, after any of the ways."""
    first, *after = kept.contents or (None,)
    complete = after if len(after) >= len(WAYS) else ()
    return _evident(kept, RECORD, proof.rows_changed(first, complete, kept.window))


def invalid_indexes(kept: Recorded) -> Measurement:
    """Number of indexes that a way has left invalid, though another one may have dropped them."""
    return _evident(kept, RECORD, proof.invalid_indexes(kept.invalid, kept.window))


def longest_request_wait(kept: Recorded) -> Measurement:
    """Seconds for which anybody waited behind the migration for a lock, at the longest."""
    name = "longest wait for a lock behind the migration"
    mine = kept.application
    found = locks.longest_wait(kept.watched, lambda one: one.application != mine and mine in one.behind, name)
    return _of_its_connections(kept, found)


def requests_blocked(kept: Recorded, longer_than_s: float) -> Measurement:
    """Number of requests that waited behind the migration for longer than so many seconds."""
    name = f"requests that waited behind the migration for longer than {longer_than_s:g} s"
    return _of_its_connections(kept, locks.blocked(kept.watched, kept.application, longer_than_s, name))


def exclusive_for(kept: Recorded) -> Measurement:
    """Seconds for which the migration kept everybody from a table, at the longest."""
    name = "time for which the migration held ACCESS EXCLUSIVE"
    return _of_its_connections(kept, locks.longest_exclusive(kept.watched, kept.application, name))


def queued_behind_the_adversary(kept: Recorded) -> Measurement:
    """Seconds for which the migration was seen to wait behind the long transaction."""
    name = "longest wait of the migration behind the long transaction"
    mine = kept.application
    found = locks.longest_wait(kept.watched, lambda one: one.application == mine and ADVERSARY in one.behind, name)
    return _of_its_connections(kept, found)


def gone_over_again(kept: Recorded) -> Measurement:
    """Number of rows that a back-fill went over once more after it was killed, by its own account.

    Raises:
        FileNotFoundError: When none was killed, or it was not seen to its end.
    """
    if kept.killed_s is None or kept.backfilled is None:
        raise FileNotFoundError("no back-fill was killed and seen to its end")
    window = Window(kept.killed_s, kept.backfilled.at_s)
    watched = Watched(kept.looks, window, kept.every_s)
    return _evident(kept, LOOKS, locks.gone_over_again(watched, kept.backfilled.beyond))


def filled_again(kept: Recorded) -> Measurement:
    """Number of rows that were filled when a back-fill was killed, and were written again until it had ended."""
    return _evident(kept, RECORD, backfill.filled_again(kept.fillings, kept.window))


def rows_left_out(kept: Recorded, rows: int) -> Measurement:
    """Number of so many rows that a back-fill has not filled when it says that it is done."""
    return _evident(kept, RECORD, backfill.rows_left(rows, kept.fillings, kept.backfilled, kept.window))


def contracted_prematurely(kept: Recorded, release: str) -> Measurement:
    """Number of contract steps that were taken, of those that were tried, while this release served."""
    return _evident(kept, RECORD, proof.premature(kept.contracts, release, kept.window))


def worst_latency(kept: Recorded, who: str, limit_s: float) -> Measurement:
    """Seconds from when a request to a release was due to its answer, at worst while ways were gone.

    Args:
        kept: The record.
        who: `older`, `newer`, or empty for the public.
        limit_s: What it is held against: where it is exceeded before the first way, that is a doubt.
    """
    load = recording(kept.folder / who)
    metered = load.metered()
    requests = metered.due_within(kept.window.start_s, kept.window.end_s)
    name = f"worst latency of the {who or 'public'}{' release' if who else ''}"
    found = proof.worst_latency(requests, load.stalls(), kept.window, name)
    before = proof.slow_before(metered, load.stalls(), kept.before, limit_s)
    doubts = (*found.doubts, *before, *load.doubts(requests, kept.window, kinds=2))
    return replace(found, doubts=doubts, evidence=(load.evidence("requests"), load.evidence("stalls")))


def lost_crosswise(kept: Recorded, who: str) -> Measurement:
    """Number of events that one release acknowledged and the other does not have, or has otherwise."""
    load = recording(kept.folder / who)
    writes = [
        Write(row["key"], row["state"] == "acknowledged", row["state"] == "refused", row["sent_s"], row["done_s"])
        for row in load.rows("ledger")
    ]
    look_ups = [LookUp(row["key"], row["copies"], row["equal"], row["error"]) for row in load.rows("readback")]
    other = NEWER if who == OLDER else OLDER
    found = proof.crosswise(writes, look_ups, f"events of the {who} release that the {other} lacks", kept.window)
    doubts = () if load.phase == "done" else (f"not read back: the load ended in phase {load.phase!r}",)
    return replace(
        found, doubts=(*found.doubts, *doubts), evidence=(load.evidence("ledger"), load.evidence("readback"))
    )


def _with_its_end(line: Mapping[str, Any]) -> dict[str, Any]:
    return {**line, "failed": _failed(line)}


def _failed(line: Mapping[str, Any]) -> bool:
    """Whether the command failed; folders from before that was kept have what was said of it."""
    return bool(line["failed"]) if "failed" in line else _FAILED.match(str(line.get("text", ""))) is not None


def _done(line: Mapping[str, Any]) -> Done:
    error = str(line["text"]) if _failed(line) else ""
    return Done(float(line["at_s"]), int(line["rows"]), line.get("there"), error)


def _fillings(lines: Sequence[Mapping[str, Any]]) -> backfill.Looks:
    found = {str(line["when"]): Filling(line["rows"], line["filled"], line["kept"], line["snapshot"]) for line in lines}
    settled = any(line.get("settled") is True for line in lines)
    return backfill.Looks(found.get("before"), found.get("killed"), found.get("done"), settled)


def _of_its_connections(kept: Recorded, measured: Measurement) -> Measurement:
    """What is known of the migration by the name of its connections: nothing where there were none of that name."""
    doubts = locks.unknown(kept.watched, kept.application, "migrations.proof.application")
    known = None if doubts else measured.interval
    return _evident(kept, LOOKS, replace(measured, interval=known, doubts=(*measured.doubts, *doubts)))


def _evident(kept: Recorded, name: str, measured: Measurement) -> Measurement:
    return replace(measured, evidence=(f"drills/{kept.folder.name}/{FOLDER}/{name}",))


def _lines(path: Path) -> Sequence[dict[str, Any]]:
    """Its lines; the last one of a drill that died may be cut off."""
    found: list[dict[str, Any]] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            found.append(json.loads(line))
        except ValueError:
            break
    return found
