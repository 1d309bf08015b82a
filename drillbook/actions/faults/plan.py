"""Which faults an environment offers, and how each is made: by choosing what it hits, or again from the journal."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from drillbook.actions.faults.chosen import Chosen
from drillbook.actions.faults.nodes import DrainNode, drain_one
from drillbook.actions.faults.pods import KillPod, kill_one
from drillbook.actions.faults.take import Take
from drillbook.domain.fault import CATALOGUE
from drillbook.ports import Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from drillbook.domain.fault import Reach
    from drillbook.domain.fault_settings import FaultSettings
    from drillbook.ports import Clock
    from drillbook.ports.fault import Nodes, Pair, Pods
    from drillbook.run.action import Action


class NotOffered(Exception):
    """The environment does not name what a fault hits; the text says what to add."""


@dataclass(frozen=True, slots=True)
class Offered:
    """Something that an environment lets be taken away.

    Attributes:
        pair: How it is taken and given back.
        reach: How far that reaches.
        deadline_s: For it to be away, and again for it to be well.
    """

    pair: Pair
    reach: Reach
    deadline_s: float = 60.0


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
        pairs: By name of the fault, what may be taken away and given back.
        machines: Likewise, by name of the node, those that may be killed.
    """

    settings: FaultSettings
    region: str
    namespace: str
    deployment: str
    live_slot: Callable[[], str]
    clock: Clock
    pods: Pods
    nodes: Nodes
    pairs: Mapping[str, Offered] = field(default_factory=dict[str, Offered])
    machines: Mapping[str, Offered] = field(default_factory=dict[str, Offered])

    def lacks(self, name: str) -> str:
        """Which key of the environment file a fault needs and does not find; empty when it has all."""
        return next((f"faults.{key}" for key in CATALOGUE[name].needs if not getattr(self.settings, key)), "")

    def choose(self, name: str) -> Chosen:
        """A fault, with what it would hit now; nothing is done yet.

        Raises:
            NotOffered: When the environment does not name what it hits.
            Unreachable: When there is nothing of the kind now, or nobody answers.
        """
        if missing := self.lacks(name):
            raise NotOffered(f"{CATALOGUE[name].sentence} needs {missing}, which the environment file does not say")
        if name == "kill-node":
            return self._kill_a_node()
        if name in self.pairs:
            return Chosen(self._take(name, self.pairs[name]), self.pairs[name].reach)
        if name == "drain-node":
            return drain_one(self.nodes, self.pods, self.clock, self.region, self.settings.evict, self._serving())
        parts = {"kill-gateway-pod": self.settings.gateway, "restart-database": self.settings.database}
        part = parts.get(name)
        namespace, selector = (part.namespace, part.selector) if part is not None else self._serving()
        return kill_one(
            name, self.pods, self.clock, region=self.region, namespace=namespace, selector=selector,
            keeps_data=name == "restart-database",
        )  # fmt: skip

    def make(self, name: str, arguments: Mapping[str, Any]) -> Action:
        """A fault made again from what the journal has of it.

        Raises:
            ValueError: When the environment names another thing now than what was taken away.
        """
        given = dict(arguments)
        if name == "drain-node":
            return DrainNode(self.nodes, self.pods, self.clock, given["node"], tuple(given["namespaces"]))
        if "what" not in given:
            return KillPod(name, self.pods, self.clock, **given)
        offered = self.machines.values() if name == "kill-node" else filter(None, [self.pairs.get(name)])
        for one in offered:
            if one.pair.named == given["what"]:
                return self._take(name, one)
        raise ValueError(
            f"{name} was made of {given['what']}, which this environment file does not name: recover with the one "
            "that the run was made with"
        )

    def _take(self, name: str, offered: Offered) -> Take:
        return Take(name, offered.pair, self.clock, offered.deadline_s)

    def _kill_a_node(self) -> Chosen:
        """The one with the fewest pods that serve, but one at least: a node without any takes nothing from users."""
        ready = [pod for pod in self.pods.listed(*self._serving()) if pod.ready]
        counts = {node: sum(pod.node == node for pod in ready) for node in self.machines}
        candidates = sorted((count, node) for node, count in counts.items() if count)
        if not candidates:
            raise Unreachable(f"none of the machines {', '.join(counts)}, which may be killed, has a pod that serves")
        count, node = candidates[0]
        offered = self.machines[node]
        return Chosen(self._take("kill-node", offered), replace(offered.reach, taken=count, of=len(ready)))

    def _serving(self) -> tuple[str, str]:
        deployment = self.deployment.format(slot=self.live_slot())
        return self.namespace, self.pods.selector(self.namespace, deployment)
