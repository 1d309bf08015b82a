"""Availability as clients saw it: by request and by time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drillbook.domain import availability as domain
from drillbook.domain.measurement import Measurement, Window
from probes.recording import recording

if TYPE_CHECKING:
    from pathlib import Path

    from drillbook.domain.traffic import Connection


def availability(drill_dir: Path, window: Window, connection: Connection | None = None) -> Measurement:
    """Share of metered requests due in the window that ended well: a Clopper-Pearson interval at 95 % confidence.

    Failures in an outage come together, so this flatters: give `availability_by_time` beside it.
    """
    load = recording(drill_dir)
    requests = load.metered(connection).due_within(window.start_s, window.end_s)
    interval = domain.of_requests(requests.failed(), requests.doubtful(load.stalls())) if len(requests) else None
    return Measurement(
        name=f"availability by request{_on(connection)}",
        interval=interval,
        unit="ratio",
        samples=len(requests),
        window=window,
        source="meter",
        doubts=load.doubts(requests, window, kinds=2 if connection is None else 1),
        evidence=(load.evidence("requests"), load.evidence("stalls")),
    )


def availability_by_time(
    drill_dir: Path, window: Window, connection: Connection | None = None, *, slice_s: float = 1.0
) -> Measurement:
    """Share of time slices in which no metered request failed."""
    load = recording(drill_dir)
    requests = load.metered(connection).due_within(window.start_s, window.end_s)
    interval, slices = domain.of_time(
        requests.due_s,
        requests.failed(),
        requests.doubtful(load.stalls()),
        start_s=window.start_s,
        end_s=window.end_s,
        slice_s=slice_s,
    )
    return Measurement(
        name=f"availability by slices of {slice_s:g} s{_on(connection)}",
        interval=interval if len(requests) else None,
        unit="ratio",
        samples=slices if len(requests) else 0,
        window=window,
        source="meter",
        doubts=load.doubts(requests, window, kinds=2 if connection is None else 1),
        evidence=(load.evidence("requests"), load.evidence("stalls")),
    )


def _on(connection: Connection | None) -> str:
    return "" if connection is None else f" on {connection.value} connections"
