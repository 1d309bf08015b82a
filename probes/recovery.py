"""What a recovery cost users: how long nothing could be written, and what was lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from drillbook.domain import outage
from drillbook.domain.measurement import Measurement, Window
from probes.recording import recording

if TYPE_CHECKING:
    from pathlib import Path

    from drillbook.domain.requests import Flags, Requests
    from drillbook.domain.traffic import Connection
    from probes.recording import Recording

GOOD_FOR_S = 5.0
"""Writes that come through for less than this between two outages do not part them: it is one to whoever writes."""


def writes_down(drill_dir: Path, window: Window, connection: Connection) -> Measurement:
    """Seconds for which nothing could be written, all outages that touch the window together.

    Only the meter's writes count: reads that come through meanwhile would part one outage into many short ones.
    """
    load = recording(drill_dir)
    writes = _writes(load, connection)
    bad, doubtful = writes.failed(), writes.doubtful(load.stalls())
    edges = window.start_s, window.end_s
    certain = outage.merged(outage.outages(writes, bad, bad & doubtful), GOOD_FOR_S)
    possible = outage.merged(outage.outages(writes, bad), GOOD_FOR_S)
    length = outage.total(
        [it for it in certain if it.overlaps(*edges)],
        [it for it in possible if it.overlaps(*edges)],
        outage.longest_gap_s(writes, bad, *edges),
    )
    inside = writes.due_within(*edges)
    return Measurement(
        name=f"time without writes on {connection.value} connections",
        interval=length if len(inside) else None,
        unit="s",
        samples=len(inside),
        window=window,
        source="meter",
        doubts=_doubts(load, window, connection),
        evidence=(load.evidence("requests"), load.evidence("ledger"), load.evidence("stalls")),
    )


def _writes(load: Recording, connection: Connection) -> Requests:
    """The meter's rows that the ledger has an entry for: each says when it was due, and no two were at once."""
    requests = load.metered(connection)
    return requests.chosen(_due_at(requests, [row["due_s"] for row in load.rows("ledger")]))


def _due_at(requests: Requests, due_s: list[float]) -> Flags:
    return np.isin(requests.due_s, np.array(due_s, dtype=np.float64))


def _doubts(load: Recording, window: Window, connection: Connection) -> tuple[str, ...]:
    """Of all the meter's rows on this kind of connection: how many of them are writes is the workload's affair."""
    return load.doubts(load.metered(connection).due_within(window.start_s, window.end_s), window)
