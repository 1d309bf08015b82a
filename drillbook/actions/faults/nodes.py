"""Drain a node: let no new pods onto it, and evict those of some namespaces, as an operator does before maintenance."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from drillbook.actions.faults.chosen import Chosen
from drillbook.domain.fault import Reach
from drillbook.ports import Conflict, Observation, Unreachable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from drillbook.ports import Clock
    from drillbook.ports.fault import Node, Nodes, Pod, Pods

_ASK_AGAIN_S = 0.5


@dataclass(frozen=True, slots=True)
class DrainNode:
    """Cordon and evict.

    Pods of other namespaces stay where they are: what keeps its data on the node cannot move, and whoever drains by
    hand leaves it there too. In effect once no pod of the namespaces is left on the node.

    Attributes:
        nodes: The region's.
        pods: Likewise.
        clock: The run's.
        node: Which node.
        namespaces: Whose pods are evicted.
        deadline_s: For all to have gone, and again for all to be ready elsewhere: pods end in order, one after the
            other where a disruption budget says so.
    """

    nodes: Nodes
    pods: Pods
    clock: Clock
    node: str
    namespaces: tuple[str, ...]
    deadline_s: float = 90.0

    @property
    def name(self) -> str:
        """Its registered name."""
        return "drain-node"

    @property
    def arguments(self) -> Mapping[str, Any]:
        """What it was made with."""
        return {"node": self.node, "namespaces": list(self.namespaces)}

    @property
    def touches(self) -> tuple[str, ...]:
        """The node."""
        return (f"node/{self.node}",)

    def describe(self) -> str:
        """In words."""
        return f"drain node {self.node} of the pods in {' and '.join(self.namespaces)}"

    def capture(self) -> Mapping[str, Any]:
        """How many pods are ready in each namespace.

        Raises:
            Unreachable: When the node is cordoned already: to uncordon it afterwards would not put it back.
        """
        if not self.nodes.node(self.node).schedulable:
            raise Unreachable(
                f"node {self.node} is cordoned already; uncordon it, or wait until its maintenance is over"
            )
        ready = {name: sum(pod.ready for pod in self.pods.listed(name)) for name in self.namespaces}
        there = Counter(pod.owner for pod in self._there() if pod.owner)
        return {"ready": ready, "there": dict(there), "since_s": self.clock.now()}

    def do(self) -> None:
        """Cordon, and evict until each pod has been told to end.

        Raises:
            Unreachable: When a disruption budget keeps one for longer than the deadline.
        """
        self.nodes.cordon(self.node)
        give_up_s = self.clock.now() + self.deadline_s
        while True:
            kept = [pod for pod in self._there() if not pod.ending and not self.pods.evict(pod)]
            if not kept:
                return
            if self.clock.now() >= give_up_s:
                names = ", ".join(pod.name for pod in kept)
                raise Unreachable(f"a disruption budget kept {names} on node {self.node} for {self.deadline_s:g} s")
            self.clock.sleep(_ASK_AGAIN_S)

    def observe(self) -> Observation:
        """Whether the node is empty of them."""
        node, there = self.nodes.node(self.node), self._there()
        text = f"node {self.node} {_said(node)} and has {len(there)} pods of {' and '.join(self.namespaces)}"
        data = {"left": [pod.name for pod in there], "schedulable": node.schedulable}
        return Observation(not node.schedulable and not there, text, self.clock.now(), data)

    def undo(self, before: Mapping[str, Any]) -> None:
        """Uncordon, and let those spread again of which there are several: else all would be on one node from now on.

        Raises:
            Conflict: When somebody has cordoned it since, who did not leave our mark.
        """
        node = self.nodes.node(self.node)
        if not node.schedulable and not node.cordoned_by_us:
            raise Conflict(f"node {self.node} is cordoned by somebody else, so it is left; uncordon it by hand")
        if node.cordoned_by_us:
            self.nodes.uncordon(self.node)
        self._wait_until_placed(before["ready"])
        for owner, wanted in before["there"].items():
            self._spread(owner, int(wanted))

    def _wait_until_placed(self, ready: Mapping[str, int]) -> None:
        """Until as many pods have a node as were ready: a draining that died may have others still on their way.

        Those that have none by the deadline are not waited for: whether enough are ready in the end is looked at later.
        """
        give_up_s = self.clock.now() + self.deadline_s
        while self.clock.now() < give_up_s and any(
            sum(bool(pod.node) and not pod.ending for pod in self.pods.listed(name)) < int(ready[name])
            for name in self.namespaces
        ):
            self.clock.sleep(_ASK_AGAIN_S)

    def _spread(self, owner: str, wanted: int) -> None:
        """Evict as many of an owner's pods elsewhere as the node lacks; where they go is for the scheduler to say."""
        listed = [pod for name in self.namespaces for pod in self.pods.listed(name)]
        pods = [pod for pod in listed if pod.owner == owner and not pod.ending]
        lacking = wanted - sum(pod.node == self.node for pod in pods)
        elsewhere = [pod for pod in pods if pod.node not in {"", self.node}]
        # One stays, and one that is ready: to move what is alone would be one more interruption.
        movable = sorted(elsewhere, key=lambda pod: not pod.ready)[1:]
        give_up_s = self.clock.now() + self.deadline_s
        for pod in movable[::-1][: max(0, lacking)]:
            while not self.pods.evict(pod) and self.clock.now() < give_up_s:
                self.clock.sleep(_ASK_AGAIN_S)

    def observe_undone(self, before: Mapping[str, Any]) -> Observation:
        """Whether pods may be placed there, and as many are ready as before, wherever they are."""
        node = self.nodes.node(self.node)
        ready = {name: sum(pod.ready for pod in self.pods.listed(name)) for name in self.namespaces}
        lacking = [name for name in self.namespaces if ready[name] < int(before["ready"][name])]
        holds = node.ready and node.schedulable and not node.cordoned_by_us and not lacking
        counted = ", ".join(f"{ready[name]} in {name}" for name in self.namespaces)
        return Observation(holds, f"node {self.node} {_said(node)}, pods ready: {counted}", self.clock.now(), {**ready})

    def _there(self) -> list[Pod]:
        return [
            pod
            for name in self.namespaces
            for pod in self.pods.listed(name)
            if pod.node == self.node and not pod.daemon
        ]


