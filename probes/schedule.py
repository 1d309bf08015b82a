"""Whether the meter kept to its schedule: a machine that cannot send what is due is no witness of what it sent to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from drillbook.domain.measurement import Measurement, Window
from drillbook.domain.statistics import share
from probes.recording import recording

if TYPE_CHECKING:
    from pathlib import Path


def sent_in_time(drill_dir: Path, window: Window, *, within_s: float, least: float) -> Measurement:
    """Share of the requests due in the window that left within `within_s` of when they were due.

    Those that were held back because too many were unanswered were held back by the system, and do not count. Where
    fewer than `least` of the others left in time, that is a doubt: the limit was this machine, so nothing is known of
    the system, good or bad.
    """
    load = recording(drill_dir)
    requests = load.metered().due_within(window.start_s, window.end_s)
    held_back = np.isnan(requests.sent_s) & ~requests.doubtful(load.stalls())
    late_s = (requests.sent_s - requests.due_s)[~held_back]
    sent, due = int(np.count_nonzero(late_s <= within_s)), len(late_s)
    doubts = load.doubts(requests, window, kinds=2)
    if due and sent < least * due:
        left = f"the meter sent {sent} of {due} requests within {within_s * 1000:g} ms of when they were due"
        doubts = (*doubts, f"{left}: the machine that makes the load was the limit")
    return Measurement(
        name=f"share of requests that were sent within {within_s * 1000:g} ms of when they were due",
        interval=share(sent, due) if due else None,
        unit="ratio",
        samples=due,
        window=window,
        source="meter",
        doubts=doubts,
        evidence=(load.evidence("requests"), load.evidence("stalls")),
    )
