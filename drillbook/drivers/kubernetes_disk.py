"""A volume that is filled by a file of the harness' own, up to a reserve, and emptied of it again."""

# ruff: noqa: ARG002 - a pair is given what was noted, also one that needs none of it

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from drillbook.drivers.kubernetes_helper import Work
from drillbook.ports import Unreachable
from drillbook.ports.fault import Look

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from drillbook.drivers.kubernetes_helper import Helper
    from drillbook.ports.fault import Pods

BALLAST = "/volume/drillbook-ballast"

FILL = """
import os, sys, time
path, reserve, most = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
free = os.statvfs(os.path.dirname(sys.argv[1]))
size = min(free.f_bavail * free.f_frsize - reserve, most)
if size <= 0:
    sys.exit("the volume is within its reserve already")
with open(path, "wb") as file:
    os.posix_fallocate(file.fileno(), 0, size)
    os.fsync(file.fileno())
while True:
    time.sleep(60)
"""
"""Allocated and not written, so that it takes the disk's room and not its time."""

FULL = """
import os, sys
free = os.statvfs(os.path.dirname(sys.argv[1]))
sys.exit(not (os.path.exists(sys.argv[1]) and free.f_bavail * free.f_frsize <= int(sys.argv[2]) * 1.1))
"""

EMPTY = """
import contextlib, os, sys
with contextlib.suppress(FileNotFoundError):
    os.unlink(sys.argv[1])
"""

_MIB = 1048576
_ENDED_WITHIN_LOOKS = 120


@dataclass(frozen=True, slots=True)
class FilledVolume:
    """One volume.

    It is filled and emptied on the node of the pod that mounts it: a volume that is one node's at a time is not mounted
    elsewhere, or would take itself away from that pod.

    Attributes:
        helper: The pod that fills it; another, whose name ends in `-cleaner`, empties it.
        pods: Tell who mounts it.
        claim: The persistent volume claim.
        user: Numeric id of the user that owns the volume.
        reserve_mib: Left free, in MiB.
        most_mib: The largest file, in MiB.
        sleep: Waits, between two looks at the cleaner.
        group: Numeric id of the group by which that user may write into it; None for that of the same number.
    """

    helper: Helper
    pods: Pods
    claim: str
    user: int
    reserve_mib: int
    most_mib: int
    sleep: Callable[[float], None]
    group: int | None = None

    @property
    def named(self) -> str:
        """Which one."""
        return f"volume of claim {self.helper.namespace}/{self.claim}"

    def note(self) -> Mapping[str, Any]:
        """The node that it is mounted on, when nobody fills it.

        Raises:
            Unreachable: When somebody does, or no pod mounts it.
        """
        self.helper.refuse_another()
        return {"node": self._node_to_fill_it_on()}

    def take(self) -> None:
        """Fill it.

        Raises:
            Unreachable: When no pod mounts it.
        """
        reserve, most = str(self.reserve_mib * _MIB), str(self.most_mib * _MIB)
        ready = ("python3", "-c", FULL, BALLAST, reserve)
        self.helper.start(self._work(FILL, (BALLAST, reserve, most), self._node_to_fill_it_on(), ready))

    def give_back(self, noted: Mapping[str, Any]) -> None:
        """End who fills it, and then have the file removed by a pod that says when it is gone.

        Raises:
            Unreachable: When either does not come to its end in a minute.
        """
        self.helper.remove()
        # One that is just starting, as after a crash, would write the file that has just been removed.
        filler = self._last_phase(self.helper, {""})
        if filler:
            raise Unreachable(f"the {self.named} is not emptied: its filler is {filler} still; delete its pod by hand")
        # A pod that crashes for want of room keeps its node; one that was moved has taken the volume along.
        node = self._mounted_on() or str(noted.get("node", ""))
        cleaner = self._cleaner
        cleaner.start(self._work(EMPTY, (BALLAST,), node))
        phase = self._last_phase(cleaner, {"Succeeded", "Failed"})
        cleaner.remove()
        if phase != "Succeeded":
            where = f" on node {node}" if node else ""
            raise Unreachable(
                f"the {self.named} is not emptied: its cleaner is {phase or 'gone'}{where}; delete {BALLAST}"
            )

    def look(self, noted: Mapping[str, Any]) -> Look:
        """Whether the node found the volume full, by asking its file system."""
        status, cleaner = self.helper.status(), self._cleaner.status()
        if not status.phase and not cleaner.phase:
            return Look(gone=False, well=True, text=f"nobody fills the {self.named}")
        text = f"the {self.named} is {'full' if status.ready else 'not full'}: its filler is {status.phase or 'gone'}"
        return Look(status.ready, well=False, text=text)

    def _last_phase(self, pod: Helper, ends: Collection[str]) -> str:
        """The phase that a pod comes to: one of these, or what it is in after a minute."""
        phase = pod.status().phase
        for _ in range(_ENDED_WITHIN_LOOKS):
            if phase in ends:
                break
            self.sleep(0.5)
            phase = pod.status().phase
        return phase

    def _node_to_fill_it_on(self) -> str:
        node = self._mounted_on()
        if not node:
            raise Unreachable(
                f"no pod in {self.helper.namespace} mounts the claim {self.claim}, so that nobody would miss its room: "
                "name the claim of one that runs in faults.disk"
            )
        return node

    def _mounted_on(self) -> str:
        """The node of a pod that mounts the claim, one of the harness' own aside; empty when there is none."""
        mine = {self.helper.name, self._cleaner.name}
        mounting = [
            pod
            for pod in self.pods.listed(self.helper.namespace)
            if self.claim in pod.claims and pod.node and pod.name not in mine
        ]
        # Where a node was lost, its pod may be ending for ever while another waits for the volume.
        return next((pod.node for pod in sorted(mounting, key=lambda pod: pod.ending)), "")

    @property
    def _cleaner(self) -> Helper:
        return replace(self.helper, name=f"{self.helper.name}-cleaner")

    def _work(self, script: str, arguments: tuple[str, ...], node: str, ready: tuple[str, ...] = ()) -> Work:
        small = {"cpu": "200m", "memory": "64Mi"}
        return Work(
            script, arguments, ready, limits=small, requests={"cpu": "10m", "memory": "16Mi"}, user=self.user,
            group=self.group, node=node, claim=self.claim,
        )  # fmt: skip
