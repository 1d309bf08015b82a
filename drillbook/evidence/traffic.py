"""What the load saw: millions of rows as arrays, and the few hundred figures a plot needs of them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from drillbook.domain.measurement import Window
from drillbook.domain.traffic import Connection, Origin, Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from drillbook.evidence.reading import Reader

Floats: TypeAlias = "NDArray[np.float64]"
Codes: TypeAlias = "NDArray[np.int32]"

METER = "meter"
MOST_ORIGINS = 8
"""More releases than a plot can keep apart are shown as one."""

_TEXTS = ("outcome", "connection", "kind", "slot", "version")
_NICE = (1.0, 2.0, 5.0)


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


@dataclass(frozen=True, slots=True)
class OriginBins:
    """The answers of one release in one slot, by bin.

    Attributes:
        origin: Which.
        ok: Right answers.
        bad: Everything else.
        p50_s: Median latency of the right answers, by bin; NaN where there were none.
        p99_s: 99th percentile, likewise.
    """

    origin: Origin
    ok: Codes
    bad: Codes
    p50_s: Floats
    p99_s: Floats


@dataclass(frozen=True, slots=True)
class Bins:
    """A stretch of traffic cut into equal bins.

    Attributes:
        start_s: Where the first begins, seconds since the epoch.
        width_s: Seconds of each.
        count: How many.
        origins: By who answered; no answer comes last.
        failures: Failed requests by bin, by who sent them: the meter on new connections, on reused ones, the users.
    """

    start_s: float
    width_s: float
    count: int
    origins: tuple[OriginBins, ...]
    failures: tuple[tuple[str, Codes], ...]


@dataclass(frozen=True, slots=True)
class Tally:
    """A row of the table beside the plot.

    Attributes:
        origin: Who answered.
        total: Requests.
        ok: Right answers.
        outcomes: The others by outcome, largest first.
        new_bad: Failed ones of the meter on new connections.
        reused_bad: Likewise on reused ones.
        p50_s: Median latency of the right answers; NaN without any.
        p99_s: 99th percentile.
    """

    origin: Origin
    total: int
    ok: int
    outcomes: tuple[tuple[str, int], ...]
    new_bad: int
    reused_bad: int
    p50_s: float
    p99_s: float


def read(reader: Reader, folder: str) -> Traffic | None:
    """The traffic of a drill; None, with a note where there should be one, when it cannot be read."""
    name = f"{folder}/requests.parquet"
    table = _table(reader, name, needed=reader.is_file(f"{folder}/plan.json"))
    if table is None:
        return None
    try:
        traffic = _arrays(table, _stalls(reader, folder))
    except (pa.ArrowException, KeyError, ValueError) as error:
        reader.note(name, f"lacks what a load's record has: {error}")
        return None
    lost = table.num_rows - len(traffic.due_s)
    if lost:
        reader.note(name, f"has {lost} rows without a time; they are not in the plots")
    return traffic


def binned(traffic: Traffic, window: Window, most: int) -> Bins:
    """Cut a window into at most so many bins of a round width."""
    width_s = round_width(max(window.length_s, 0.001) / most)
    count = max(1, math.ceil(window.length_s / width_s))
    inside = (traffic.due_s >= window.start_s) & (traffic.due_s < window.start_s + count * width_s)
    bin_ = ((traffic.due_s[inside] - window.start_s) / width_s).astype(np.int32).clip(0, count - 1)
    origin, ok = traffic.origin[inside], traffic.ok[inside]
    latency_s, metered = traffic.latency_s[inside], traffic.metered[inside]
    cell = origin * count + bin_
    cells = len(traffic.origins) * count
    good = np.bincount(cell[ok], minlength=cells).reshape(-1, count).astype(np.int32)
    bad = np.bincount(cell[~ok], minlength=cells).reshape(-1, count).astype(np.int32)
    timed = ok & np.isfinite(latency_s)
    p50, p99 = _quantiles(cell[timed], latency_s[timed], cells, (0.5, 0.99))
    series = [
        OriginBins(found, good[index], bad[index], p50[index * count :][:count], p99[index * count :][:count])
        for index, found in enumerate(traffic.origins)
        if good[index].any() or bad[index].any()
    ]
    reused = traffic.reused[inside]
    groups = (("new", metered & ~reused), ("reused", metered & reused), ("users", ~metered))
    failures = tuple(
        (name, np.bincount(bin_[which & ~ok], minlength=count).astype(np.int32)) for name, which in groups if which.any()
    )
    return Bins(window.start_s, width_s, count, tuple(series), failures)


def tallies(traffic: Traffic) -> tuple[Tally, ...]:
    """One row for each release that answered, and one for no answer."""
    ok = traffic.ok
    rows: list[Tally] = []
    for index, origin in enumerate(traffic.origins):
        mine = traffic.origin == index
        good = mine & ok
        bad = mine & ~ok
        if not mine.any():
            continue
        counts = np.bincount(traffic.outcome[bad], minlength=len(traffic.outcomes))
        outcomes = sorted(
            ((name, int(counts[code])) for code, name in enumerate(traffic.outcomes) if counts[code]),
            key=lambda pair: (-pair[1], pair[0]),
        )
        latency_s = traffic.latency_s[good]
        p50, p99 = _quantiles(np.zeros(len(latency_s), np.int32), latency_s, 1, (0.5, 0.99))
        rows.append(
            Tally(
                origin, int(mine.sum()), int(good.sum()), tuple(outcomes),
                int((bad & traffic.metered & ~traffic.reused).sum()), int((bad & traffic.metered & traffic.reused).sum()),
                float(p50[0]), float(p99[0]),
            )
        )  # fmt: skip
    return tuple(rows)


def failed_within(traffic: Traffic) -> Window | None:
    """From the first failed request to the last; None without one."""
    bad = traffic.due_s[~traffic.ok]
    return Window(float(bad.min()), float(bad.max())) if len(bad) else None


def round_width(at_least: float) -> float:
    """The next number of 1, 2 or 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(at_least))
    return next((factor * power for factor in _NICE if factor * power >= at_least * (1 - 1e-9)), 10 * power)


