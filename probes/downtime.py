"""How long, and how often, clients went without good service."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from drillbook.domain import outage
from drillbook.domain.interval import Interval
from drillbook.domain.measurement import Measurement, Window
from probes.recording import recording

if TYPE_CHECKING:
    from pathlib import Path

    from drillbook.domain.outage import Outage
    from drillbook.domain.requests import Flags, Requests
    from drillbook.domain.traffic import Connection
    from probes.recording import Recording


def failed_requests(drill_dir: Path, window: Window, connection: Connection | None = None) -> Measurement:
    """Number of requests due in the window that failed, were answered wrongly or were not sent.

    Of users beside the meter those count who were told so by an answer. What the meter may have lost by its own sleep,
    and what was due and has no row, is in the upper bound only. Zero of few says little: judge the minimum detectable
    outage beside it.
    """
    load = recording(drill_dir)
    requests = load.metered(connection).due_within(window.start_s, window.end_s)
    failed, doubtful = requests.failed(), requests.doubtful(load.stalls())
    beside = load.answered_beside(connection).due_within(window.start_s, window.end_s)
    told = int(np.count_nonzero(beside.failed()))
    certain = int(np.count_nonzero(failed & ~doubtful)) + told
    every = int(np.count_nonzero(failed)) + told + load.missing(requests, window, kinds=2 if connection is None else 1)
    return _measured(load, "failed requests", requests, window, connection, Interval(certain, every), "requests")


def downtime(
    drill_dir: Path, window: Window, connection: Connection, *, patience_s: float | None = None, good_for_s: float = 0.0
) -> Measurement:
    """Length in seconds of the longest outage that touches the window.

    Args:
        drill_dir: The drill's folder.
        window: When.
        connection: New or reused; they are judged apart.
        patience_s: An answer later than this after it was due is no good service. Without it, an outage that TCP
            bridges by sending again (packets dropped for less than the time-out) is no failure; only the upper bound
            tells of it.
        good_for_s: Service that lasts shorter than this between two outages does not part them.
    """
    load = recording(drill_dir)
    requests = load.metered(connection)
    seen = _outages(load, requests, window, patience_s, good_for_s)
    gap_s = outage.longest_gap_s(requests, seen.bad, window.start_s, window.end_s)
    length = outage.longest(seen.certain, seen.of_failures, gap_s)
    inside = requests.due_within(window.start_s, window.end_s)
    return _measured(load, "longest outage", inside, window, connection, length, "s")


def recovery(
    drill_dir: Path, window: Window, connection: Connection, *, patience_s: float | None = None, good_for_s: float = 5.0
) -> Measurement:
    """Seconds from the window's start (a fault) to sustained good service; at least 0 when nothing failed.

    At most to when the last request that was held had come through as well.
    """
    load = recording(drill_dir)
    requests = load.metered(connection)
    seen = _outages(load, requests, window, patience_s, good_for_s)
    low = max((max(0.0, found.last_failed_s - window.start_s) for found in seen.certain), default=0.0)
    fault = Interval.exactly(window.start_s)
    high = outage.over_by_s(requests, seen.bad, seen.possible, fault, window.end_s) - window.start_s
    inside = requests.due_within(window.start_s, window.end_s)
    return _measured(load, "time to recover", inside, window, connection, Interval(low, max(low, high)), "s")


@dataclass(frozen=True, slots=True)
class _Outages:
    """Those that touch a window.

    Attributes:
        certain: Of failures that the meter cannot have caused.
        of_failures: Of all failures.
        possible: These, and where requests were held.
        bad: Which requests count as failed.
    """

    certain: list[Outage]
    of_failures: list[Outage]
    possible: list[Outage]
    bad: Flags


def _outages(
    load: Recording, requests: Requests, window: Window, patience_s: float | None, good_for_s: float
) -> _Outages:
    stalls = load.stalls()
    bad, doubtful = requests.failed(), requests.doubtful(stalls)
    if patience_s is not None:
        took_s = requests.done_s - requests.due_s
        slept_s = np.nan_to_num(stalls.within(requests.due_s, requests.done_s))
        late = ~bad & (took_s > patience_s)
        doubtful |= late & (took_s - slept_s <= patience_s)
        bad |= late
    certain, of_failures, possible = (
        [it for it in outage.merged(found, good_for_s) if it.overlaps(window.start_s, window.end_s)]
        for found in (
            outage.outages(requests, bad, doubtful),
            outage.outages(requests, bad),
            outage.possible_outages(requests, bad),
        )
    )
    return _Outages(certain, of_failures, possible, bad)


def _measured(  # noqa: PLR0917 - what a measurement consists of
    load: Recording,
    name: str,
    inside: Requests,
    window: Window,
    connection: Connection | None,
    interval: Interval,
    unit: str,
) -> Measurement:
    kinds = "new and reused connections" if connection is None else f"{connection.value} connections"
    return Measurement(
        name=f"{name} on {kinds}",
        interval=interval if len(inside) else None,
        unit=unit,
        samples=len(inside),
        window=window,
        source="meter",
        doubts=load.doubts(inside, window, kinds=2 if connection is None else 1),
        evidence=(load.evidence("requests"), load.evidence("stalls")),
    )
