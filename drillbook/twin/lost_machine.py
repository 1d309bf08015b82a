"""A machine of the twin whose plug is pulled, and put in again: its disk keeps what it had.

A vault that ran on it starts sealed. Whoever holds its key opens it, where it was open before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from drillbook.ports import Unreachable
from drillbook.ports.fault import Look
from drillbook.twin import machines, vaults
from drillbook.twin.layout import PROFILES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from drillbook.ports.fault import Nodes
    from drillbook.twin.layout import Machine, Region

_VAULT_WITHIN_S = 120.0
"""Its pod is started by the kubelet of a machine that boots."""


@dataclass(frozen=True, slots=True)
class LostMachine:
    """One worker.

    Attributes:
        machine: Which one.
        region: Where it is.
        nodes: The region's, by which the loss is seen: the control plane's word, not that of the killed process.
    """

    machine: Machine
    region: Region
    nodes: Nodes

    @property
    def named(self) -> str:
        """Which one."""
        return f"machine {self.machine.name}"

    def note(self) -> Mapping[str, Any]:
        """Whether its region's vault is open, when it runs.

        Raises:
            Unreachable: When it does not.
        """
        if not machines.is_running(self.machine):
            raise Unreachable(f"the {self.named} does not run, so it cannot be lost; bring the twin up")
        return {"vault": "open" if vaults.is_open(self.region) else "closed"}

    def take(self) -> None:
        """Kill everything on it at once."""
        self._ask(machines.stop)

    def give_back(self, noted: Mapping[str, Any]) -> None:
        """Start it as it was started last, and open the vault if it was open."""
        self._ask(machines.boot)
        if noted.get("vault") == "open":
            vaults.open_again(self.region, deadline_s=_VAULT_WITHIN_S)

    def look(self, noted: Mapping[str, Any]) -> Look:
        """What the region's control plane says of the node, and the vault of itself."""
        node = self.nodes.node(self.machine.name)
        text = f"node {node.name} {'is well' if node.ready else 'is lost'} by its control plane's word"
        well = node.ready and machines.is_running(self.machine)
        if well and noted.get("vault") == "open" and not vaults.is_open(self.region):
            return Look(False, False, f"{text}, and the vault in {self.region.name} is not open yet")
        return Look(not node.ready, well, text)

    def _ask(self, what: Any) -> None:
        try:
            what(self.machine)
        except machines.MachineError as error:
            raise Unreachable(str(error)) from error


def lost(name: str, nodes: Nodes) -> LostMachine:
    """A worker of the twin that may be lost.

    Raises:
        Unreachable: When it has none of this name.
    """
    region, machine = _found(name)
    return LostMachine(machine, region, nodes)


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
