"""Holds the raw data of a load against one another: what two of its writers saw has to be the same.

The load counts each answer twice, independently: as a row of `requests.parquet`, and in the windows of `live.jsonl`, by
which releases are watched. Whoever edits a row, even one that decides nothing, has to edit both.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from drillbook.evidence import tables
from drillbook.evidence.reading import mapping_of, number_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from drillbook.evidence.reading import Reader

_LONGEST_LATE_S = 2.0
"""A load that is told to end still sends what is due until it hears of it."""

_Counts = tuple[Counter[tuple[str, ...]], Counter[tuple[str, float]]]


def differences(reader: Reader, folder: str) -> list[str]:
    """Sentences about what the rows and the windows do not agree on; none where there was no whole load.

    Args:
        reader: Of the run's folder.
        folder: Of the load, relative to it.
    """
    if mapping_of(reader.document(f"{folder}/state.json", needed=False)).get("phase") != "done":
        return []
    name = f"{folder}/requests.parquet"
    table = tables.table(reader, name, needed=True)
    if table is None:
        return [f"{name} cannot be read, and the load says that it finished it"]
    try:
        rows = _of_rows(table)
    except tables.UNFIT as error:
        return [f"{name} lacks what a load's record has: {error}"]
    windows = _of_windows(reader, f"{folder}/live.jsonl")
    return [*_counts(rows[0], windows[0]), *_latencies(rows[1], windows[1])]


def window_differences(reader: Reader, folder: str, window: tuple[float, float]) -> list[str]:
    """Sentences when the window that is judged is not the one in which the load was on.

    Args:
        reader: Of the run's folder.
        folder: Of the load, relative to it.
        window: Start and end, seconds since the epoch.
    """
    table = tables.table(reader, f"{folder}/requests.parquet", needed=True)
    if table is None:
        return []
    due_s = tables.numbers(table, "due_s")[_is_metered(table)]
    if not len(due_s):
        return []
    first_s, last_s = float(due_s.min()), float(due_s.max())
    outside = int(((due_s < window[0] - _LONGEST_LATE_S) | (due_s > window[1] + _LONGEST_LATE_S)).sum())
    judged, on = (f"{start_s:.3f} to {end_s:.3f}" for start_s, end_s in (window, (first_s, last_s)))
    told = f"the window that is judged, {judged}, is not the load's, {on}"
    return [f"{told}: {outside} requests were due more than {_LONGEST_LATE_S:g} s outside"] if outside else []


def _of_rows(table: tables.Table) -> _Counts:
    """Requests by origin and outcome, and latencies of the meter by origin in hundredths of a millisecond."""
    outcome, outcomes = tables.coded(table, "outcome")
    slot, slots = tables.coded(table, "slot")
    version, versions = tables.coded(table, "version")
    answered = tables.numbers(table, "status") > 0
    pair = (version.astype(np.int64) * len(slots) + slot) * len(outcomes) + outcome
    counts: Counter[tuple[str, ...]] = Counter()
    for code, number in zip(*np.unique(pair[answered], return_counts=True), strict=True):
        origin, ended = divmod(int(code), len(outcomes))
        name = f"{versions[origin // len(slots)]}|{slots[origin % len(slots)]}"
        counts[name, outcomes[ended]] += int(number)
    for code, number in zip(*np.unique(outcome[~answered], return_counts=True), strict=True):
        counts["", outcomes[int(code)]] += int(number)
    metered = answered & _is_metered(table)
    took_ms = (tables.numbers(table, "done_s") - tables.numbers(table, "due_s"))[metered] * 1000
    names = [f"{versions[v]}|{slots[s]}" for v, s in zip(version[metered], slot[metered], strict=True)]
    latencies = Counter((name, round(float(ms), 2)) for name, ms in zip(names, took_ms, strict=True))
    return counts, latencies


def _of_windows(reader: Reader, name: str) -> _Counts:
    counts: Counter[tuple[str, ...]] = Counter()
    latencies: Counter[tuple[str, float]] = Counter()
    for _, line in reader.lines(name):
        for origin, seen in mapping_of(line.get("versions")).items():
            ended = mapping_of(seen)
            counts[origin, "ok"] += _count(ended.get("ok"))
            for outcome, number in mapping_of(ended.get("bad")).items():
                counts[origin, outcome] += _count(number)
            found: Any = ended.get("took_ms")
            latencies.update((origin, float(ms)) for ms in found or () if number_of(ms) is not None)
        for outcome, number in mapping_of(line.get("unanswered")).items():
            counts["", outcome] += _count(number)
        counts["", "unsent"] += _count(line.get("unsent")) + _count(line.get("overslept"))
        counts["", "unable"] += _count(line.get("unable"))
    return counts, latencies


def _counts(rows: Mapping[tuple[str, ...], int], windows: Mapping[tuple[str, ...], int]) -> list[str]:
    return [
        f"requests.parquet has {rows.get(key, 0)} requests that ended {key[1]}{_by(key[0])}, and live.jsonl has "
        f"{windows.get(key, 0)}"
        for key in sorted({*rows, *windows})
        if rows.get(key, 0) != windows.get(key, 0)
    ]


def _latencies(rows: Counter[tuple[str, float]], windows: Counter[tuple[str, float]]) -> list[str]:
    differing = sum(((rows - windows) + (windows - rows)).values())
    if not differing:
        return []
    return [f"requests.parquet and live.jsonl disagree on {differing} latencies of the meter's requests"]


def _by(origin: str) -> str:
    version, _, slot = origin.partition("|")
    return f", answered by {version or 'nobody known'} in slot {slot or '(none)'}" if origin else ""


def _is_metered(table: tables.Table) -> Any:
    kind, kinds = tables.coded(table, "kind")
    return np.array([name == "meter" for name in kinds], dtype=np.bool_)[kind]


def _count(value: object) -> int:
    found = number_of(value)
    return 0 if found is None else int(found)
