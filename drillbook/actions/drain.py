"""See an old slot finish what it has, and stay ready for a way back."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from drillbook.domain.promql import total
from drillbook.ports import Observation, Unreachable

if TYPE_CHECKING:
    from typing import Any

    from drillbook.ports import Clock, Cluster, Metrics

_TO_WITHIN_S = 0.5
"""How exactly the moment is looked for since which a slot has been without work."""


@dataclass(slots=True)
class _Looks:
    """What the looks at a slot have shown.

    Attributes:
        requests: Stand of its counter at the last one; NaN before the first.
        first_s: The first look that saw this stand.
        last_s: The last look.
        working_s: The last look that was at a slot with work; None when none was.
        idle_since_s: When this stand, with nothing in flight, was reached; None while that is not known.
    """

    requests: float = math.nan
    first_s: float = 0.0
    last_s: float = 0.0
    working_s: float | None = None
    idle_since_s: float | None = None

    def add(self, now_s: float, requests: float, *, in_flight: float) -> None:
        """One more."""
        if requests != self.requests:
            if not math.isnan(self.requests):
                # It answered a request after the scrape that the look before was shown.
                self.working_s = self.last_s
            self.requests, self.first_s, self.idle_since_s = requests, now_s, None
        if in_flight > 0:
            self.working_s, self.idle_since_s = now_s, None
        self.last_s = now_s


@dataclass(frozen=True, slots=True)
class Drain:
    """Wait until nothing is in flight on a slot and its request counter stands still, and tell since when it does.

    It changes nothing: the slot is kept warm, and a check afterwards sees that it is. A slot may have been drained long
    before it is looked at, so Prometheus is asked for what it had then.

    Attributes:
        metrics: Prometheus.
        cluster: Shows whether the slot is still warm.
        clock: The run's.
        slot: The old slot.
        in_flight: Gauge of the requests that the slot works on.
        requests: Counter of the requests that it ever answered.
        still_s: How long the counter has to stand still; longer than two scrapes. What a look is shown is no older.
        switched_s: When the slot's traffic was declared for the other one, in seconds since the epoch.
        deadline_s: For all of it.
    """

    metrics: Metrics
    cluster: Cluster
    clock: Clock
    slot: str
    in_flight: str
    requests: str
    still_s: float
    switched_s: float
    deadline_s: float = 60.0
    _looks: _Looks = field(default_factory=_Looks)

    def describe(self) -> str:
        """In words."""
        return f"let slot {self.slot} drain, and keep it warm"

    def observe(self) -> Observation:
        """One look; the counter's stand is compared with that of the looks before."""
        in_flight, requests = self._sum(self.in_flight), self._sum(self.requests)
        now_s, looks = self.clock.now(), self._looks
        looks.add(now_s, requests, in_flight=in_flight)
        still_s = now_s - looks.first_s
        drained = in_flight == 0 and still_s >= self.still_s
        if drained and looks.idle_since_s is None:
            looks.idle_since_s = self._idle_since(now_s)
        status = self.cluster.slot(self.slot)
        text = (
            f"slot {self.slot} has {in_flight:g} requests in flight, answered none for {still_s:.1f} s, "
            f"and {status.ready} of {status.desired} pods ready"
        )
        data: dict[str, Any] = {
            "in_flight": in_flight, "still_s": still_s, "needs_s": self.still_s, "ready": status.ready,
            "desired": status.desired,
        }  # fmt: skip
        if looks.idle_since_s is not None:
            data["since_s"] = looks.idle_since_s
        if looks.working_s is not None:
            data["working_s"] = looks.working_s - self.still_s
        return Observation(drained and 0 < status.desired == status.ready, text, now_s, data)

    def _idle_since(self, now_s: float) -> float:
        """The earliest moment since the switch at which Prometheus had the slot as it is now; now, where it cannot say.

        The counter only rises: where it stood as it stands now, nothing was answered since.
        """
        working_s, idle_s = self.switched_s, now_s
        try:
            while idle_s - working_s > _TO_WITHIN_S:
                middle_s = (working_s + idle_s) / 2
                if self._as_now(middle_s):
                    idle_s = middle_s
                else:
                    working_s = middle_s
        except Unreachable:
            pass
        return idle_s

    def _as_now(self, at_s: float) -> bool:
        return self._sum(self.in_flight, at_s) == 0 and self._sum(self.requests, at_s) == self._looks.requests

    def _sum(self, selector: str, at_s: float | None = None) -> float:
        promql = total(selector)
        samples = self.metrics.query(promql, at_s=at_s)
        found = sum(sample.value for sample in samples)
        if not samples or math.isnan(found):
            raise Unreachable(f"Prometheus has no value for {promql!r}: is slot {self.slot} scraped?")
        return found
