"""What faults need of the outside, beside `drillbook.ports`; `drillbook.drivers` and the twin implement it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Pod:
    """One pod that has not ended.

    Attributes:
        namespace: Its namespace.
        name: Its name.
        uid: Tells it from another of the same name.
        node: Where it runs; empty before it is placed.
        ready: Whether it is ready, and not about to end.
        ending: Whether it is about to end.
        restarts: How often its containers were started again.
        claims: Names of the persistent volumes that it mounts: what it keeps there outlives it.
        daemon: Whether it belongs to its node, so that an eviction would only bring it back there.
    """

    namespace: str
    name: str
    uid: str
    node: str
    ready: bool
    ending: bool = False
    restarts: int = 0
    claims: tuple[str, ...] = ()
    daemon: bool = False


class Pods(Protocol):
    """The pods of a region, as its nodes report them."""

    def listed(self, namespace: str, selector: str = "") -> tuple[Pod, ...]:
        """Those that have not ended, sorted by name; raises Unreachable."""
        ...

    def selector(self, namespace: str, deployment: str) -> str:
        """Label selector of a deployment's pods; raises Unreachable."""
        ...

    def kill(self, pod: Pod) -> None:
        """Have its node end it at once; nothing is done to another pod of the same name. Idempotent."""
        ...

    def evict(self, pod: Pod) -> bool:
        """Ask for its orderly end; False while a disruption budget does not allow it. Idempotent."""
        ...


@dataclass(frozen=True, slots=True)
class Node:
    """One node.

    Attributes:
        name: Its name.
        ready: Whether it reports that it is well.
        schedulable: Whether new pods may be placed there.
        cordoned_by_us: Whether it bears the mark of a harness that cordoned it.
    """

    name: str
    ready: bool
    schedulable: bool
    cordoned_by_us: bool = False


class Nodes(Protocol):
    """The nodes of a region that may be drained."""

    def names(self) -> tuple[str, ...]:
        """Of those that may be."""
        ...

    def node(self, name: str) -> Node:
        """One of them; raises Unreachable."""
        ...

    def cordon(self, name: str) -> None:
        """Let no new pods onto it, and mark it. Idempotent."""
        ...

    def uncordon(self, name: str) -> None:
        """Undo of `cordon`. Idempotent."""
        ...
