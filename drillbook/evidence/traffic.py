"""What the load saw: every request, as arrays."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from drillbook.domain.measurement import Window
from drillbook.domain.traffic import Connection, Origin, Outcome
from drillbook.evidence import tables

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from drillbook.evidence.reading import Reader

Floats: TypeAlias = "NDArray[np.float64]"
Codes: TypeAlias = "NDArray[np.int32]"

METER = "meter"
MOST_ORIGINS = 8
"""More releases than a plot can keep apart are shown as one."""

_TEXTS = ("outcome", "connection", "kind", "slot", "version")


@dataclass(frozen=True, slots=True, eq=False)
class Traffic:
    """Every request, column by column.

    Attributes:
        due_s: When it was due: seconds since the epoch, finite.
        latency_s: From due to done; NaN when it was never sent.
        outcome: Index into `outcomes`.
        outcomes: As recorded.
        origin: Index into `origins`.
        origins: Who answered; the one with empty strings stands for no answer.
        reused: Whether it used a connection that was open before.
        metered: Whether the open-loop meter sent it; users did otherwise.
        stalls: When the load's own process was held up, so that what it saw is uncertain.
    """

    due_s: Floats
    latency_s: Floats
    outcome: Codes
    outcomes: tuple[str, ...]
    origin: Codes
    origins: tuple[Origin, ...]
    reused: NDArray[np.bool_]
    metered: NDArray[np.bool_]
    stalls: tuple[Window, ...] = ()

    @property
    def ok(self) -> NDArray[np.bool_]:
        """Which requests were answered rightly."""
        good = np.array([outcome == Outcome.OK for outcome in self.outcomes], dtype=np.bool_)
        return good[self.outcome]

    @property
    def window(self) -> Window | None:
        """From the first request due to the last; None without any."""
        return Window(float(self.due_s.min()), float(self.due_s.max())) if len(self.due_s) else None


def read(reader: Reader, folder: str) -> Traffic | None:
    """The traffic of a drill; None, with a note where there should be one, when it cannot be read."""
    name = f"{folder}/requests.parquet"
    table = tables.table(reader, name, needed=reader.is_file(f"{folder}/plan.json"))
    if table is None:
        return None
    try:
        traffic = _arrays(table, _stalls(reader, folder))
    except tables.UNFIT as error:
        reader.note(name, f"lacks what a load's record has: {error}")
        return None
    lost = table.num_rows - len(traffic.due_s)
    if lost:
        reader.note(name, f"has {lost} rows without a time; they are not in the plots")
    return traffic


def failed_within(traffic: Traffic) -> Window | None:
    """From the first failed request to the last; None without one."""
    bad = traffic.due_s[~traffic.ok]
    return Window(float(bad.min()), float(bad.max())) if len(bad) else None


def due_within(traffic: Traffic, window: Window) -> int:
    """How many requests were due in it."""
    return int(((traffic.due_s >= window.start_s) & (traffic.due_s <= window.end_s)).sum())


def _arrays(table: tables.Table, stalls: tuple[Window, ...]) -> Traffic:
    due_s, done_s = tables.numbers(table, "due_s"), tables.numbers(table, "done_s")
    timed = np.isfinite(due_s)
    coded = {name: tables.coded(table, name) for name in _TEXTS}
    outcome, outcomes = coded["outcome"]
    origin, origins = _origins(coded)
    connection, connections = coded["connection"]
    kind, kinds = coded["kind"]
    reused = np.array([name == Connection.REUSED for name in connections], dtype=np.bool_)[connection]
    metered = np.array([name == METER for name in kinds], dtype=np.bool_)[kind]
    return Traffic(
        due_s[timed], (done_s - due_s)[timed], outcome[timed], outcomes, origin[timed], origins, reused[timed],
        metered[timed], stalls,
    )  # fmt: skip


def _origins(coded: dict[str, tuple[Codes, tuple[str, ...]]]) -> tuple[Codes, tuple[Origin, ...]]:
    """Slot and version together, in the order of their first answers; those without an answer last."""
    (slot, slots), (version, versions) = coded["slot"], coded["version"]
    pair = slot.astype(np.int64) * len(versions) + version
    found, first, codes = np.unique(pair, return_index=True, return_inverse=True)
    origins = [Origin("", slots[code // len(versions)], versions[code % len(versions)]) for code in map(int, found)]
    order = sorted(range(len(origins)), key=lambda index: (origins[index] == Origin(), int(first[index])))
    kept = order if len(order) <= MOST_ORIGINS else order[: MOST_ORIGINS - 1]
    rank = np.full(max(len(order), 1), len(kept), dtype=np.int32)
    rank[kept] = np.arange(len(kept), dtype=np.int32)
    names = [origins[index] for index in kept]
    if len(kept) < len(order):
        names.append(Origin(version="all others"))
    return rank[codes.reshape(-1)], tuple(names) or (Origin(),)


def _stalls(reader: Reader, folder: str) -> tuple[Window, ...]:
    name = f"{folder}/stalls.parquet"
    table = tables.table(reader, name, needed=False)
    if table is None:
        return ()
    try:
        starts, ends = tables.numbers(table, "start_s"), tables.numbers(table, "end_s")
    except tables.UNFIT as error:
        reader.note(name, f"lacks what a record of stalls has: {error}")
        return ()
    pairs = sorted(pair for pair in zip(starts.tolist(), ends.tolist(), strict=True) if pair[0] <= pair[1])
    return tuple(Window(start, end) for start, end in pairs if math.isfinite(start) and math.isfinite(end))
