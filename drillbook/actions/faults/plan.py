"""Which faults an environment offers, and how each is made: by choosing what it hits, or again from the journal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from drillbook.actions.faults.nodes import DrainNode, drain_one
from drillbook.actions.faults.pods import KillPod, kill_one
from drillbook.domain.fault import CATALOGUE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from drillbook.actions.faults.chosen import Chosen
    from drillbook.domain.environment import FaultSettings
    from drillbook.fault_ports import Nodes, Pods
    from drillbook.ports import Clock
    from drillbook.run.action import Action


class NotOffered(Exception):
    """The environment does not name what a fault hits; the text says what to add."""


@dataclass(frozen=True, slots=True)
class Faults:
    """The faults of one environment's primary region.

    Attributes:
        settings: What may be hit.
        region: Name of the region.
        namespace: Of the slots.
        deployment: Of a slot, with `{slot}`.
        live_slot: The slot that has the public's traffic.
        clock: The run's.
        pods: The region's, by the account that may make faults.
        nodes: Likewise.
    """

    settings: FaultSettings
    region: str
    namespace: str
    deployment: str
    live_slot: Callable[[], str]
    clock: Clock
    pods: Pods
    nodes: Nodes

    def lacks(self, name: str) -> str:
        """Which key of the environment file a fault needs and does not find; empty when it has all."""
        settings = self.settings
        needed: dict[str, Mapping[str, object]] = {
            "kill-pod": {},
            "drain-node": {"nodes": settings.nodes, "evict": settings.evict},
            "kill-gateway-pod": {"gateway": settings.gateway},
        }
        return next((f"faults.{key}" for key, value in needed[name].items() if not value), "")

    def choose(self, name: str) -> Chosen:
        """A fault, with what it would hit now; nothing is done yet.

        Raises:
            NotOffered: When the environment does not name what it hits.
            Unreachable: When there is nothing of the kind now, or nobody answers.
        """
        if missing := self.lacks(name):
            raise NotOffered(f"the environment file does not say {missing}, which {CATALOGUE[name].sentence} needs")
        return {
            "kill-pod": self._kill_pod,
            "drain-node": self._drain_node,
            "kill-gateway-pod": self._kill_gateway_pod,
        }[name]()

    def make(self, name: str, arguments: Mapping[str, Any]) -> Action:
        """A fault made again from what the journal has of it."""
        given = dict(arguments)
        if name == "drain-node":
            return DrainNode(self.nodes, self.pods, self.clock, given["node"], tuple(given["namespaces"]))
        return KillPod(name, self.pods, self.clock, **given)

    def _kill_pod(self) -> Chosen:
        return self._kill_one("kill-pod", *self._serving())

    def _kill_gateway_pod(self) -> Chosen:
        part = self.settings.gateway
        if part is None:
            raise NotOffered("the environment file does not say faults.gateway")
        return self._kill_one("kill-gateway-pod", part.namespace, part.selector)

    def _kill_one(self, name: str, namespace: str, selector: str) -> Chosen:
        return kill_one(name, self.pods, self.clock, region=self.region, namespace=namespace, selector=selector)

    def _drain_node(self) -> Chosen:
        return drain_one(self.nodes, self.pods, self.clock, self.region, self.settings.evict, self._serving())

    def _serving(self) -> tuple[str, str]:
        deployment = self.deployment.format(slot=self.live_slot())
        return self.namespace, self.pods.selector(self.namespace, deployment)
