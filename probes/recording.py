"""What a load left in its drill's folder, finished or killed."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pyarrow  # noqa: ICN001 - `pa` is its untyped alias below
import pyarrow.compute as compute_of_arrow
import pyarrow.parquet as parquet_of_arrow

from drillbook.domain.measurement import Window
from drillbook.domain.requests import Requests, Stalls
from drillbook.domain.shape import Shape

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from drillbook.domain.traffic import Connection

pa: Any = pyarrow  # it has no type stubs
pc: Any = compute_of_arrow
pq: Any = parquet_of_arrow

# Of the rows that the schedule says there must be, so many may lack at the window's edges.
_COVERED = 0.98
_EDGE_ROWS = 2
# A meter that slept longer than this share of a window was no witness of it.
_ASLEEP = 0.1


@dataclass(frozen=True, slots=True)
class Recording:
    """One drill's load.

    Attributes:
        folder: The drill's folder.
        rate_hz: Metered requests a second of each kind of connection.
        phase: Where the load was last: `done` when it finished.
        shape: Of its load, where that was not the same all the time; both kinds of connection together.
        start_s: When the shape began; None when it never did.
    """

    folder: Path
    rate_hz: float
    phase: str
    shape: Shape | None = None
    start_s: float | None = None

    def metered(self, connection: Connection | None = None) -> Requests:
        """The meter's rows; of both kinds of connection when None."""
        table = self._table("requests")
        return _requests(table.filter(pc.equal(table["kind"], "meter")), connection)

    def answered_beside(self, connection: Connection | None = None) -> Requests:
        """Of the users beside the meter those who had an answer: who gave it, and how it was, is theirs to tell too.

        They wait for each other, so that their rows tell neither how many there should be nor how long one waits.
        """
        table = self._table("requests")
        answered = pc.and_(pc.not_equal(table["kind"], "meter"), pc.greater(table["status"], 0))
        return _requests(table.filter(answered), connection)

    def stalls(self) -> Stalls:
        """When the meter did not run: what its native watcher saw alone did not make a request late."""
        table = self._table("stalls")
        table = table.filter(pc.equal(table["seen_by"], "scheduler"))
        return Stalls.of(_numpy(table["start_s"]), _numpy(table["end_s"]))

    def of_shape(self, from_s: float, to_s: float) -> Window | None:
        """A part of the shape, in seconds after its start; None when it never began."""
        return None if self.start_s is None else Window(self.start_s + from_s, self.start_s + to_s)

    def due(self, window: Window, *, kinds: int) -> float:
        """How many requests were due in a window, of one kind of connection or both.

        Where a shape never began nobody knows, and what the usual rate gives would lack.
        """
        if self.shape is None or self.start_s is None:
            return window.length_s * self.rate_hz * kinds
        end_s, start_s = window.end_s - self.start_s, window.start_s - self.start_s
        return (self.shape.due_by(end_s) - self.shape.due_by(start_s)) * kinds / 2

    def missing(self, requests: Requests, window: Window, *, kinds: int) -> int:
        """How many requests were due in a window and have no row; the schedule is exact, but for one at each edge."""
        return max(0, math.floor(self.due(window, kinds=kinds)) - len(requests) - _EDGE_ROWS * kinds)

    def rows(self, name: str) -> list[dict[str, Any]]:
        """A small table's rows: `ledger` or `readback`; none when the load did not come so far."""
        return cast("list[dict[str, Any]]", self._table(name).to_pylist())

    def evidence(self, name: str) -> str:
        """A table's path relative to the run's folder."""
        parts = self.folder.parts
        within = parts[len(parts) - parts[::-1].index("drills") :] if "drills" in parts else parts[-1:]
        return "/".join(("drills", *within, "load", self._path(name).name))

    def doubts(self, requests: Requests, window: Window, *, kinds: int = 1) -> tuple[str, ...]:
        """Reasons why the rows of a window do not tell of it: rows are missing, or the meter was asleep.

        Args:
            requests: Those due within the window.
            window: The window.
            kinds: How many kinds of connection they are of.
        """
        found: list[str] = []
        expected = self.due(window, kinds=kinds)
        if len(requests) < expected * _COVERED - _EDGE_ROWS:
            found.append(
                f"the meter has {len(requests)} of {expected:.0f} rows of this window; "
                f"its load ended in phase {self.phase!r}"
            )
        edges = np.array([window.start_s]), np.array([window.end_s])
        asleep_s = float(self.stalls().within(*edges)[0])
        if asleep_s > _ASLEEP * window.length_s:
            found.append(f"the meter itself did not run for {asleep_s:.2f} s of {window.length_s:.2f} s")
        return tuple(found)

    def _path(self, name: str) -> Path:
        finished = self.folder / "load" / f"{name}.parquet"
        return finished if finished.exists() else finished.with_suffix(".arrows")

    def _table(self, name: str) -> Any:
        path = self._path(name)
        stamp = path.stat().st_mtime_ns if path.exists() else 0
        return _read(path, stamp)


def recording(drill_dir: Path) -> Recording:
    """The recording of a drill.

    Raises:
        FileNotFoundError: When the drill had no load.
    """
    plan = _json(drill_dir / "load" / "plan.json")
    state_path = drill_dir / "load" / "state.json"
    phase = str(_json(state_path)["phase"]) if state_path.exists() else "never started"
    meter = plan["meter"]
    if not meter.get("shape"):
        return Recording(drill_dir, float(meter["rate_hz"]), phase)
    schedule_path = drill_dir / "load" / "schedule.json"
    start_s = float(_json(schedule_path)["start_s"]) if schedule_path.exists() else None
    return Recording(drill_dir, float(meter["rate_hz"]), phase, Shape.from_document(meter["shape"]), start_s)


def _requests(table: Any, connection: Connection | None) -> Requests:
    if connection is not None:
        table = table.filter(pc.equal(table["connection"], connection.value))
    table = table.sort_by("due_s")
    return Requests(*(_numpy(table[name]) for name in Requests.__dataclass_fields__))


@lru_cache(maxsize=8)
def _read(path: Path, stamp: int) -> Any:
    """A table as it was at `stamp`; of a killed load what it had flushed."""
    if not stamp:
        return _EMPTY[path.stem]
    if path.suffix == ".parquet":
        return pq.read_table(path)
    batches: list[Any] = []
    try:
        with pa.OSFile(str(path)) as source, pa.ipc.open_stream(source) as stream:
            batches.extend(stream)
    except (pa.ArrowInvalid, OSError):
        pass  # the last batch was cut off; what came before it is whole
    return pa.Table.from_batches(batches) if batches else _EMPTY[path.stem]


def _empty(texts: str = "", floats: str = "", flags: str = "", counts: str = "") -> Any:
    fields = [(name, pa.string()) for name in texts.split()] + [(name, pa.float64()) for name in floats.split()]
    fields += [(name, pa.bool_()) for name in flags.split()] + [(name, pa.int32()) for name in counts.split()]
    return pa.schema(fields).empty_table()


_EMPTY = {
    "requests": _empty(
        "outcome connection kind operation region slot version error", "due_s sent_s done_s", "fresh", "status"
    ),
    "stalls": _empty("seen_by", "start_s end_s"),
    "ledger": _empty("key state version slot region", "due_s sent_s done_s"),
    "readback": _empty("key error", "checked_s", "found equal", "copies"),
}


def _numpy(column: Any) -> Any:
    return column.to_numpy()


def _json(path: Path) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", json.loads(path.read_text(encoding="utf-8")))
