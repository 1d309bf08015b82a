"""Do the clients and the servers tell the same story? Both count the writes that only the load makes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from drillbook.domain.interval import Interval
from drillbook.domain.measurement import Measurement
from probes.slo import growth

if TYPE_CHECKING:
    from drillbook.domain.measurement import Window
    from drillbook.ports import Metrics
    from probes.slo import ServiceSeries


def disagreement(
    metrics: Metrics, series: ServiceSeries, window: Window, *, answered_writes: int, tolerance: float
) -> Measurement:
    """By what share the servers' count of writes differs from the answers that the clients hold.

    Args:
        metrics: Prometheus.
        series: Where it keeps the counts.
        window: From before the load's first write to two scrapes after its last.
        answered_writes: Writes that got an answer of any status, by the clients' rows.
        tolerance: Share beyond which one of the two is wrong and nobody knows which: a doubt, not a broken promise.
    """
    name = "difference between the servers' count of writes and the clients'"
    counted = growth(metrics, series.writes, window, scrape_interval_s=series.scrape_interval_s)
    if math.isnan(counted.count) or not answered_writes:
        doubts = counted.doubts or ("the clients hold no answer to a write",)
        return Measurement(name, None, "ratio", 0, window, "prometheus and ledger", doubts)
    share = abs(counted.count - answered_writes) / answered_writes
    doubts = counted.doubts
    if share > tolerance:
        told = f"the servers counted {counted.count:g} writes and the clients hold {answered_writes} answers to writes"
        doubts = (*doubts, f"{told}: a difference of {share:.1%}, where {tolerance:.1%} is allowed")
    return Measurement(name, Interval.exactly(share), "ratio", answered_writes, window, "prometheus and ledger", doubts)
