"""A machine of the twin whose plug is pulled, and put in again: its disk keeps what it had.

A vault that ran on it starts sealed. Whoever holds its key opens it, where it was open before. Its node is ready as
soon as its kubelet is, and users are led there again: it is as it was once its pods are ready too.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from drillbook.ports import Unreachable
from drillbook.ports.fault import Look
from drillbook.twin import machines, vaults
from drillbook.twin.errors import TwinError
from drillbook.twin.layout import PROFILES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from drillbook.ports.fault import Nodes, Pods
    from drillbook.twin.layout import Machine, Region


@dataclass(frozen=True, slots=True)
class LostMachine:
    """One worker.

    Attributes:
        machine: Which one.
        region: Where it is.
        nodes: The region's, by which the loss is seen: the control plane's word, not that of the killed process.
        pods: Likewise, by which it is seen to be over.
        namespaces: Whose pods have to be ready again, as many as were.
    """

    machine: Machine
    region: Region
    nodes: Nodes
    pods: Pods
    namespaces: tuple[str, ...]

    @property
    def named(self) -> str:
        """Which one."""
        return f"machine {self.machine.name}"

    def note(self) -> Mapping[str, Any]:
        """Whether its region's vault is open and how many pods are ready, when it runs.

        Raises:
            Unreachable: When it does not.
        """
        if not machines.is_running(self.machine):
            raise Unreachable(f"the {self.named} does not run, so it cannot be lost; bring the twin up")
        return {"vault": "open" if vaults.is_open(self.region) else "closed", "ready": self._ready()}

    def take(self) -> None:
        """Kill everything on it at once."""
        asked(machines.stop, self.machine)

    def give_back(self, noted: Mapping[str, Any]) -> None:
        """Start it as it was started last, and open the vault if it was open."""
        asked(machines.boot, self.machine)
        if noted.get("vault") == "open":
            vaults.open_again(self.region)

    def look(self, noted: Mapping[str, Any]) -> Look:
        """What the region's control plane says of the node and its pods, and the vault of itself."""
        node = self.nodes.node(self.machine.name)
        text = f"node {node.name} {'is well' if node.ready else 'is lost'} by its control plane's word"
        if not (node.ready and machines.is_running(self.machine)):
            return Look(not node.ready, False, text)
        missing = self._missing(noted)
        return Look(False, not missing, f"{text}{missing}")

    def _missing(self, noted: Mapping[str, Any]) -> str:
        """What is not as it was on a node that is well; empty for nothing."""
        if noted.get("vault") == "open" and not vaults.is_open(self.region):
            return f", and the vault in {self.region.name} is not open yet"
        now = self._ready()
        lacking = [f"{now[name]} of {count} in {name}" for name, count in noted.get("ready", {}).items()
                   if now.get(name, 0) < count]  # fmt: skip
        return f", and of the pods that were ready {' and '.join(lacking)} are" if lacking else ""

    def _ready(self) -> dict[str, int]:
        return {name: sum(pod.ready for pod in self.pods.listed(name)) for name in self.namespaces}


def asked(change: Callable[..., None], *those: Machine) -> None:
    """Stop or boot machines.

    Raises:
        Unreachable: When that does not come about, for whatever reason: a busy machine may do it a moment later.
    """
    try:
        change(*those)
    except machines.MachineError as error:
        raise Unreachable(str(error)) from error
    except (TwinError, OSError, subprocess.SubprocessError) as error:
        names = ", ".join(machine.name for machine in those)
        raise Unreachable(f"machine {names} could not be started or stopped: {error}") from error


def lost(name: str, nodes: Nodes, pods: Pods, namespaces: Sequence[str]) -> LostMachine:
    """A worker of the twin that may be lost; see `LostMachine`.

    Raises:
        Unreachable: When it has none of this name.
    """
    region, machine = _found(name)
    return LostMachine(machine, region, nodes, pods, tuple(namespaces))


def worker(name: str) -> Machine:
    """A worker of the twin.

    Raises:
        Unreachable: When it has none of this name.
    """
    return _found(name)[1]


def _found(name: str) -> tuple[Region, Machine]:
    regions = [region for profile in PROFILES.values() for region in profile.regions]
    found = {machine.name: (region, machine) for region in regions for machine in region.workers}
    if name not in found:
        raise Unreachable(f"the twin has no worker {name!r}; correct faults.machines in the environment file")
    return found[name]
