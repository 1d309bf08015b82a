"""Latency as clients saw it, from the moment a request was due."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drillbook.domain.availability import latency_quantile as quantile_of
from drillbook.domain.interval import Interval
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


def latency_growth(drill_dir: Path, first: Window, last: Window, *, q: float) -> Measurement:
    """By what factor a quantile of the latency grew between two windows; both are known to within their intervals."""
    before = latency_quantile(drill_dir, first, q=q)
    after = latency_quantile(drill_dir, last, q=q)
    doubts = tuple(dict.fromkeys((*before.doubts, *after.doubts)))
    interval = None
    if before.interval is not None and after.interval is not None:
        if before.interval.low > 0:
            interval = Interval(after.interval.low / before.interval.high, after.interval.high / before.interval.low)
        else:
            doubts += ("the first latency may have been 0 for all that is known, so no factor can be told",)
    return Measurement(
        name=f"factor by which the latency quantile {q:g} grew",
        interval=interval,
        unit="1",
        samples=min(before.samples, after.samples),
        window=Window(first.start_s, last.end_s),
        source="meter",
        doubts=doubts,
        evidence=before.evidence,
    )
