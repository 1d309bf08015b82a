"""See an old slot finish what it has, and stay ready for a way back."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from drillbook.ports import Observation, Unreachable

if TYPE_CHECKING:
    from drillbook.ports import Clock, Cluster, Metrics


@dataclass(frozen=True, slots=True)
class Drain:
    """Wait until nothing is in flight on a slot and its request counter stands still.

    It changes nothing: the slot is kept warm, and a check afterwards sees that it is.

    Attributes:
        metrics: Prometheus.
        cluster: Shows whether the slot is still warm.
        clock: The run's.
        slot: The old slot.
        in_flight: PromQL of the requests that the slot works on.
        requests: PromQL of the requests that it ever answered.
        still_s: How long the counter has to stand still; longer than two scrapes.
        deadline_s: For all of it.
    """

    metrics: Metrics
    cluster: Cluster
    clock: Clock
    slot: str
    in_flight: str
    requests: str
    still_s: float
    deadline_s: float = 60.0
    _seen: list[tuple[float, float]] = field(default_factory=list[tuple[float, float]])

    def describe(self) -> str:
        """In words."""
        return f"let slot {self.slot} drain, and keep it warm"

    def observe(self) -> Observation:
        """One look; the counter's stand is compared with that of the looks before."""
        in_flight, requests = self._sum(self.in_flight), self._sum(self.requests)
        now_s = self.clock.now()
        if self._seen and self._seen[-1][1] != requests:
            self._seen.clear()
        self._seen.append((now_s, requests))
        still_s = now_s - self._seen[0][0]
        status = self.cluster.slot(self.slot)
        warm = 0 < status.desired == status.ready
        text = (
            f"slot {self.slot} has {in_flight:g} requests in flight, answered none for {still_s:.1f} s, "
            f"and {status.ready} of {status.desired} pods ready"
        )
        data = {"in_flight": in_flight, "still_s": still_s, "ready": status.ready, "desired": status.desired}
        return Observation(in_flight == 0 and still_s >= self.still_s and warm, text, now_s, data)

    def _sum(self, promql: str) -> float:
        samples = self.metrics.query(promql)
        total = sum(sample.value for sample in samples)
        if not samples or math.isnan(total):
            raise Unreachable(f"Prometheus has no value for {promql!r}: is slot {self.slot} scraped?")
        return total
