"""What faults need of the outside, beside `drillbook.ports`; `drillbook.drivers` and the twin implement it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping


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
        owner: Name of what makes another in its place, of which it is one of several; empty for none.
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
    owner: str = ""


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


@dataclass(frozen=True, slots=True)
class Look:
    """What an independent look at something that can be taken away has found.

    Attributes:
        gone: Whether it is away.
        well: Whether it is as it was; while it comes back it is neither.
        text: What was seen, in a sentence.
        data: The raw facts, JSON-compatible.
    """

    gone: bool
    well: bool
    text: str
    data: Mapping[str, Any] = field(default_factory=dict[str, Any])


class Pair(Protocol):
    """Something of a platform that can be taken away and given back."""

    @property
    def named(self) -> str:
        """Which one, so that what was taken from one is not given to another."""
        ...

    def note(self) -> Mapping[str, Any]:
        """What giving it back needs to know; changes nothing, and raises Unreachable when it is not well now."""
        ...

    def take(self) -> None:
        """Take it away; returns once that was accepted. Idempotent."""
        ...

    def give_back(self, noted: Mapping[str, Any]) -> None:
        """Undo of `take`, whether it was done, half done or not at all; raises Conflict for somebody else's change."""
        ...

    def look(self, noted: Mapping[str, Any]) -> Look:
        """How it is, by another path than the one that takes it away; raises Unreachable."""
        ...
