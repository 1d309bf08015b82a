"""A machine of the twin whose plug is pulled, and put in again: its disk keeps what it had."""

# ruff: noqa: ARG002 - a pair is given what was noted, also one that needs none of it

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from drillbook.ports import Unreachable
from drillbook.ports.fault import Look
from drillbook.twin import machines
from drillbook.twin.layout import PROFILES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from drillbook.ports.fault import Nodes
    from drillbook.twin.layout import Machine


@dataclass(frozen=True, slots=True)
class LostMachine:
    """One worker.

    Attributes:
        machine: Which one.
        nodes: The region's, by which the loss is seen: the control plane's word, not that of the killed process.
    """

    machine: Machine
    nodes: Nodes

    @property
    def named(self) -> str:
        """Which one."""
        return f"machine {self.machine.name}"

    def note(self) -> Mapping[str, Any]:
        """Nothing, when it runs.

        Raises:
            Unreachable: When it does not.
        """
        if not machines.is_running(self.machine):
            raise Unreachable(f"the {self.named} does not run, so it cannot be lost; bring the twin up")
        return {}

    def take(self) -> None:
        """Kill everything on it at once."""
        self._ask(machines.stop)

    def give_back(self, noted: Mapping[str, Any]) -> None:
        """Start it as it was started last."""
        self._ask(machines.boot)

    def look(self, noted: Mapping[str, Any]) -> Look:
        """What the region's control plane says of the node."""
        node = self.nodes.node(self.machine.name)
        text = f"node {node.name} {'is well' if node.ready else 'is lost'} by its control plane's word"
        return Look(not node.ready, node.ready and machines.is_running(self.machine), text)

    def _ask(self, what: Any) -> None:
        try:
            what(self.machine)
        except machines.MachineError as error:
            raise Unreachable(str(error)) from error


def worker(name: str) -> Machine:
    """A worker of the twin.

    Raises:
        Unreachable: When it has none of this name.
    """
    found = {machine.name: machine for profile in PROFILES.values() for r in profile.regions for machine in r.workers}
    if name not in found:
        raise Unreachable(f"the twin has no worker {name!r}; correct faults.machines in the environment file")
    return found[name]
