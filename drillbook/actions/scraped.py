"""See that Prometheus looks at a slot before the public goes there: what nobody measures, nobody can judge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from drillbook.ports import Observation

if TYPE_CHECKING:
    from drillbook.ports import Clock, Cluster, Metrics


@dataclass(frozen=True, slots=True)
class Scraped:
    """Whether each ready pod of a slot is a target that was scraped; changes nothing.

    Attributes:
        metrics: Prometheus.
        cluster: Tells the pods' addresses.
        clock: The run's.
        slot: Which one.
        up: Prometheus' own series of the service's targets.
        target_label: Label of it that holds `address:port`.
    """

    metrics: Metrics
    cluster: Cluster
    clock: Clock
    slot: str
    up: str
    target_label: str

    def describe(self) -> str:
        """In words."""
        return f"wait until Prometheus scrapes slot {self.slot}"

    def observe(self) -> Observation:
        """One look."""
        samples = self.metrics.query(f"{self.up} == 1")
        targets = {sample.labels.get(self.target_label, "").rpartition(":")[0] for sample in samples}
        addresses = self.cluster.slot(self.slot).addresses
        missing = [address for address in addresses if address not in targets]
        text = f"Prometheus scrapes {len(addresses) - len(missing)} of {len(addresses)} pods of slot {self.slot}"
        return Observation(bool(addresses) and not missing, text, self.clock.now(), {"missing": missing})
