"""A neighbour that wants all the processor or all the memory; its limits have to save the others."""

# ruff: noqa: ARG002 - a pair is given what was noted, also one that needs none of it

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from drillbook.domain import byte_size
from drillbook.drivers.kubernetes_helper import Work
from drillbook.ports.fault import Look

if TYPE_CHECKING:
    from collections.abc import Mapping

    from drillbook.drivers.kubernetes_helper import Helper

_KILLED = "OOMKilled"

BURNT = "/tmp/burnt"  # noqa: S108 - of the pod's own
EXCEEDED, HELD = "/tmp/exceeded", "/tmp/held"  # noqa: S108 - likewise, and kept when its container starts again

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
import contextlib, os, sys, time
most, hold, exceeded, held = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]
with contextlib.suppress(FileNotFoundError):
    os.unlink(held)
stopped_before = os.path.exists(exceeded)
open(exceeded, "w").close()
kept = []
while len(kept) * 1048576 < (hold if stopped_before else most):
    kept.append(b"x" * 1048576)
if not stopped_before:
    sys.exit("nobody kept it from taking more than its limit")
open(held, "w").close()
while True:
    time.sleep(60)
"""
"""First it takes more than its limit and is ended for it; started again, it holds what is within its limit.

The first start after an end comes at once. Were it ended again and again, its node would wait before each further one,
for up to 5 min, and nothing would press meanwhile. Written to, since memory that is only asked for is not taken.
"""

_MIB = 1048576
_ROOM = 32 * _MIB
"""Below the limit, at the most: for the interpreter, and for that of its node's look, which is in the same group."""


@dataclass(frozen=True, slots=True)
class Pressure:
    """One kind of pressure.

    Attributes:
        helper: The pod that presses.
        on: What it wants all of.
        beside: Labels of the pods on whose node it runs.
        cpu: Its limit; empty for none.
        memory: Its limit, as Kubernetes writes it: `128Mi`.
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
            limit = int(byte_size.parsed(f"{self.memory}B"))
            sizes = (2 * limit, limit - min(limit // 4, _ROOM))
            work = Work(
                GROW, (*map(str, sizes), EXCEEDED, HELD), ("python3", "-c", THERE, HELD), limits=limits,
                requests=requests, beside=self.beside, again=True,
            )  # fmt: skip
        self.helper.start(work)

    def give_back(self, noted: Mapping[str, Any]) -> None:
        """End the pod."""
        self.helper.remove()

    def look(self, noted: Mapping[str, Any]) -> Look:
        """Whether its node finds it burning; or holding memory, after it was ended for wanting more than its limit."""
        status = self.helper.status()
        if not status.phase:
            return Look(gone=False, well=True, text=f"there is no {self.named}")
        # Who was ended more than once was away in between, until his node started him again.
        presses = status.ready and (self.on == "cpu" or (status.ended == (_KILLED,) and status.restarts == 1))
        does = "presses" if presses else "does not press"
        if status.restarts > 1:
            does = f"does not press all along, and was started again {status.restarts} times"
        ended = f", ended for {' and '.join(status.ended)}" if status.ended else ""
        text = f"the {self.named} {does}: it is {status.phase} on node {status.node or '(none)'}{ended}"
        data = {"node": status.node, "ended": list(status.ended), "restarts": status.restarts}
        return Look(presses, well=False, text=text, data=data)
