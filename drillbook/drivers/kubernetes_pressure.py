"""A neighbour that wants all the processor or all the memory; its limits have to save the others."""

# ruff: noqa: ARG002 - a pair is given what was noted, also one that needs none of it

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from drillbook.drivers.kubernetes_helper import Work
from drillbook.ports.fault import Look

if TYPE_CHECKING:
    from collections.abc import Mapping

    from drillbook.drivers.kubernetes_helper import Helper

_KILLED = "OOMKilled"

BURNT = "/tmp/burnt"  # noqa: S108 - of the pod's own

BURN = """
import os, sys, time
for _ in range(2 * (os.cpu_count() or 1) - 1):
    if os.fork() == 0:
        while True:
            pass
while time.process_time() < 0.5:
    pass
open(sys.argv[1], "w").close()
while True:
    pass
"""
"""Twice as many processes as processors, so that half of them would take all; it says so once it has burnt some."""

THERE = """
import os, sys
sys.exit(not os.path.exists(sys.argv[1]))
"""
"""An image with Python need not have a shell or its tools."""

GROW = """
kept = []
while True:
    kept.append(b"x" * 1048576)
"""
"""Written to, since memory that is only asked for is not taken. Without a limit it would take the node's."""


@dataclass(frozen=True, slots=True)
class Pressure:
    """One kind of pressure.

    Attributes:
        helper: The pod that presses.
        on: What it wants all of.
        beside: Labels of the pods on whose node it runs.
        cpu: Its limit; empty for none.
        memory: Its limit.
    """

    helper: Helper
    on: Literal["cpu", "memory"]
    beside: str
    cpu: str
    memory: str

    @property
    def named(self) -> str:
        """Which one."""
        return f"{self.on} pressure by pod {self.helper.namespace}/{self.helper.name}"

    def note(self) -> Mapping[str, Any]:
        """Nothing, when there is no such pod yet."""
        self.helper.refuse_another()
        return {}

    def take(self) -> None:
        """Start pressing."""
        limits = {"memory": self.memory, **({"cpu": self.cpu} if self.cpu else {})}
        # What is asked for decides who gets how much while all want more: without a limit it is to be felt, and not so
        # much that nobody can look any more.
        requests = {"cpu": "10m" if self.cpu else "250m", "memory": "16Mi"}
        if self.on == "cpu":
            work = Work(
                BURN, (BURNT,), ("python3", "-c", THERE, BURNT), limits=limits, requests=requests, beside=self.beside
            )
        else:
            work = Work(GROW, limits=limits, requests=requests, beside=self.beside, again=True)
        self.helper.start(work)

    def give_back(self, noted: Mapping[str, Any]) -> None:
        """End the pod."""
        self.helper.remove()

    def look(self, noted: Mapping[str, Any]) -> Look:
        """Whether its node found it burning, or ended it for wanting more memory than its limit."""
        status = self.helper.status()
        if not status.phase:
            return Look(gone=False, well=True, text=f"there is no {self.named}")
        presses = status.ready if self.on == "cpu" else _KILLED in status.ended
        ended = f", ended for {' and '.join(status.ended)}" if status.ended else ""
        does = "presses" if presses else "does not press yet"
        text = f"the {self.named} {does}: it is {status.phase} on node {status.node or '(none)'}{ended}"
        return Look(presses, well=False, text=text, data={"node": status.node, "ended": list(status.ended)})
