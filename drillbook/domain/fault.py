"""The faults that can be put into a platform, as values: what each takes away, and for how long at most."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Role = Literal["primary", "secondary"]


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of the class `resilience`.

    Attributes:
        name: The registered name of its action, for example `kill-pod`.
        sentence: What a feature says: `a serving pod is killed`.
        needs: Keys under `faults` in the environment file that say what it may hit.
        held_s: How long a drill keeps it in the system, in seconds from when it was meant.
        longest_s: After which a run that still has it in the system is stopped, so that it is undone; the time that
            making and undoing it take is in it.
        pods_share: Largest share of the pods of what it hits that it takes away, 0 to 1. Tag `@pods-50` is 0.5.
        destructive: Whether it takes a node, a region or data away. Tag `@destructive`.
        lasts: Whether it stays until it is undone; else the platform heals by itself, and that is waited for.
        regions: Roles of the regions that it reaches.
    """

    name: str
    sentence: str
    needs: tuple[str, ...]
    held_s: float
    longest_s: float
    pods_share: float = 0.0
    destructive: bool = False
    lasts: bool = True
    regions: tuple[Role, ...] = ("primary",)


_BOTH: tuple[Role, ...] = ("primary", "secondary")

CATALOGUE: dict[str, Fault] = {
    fault.name: fault
    for fault in (
        Fault("kill-pod", "a serving pod is killed", (), 15.0, 120.0, pods_share=0.5, lasts=False),
        Fault("drain-node", "a node is drained", ("nodes", "evict"), 25.0, 240.0, pods_share=0.5, destructive=True),
        Fault("kill-gateway-pod", "a gateway pod is killed", ("gateway",), 15.0, 120.0, pods_share=1.0, lasts=False),
        Fault("restart-database", "the database is restarted", ("database",), 20.0, 180.0, pods_share=1.0, lasts=False),
        Fault("stop-dns", "the cluster's DNS is stopped", ("dns",), 20.0, 180.0),
        Fault(
            "exhaust-connections",
            "the database's connections are used up",
            ("connections",),
            20.0,
            120.0,
            pods_share=1.0,
        ),
        Fault("seal-vault", "the vault is sealed", ("vault",), 20.0, 120.0),
        Fault("press-cpu", "a neighbour wants all the processor", ("pressure",), 25.0, 180.0),
        Fault("press-memory", "a neighbour wants all the memory", ("pressure",), 25.0, 180.0),
        Fault("fill-disk", "the database's disk is filled", ("disk",), 20.0, 180.0, pods_share=1.0),
        Fault("kill-node", "a node is killed", ("machines",), 60.0, 240.0, pods_share=0.5, destructive=True),
        Fault("slow-object-store", "the object store answers slowly", ("objectstore",), 20.0, 120.0),
        Fault("cut-link", "the link between the regions is cut", ("link",), 20.0, 120.0, regions=_BOTH),
        Fault(
            "slow-link",
            "the link between the regions is slowed",
            ("link",),
            20.0,
            120.0,
            regions=_BOTH,
        ),
    )
}
"""By name."""

BY_SENTENCE = {fault.sentence: fault for fault in CATALOGUE.values()}


@dataclass(frozen=True, slots=True)
class Reach:
    """How far one fault reaches, as counted in the platform just before it is made.

    Attributes:
        regions: Names of the regions.
        namespaces: Kubernetes namespaces whose objects it changes.
        taken: Pods of what it hits that it takes away.
        of: Ready pods of what it hits.
    """

    regions: tuple[str, ...]
    namespaces: tuple[str, ...]
    taken: int = 0
    of: int = 0

    @property
    def share(self) -> float:
        """Share of the pods that it takes away; all of them where none is ready."""
        if not self.taken:
            return 0.0
        return self.taken / self.of if self.of else 1.0


@dataclass(frozen=True, slots=True)
class OpenFault:
    """A fault that may be in the system.

    Attributes:
        fault: Which.
        since_s: When it was meant, in seconds since the epoch on the run's clock.
    """

    fault: Fault
    since_s: float

    def overdue(self, now_s: float) -> bool:
        """Whether it has been there for longer than it may."""
        return now_s - self.since_s > self.fault.longest_s


def too_far(fault: Fault, reach: Reach, *, regions: Iterable[str], namespaces: Iterable[str], pods_share: float) -> str:
    """Why a fault must not be made; empty when it may.

    Args:
        fault: What is meant.
        reach: How far it would reach.
        regions: That may be changed.
        namespaces: That may be changed.
        pods_share: Largest share of pods that may be taken away.
    """
    outside = sorted(set(reach.namespaces) - set(namespaces))
    if outside:
        return f"it would change namespace {', '.join(outside)}, which guard.namespaces does not list"
    elsewhere = sorted(set(reach.regions) - set(regions))
    if elsewhere:
        return f"it would change {', '.join(elsewhere)}, which guard.regions leaves out"
    allowed = min(pods_share, fault.pods_share)
    # Half a millionth is rounding, as in `guard.too_many_away`.
    if reach.share > allowed + 5e-7:
        return f"it would take away {reach.taken} of {reach.of} pods, and {allowed:.0%} may be"
    return ""


def overdue(faults: Sequence[OpenFault], now_s: float) -> str:
    """Why a run has to be stopped; empty when no fault has been there for too long."""
    late = next((found for found in faults if found.overdue(now_s)), None)
    if late is None:
        return ""
    return f"the fault {late.fault.name} has been there for longer than {late.fault.longest_s:g} s, its longest life"
