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

    Attributes:
        helper: The pod that fills it; another, whose name ends in `-cleaner`, empties it.
        claim: The persistent volume claim.
        user: Numeric id of the user that owns the volume.
        reserve_mib: Left free, in MiB.
        most_mib: The largest file, in MiB.
        sleep: Waits, between two looks at the cleaner.
    """

    helper: Helper
    claim: str
    user: int
    reserve_mib: int
    most_mib: int
    sleep: Callable[[float], None]

    @property
    def named(self) -> str:
        """Which one."""
        return f"volume of claim {self.helper.namespace}/{self.claim}"

    def note(self) -> Mapping[str, Any]:
        """Nothing, when nobody fills it."""
        self.helper.refuse_another()
        return {}

    def take(self) -> None:
        """Fill it."""
        reserve, most = str(self.reserve_mib * _MIB), str(self.most_mib * _MIB)
        ready = ("python3", "-c", FULL, BALLAST, reserve)
        self.helper.start(self._work(FILL, (BALLAST, reserve, most), ready))

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
        cleaner = self._cleaner
        cleaner.start(self._work(EMPTY, (BALLAST,)))
        phase = self._last_phase(cleaner, {"Succeeded", "Failed"})
        cleaner.remove()
        if phase != "Succeeded":
            raise Unreachable(f"the {self.named} is not emptied: its cleaner is {phase or 'gone'}; delete {BALLAST}")

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

    @property
    def _cleaner(self) -> Helper:
        return replace(self.helper, name=f"{self.helper.name}-cleaner")

    def _work(self, script: str, arguments: tuple[str, ...], ready: tuple[str, ...] = ()) -> Work:
        small = {"cpu": "200m", "memory": "64Mi"}
        return Work(
            script, arguments, ready, limits=small, requests={"cpu": "10m", "memory": "16Mi"}, user=self.user,
            claim=self.claim,
        )  # fmt: skip
