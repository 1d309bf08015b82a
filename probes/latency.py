"""Latency as clients saw it, from the moment a request was due."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drillbook.domain.availability import latency_quantile as quantile_of
from drillbook.domain.measurement import Measurement, Window
from probes.recording import recording

if TYPE_CHECKING:
    from pathlib import Path

    from drillbook.domain.traffic import Connection


def latency_quantile(
    drill_dir: Path,
    window: Window,
    connection: Connection | None = None,
    *,
    q: float = 0.99,
    version: str | None = None,
) -> Measurement:
    """A quantile of the latency in seconds, with a distribution-free interval at 95 % confidence.

    Failed requests took for ever. With a `version`, only answers of that version count, and no request without one.
    """
    load = recording(drill_dir)
    requests = load.metered(connection).due_within(window.start_s, window.end_s)
    doubts = load.doubts(requests, window, kinds=2 if connection is None else 1)
    if version is not None:
        requests = requests.chosen(requests.version == version)
    interval = quantile_of(requests, load.stalls(), q)
    if interval is None and len(requests):
        doubts += (f"{len(requests)} requests are too few for a 95 % interval of the {q:g} quantile",)
    who = "" if version is None else f" of version {version}"
    kinds = "" if connection is None else f" on {connection.value} connections"
    return Measurement(
        name=f"latency quantile {q:g}{who}{kinds}",
        interval=interval,
        unit="s",
        samples=len(requests),
        window=window,
        source="meter",
        doubts=doubts,
        evidence=(load.evidence("requests"), load.evidence("stalls")),
    )