def _said(node: Node) -> str:
    well = "is well" if node.ready else "is not well"
    return f"{well}, takes new pods" if node.schedulable else f"{well}, takes no new pods"


def drain_one(  # noqa: PLR0917 - what a choice is made from
    nodes: Nodes, pods: Pods, clock: Clock, region: str, namespaces: Sequence[str], serving: tuple[str, str]
) -> Chosen:
    """The action that drains the node with the fewest pods of a group, but one at least.

    Args:
        nodes: The region's.
        pods: Likewise.
        clock: The run's.
        region: Which region that is.
        namespaces: Whose pods are evicted.
        serving: Namespace and selector of the pods that serve the public.

    Raises:
        Unreachable: When no node that may be drained has one of them, or no other node is left to take its pods.
    """
    group = [pod for pod in pods.listed(*serving) if pod.ready]
    well = [name for name in nodes.names() if (node := nodes.node(name)).ready and node.schedulable]
    counts = {name: sum(pod.node == name for pod in group) for name in well}
    candidates = sorted((count, name) for name, count in counts.items() if count)
    if not candidates:
        raise Unreachable(f"none of the nodes {', '.join(nodes.names())}, which may be drained, has a pod that serves")
    if len(well) < 2:  # noqa: PLR2004 - the one that is drained, and another
        raise Unreachable(f"node {well[0]} is the only one that takes new pods: what it has could go nowhere")
    count, name = candidates[0]
    action = DrainNode(nodes, pods, clock, name, tuple(namespaces))
    return Chosen(action, Reach((region,), tuple(namespaces), taken=count, of=len(group)))