def _quantiles(cell: Codes, value: Floats, cells: int, shares: Sequence[float]) -> list[Floats]:
    """Of the values in each cell, the smallest that so large a share does not exceed; NaN for an empty cell."""
    order = np.lexsort((value, cell))
    ordered, cell = value[order], cell[order]
    first = np.searchsorted(cell, np.arange(cells))
    size = np.append(first[1:], len(cell)) - first
    found: list[Floats] = []
    for share in shares:
        rank = np.ceil(share * size).astype(np.int64).clip(1) - 1
        result = np.full(cells, np.nan)
        full = size > 0
        result[full] = ordered[(first + rank)[full]]
        found.append(result)
    return found


def _table(reader: Reader, name: str, *, needed: bool) -> pa.Table | None:
    """A Parquet file; or, of a load that was killed, what its stream holds up to its last flush."""
    stream = name.removesuffix(".parquet") + ".arrows"
    if reader.is_file(name):
        try:
            return pq.read_table(reader.root / name)
        except (pa.ArrowException, OSError, ValueError) as error:
            reader.note(name, f"cannot be read: {_short(error)}")
            return None
    if reader.is_file(stream):
        reader.note(stream, "is all there is of the load: its process ended before it could finish its record")
        return _streamed(reader, stream)
    if needed:
        reader.note(name, "is missing, though a load was planned")
    return None


def _streamed(reader: Reader, name: str) -> pa.Table | None:
    batches: list[Any] = []
    try:
        with pa.OSFile(str(reader.root / name), "rb") as source, pa.ipc.open_stream(source) as stream:
            try:
                batches.extend(stream)
            except (pa.ArrowException, OSError) as error:
                reader.note(name, f"ends in the middle of a row: {_short(error)}")
            return pa.Table.from_batches(batches, stream.schema)
    except (pa.ArrowException, OSError) as error:
        reader.note(name, f"cannot be read: {_short(error)}")
        return None


def _arrays(table: pa.Table, stalls: tuple[Window, ...]) -> Traffic:
    due_s, done_s = _floats(table, "due_s"), _floats(table, "done_s")
    timed = np.isfinite(due_s)
    coded = {name: _coded(table, name) for name in _TEXTS}
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


def _floats(table: pa.Table, name: str) -> Floats:
    column = table.column(name).combine_chunks().cast(pa.float64())
    return np.asarray(pc.fill_null(column, math.nan).to_numpy(zero_copy_only=False), dtype=np.float64)


def _coded(table: pa.Table, name: str) -> tuple[Codes, tuple[str, ...]]:
    """A column of texts as codes; null counts as the empty text."""
    column = pc.fill_null(table.column(name).cast(pa.string()), "").combine_chunks()
    encoded = pa.chunked_array([column]).dictionary_encode().combine_chunks()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.chunk(0) if encoded.num_chunks else pa.array([], pa.string()).dictionary_encode()
    names = tuple(str(text) for text in encoded.dictionary.to_pylist()) or ("",)
    return np.asarray(encoded.indices.to_numpy(zero_copy_only=False), dtype=np.int32), names


def _origins(coded: dict[str, tuple[Codes, tuple[str, ...]]]) -> tuple[Codes, tuple[Origin, ...]]:
    """Slot and version together, in the order of their first answers; those without an answer last."""
    (slot, slots), (version, versions) = coded["slot"], coded["version"]
    pair = slot.astype(np.int64) * len(versions) + version
    found, first, codes = np.unique(pair, return_index=True, return_inverse=True)
    origins = [Origin("", slots[code // len(versions)], versions[code % len(versions)]) for code in found.tolist()]
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
    table = _table(reader, name, needed=False)
    if table is None:
        return ()
    try:
        starts, ends = _floats(table, "start_s"), _floats(table, "end_s")
    except (pa.ArrowException, KeyError, ValueError) as error:
        reader.note(name, f"lacks what a record of stalls has: {error}")
        return ()
    pairs = sorted(pair for pair in zip(starts.tolist(), ends.tolist(), strict=True) if pair[0] <= pair[1])
    return tuple(Window(start, end) for start, end in pairs if math.isfinite(start) and math.isfinite(end))


def _short(error: Exception) -> str:
    return str(error).split("\n", 1)[0][:200] or type(error).__name__
