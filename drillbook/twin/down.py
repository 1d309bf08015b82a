"""Takes the twin down, whatever state a crash left it in, and proves that nothing is left."""

from __future__ import annotations

import shutil
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from drillbook.twin import fabric, groups, machines
from drillbook.twin.layout import CLIENT, PREFIX, state_directory

if TYPE_CHECKING:
    from collections.abc import Callable

_MOUNT_POINTS = (Path("/var/lib/kubelet"), Path("/var/lib/cni"))
"""Directories that the twin may have made on the host only to mount over them in a machine's own namespace."""


@dataclass(frozen=True, slots=True)
class Remains:
    """What a twin has on this machine now; all empty when there is none.

    Attributes:
        processes: PIDs of its machines' processes.
        namespaces: Its network namespaces.
        mounts: Mount points of the host's that are its own.
        cgroups: Its control groups.
        interfaces: Interfaces of the host's own network that are its cables.
        directories: Where its state is, or the rest of one that was being deleted.
    """

    processes: tuple[int, ...]
    namespaces: tuple[str, ...]
    mounts: tuple[str, ...]
    cgroups: tuple[str, ...]
    interfaces: tuple[str, ...]
    directories: tuple[str, ...]

    @property
    def nothing(self) -> bool:
        """Whether nothing is left."""
        return not any(astuple(self))


def take_down(progress: Callable[[str], None]) -> None:
    """Kill, unmount and delete all that the twin made, except what it built and cached.

    Raises:
        MachineError: When a process survives.
        FabricError: When a namespace cannot be deleted.
    """
    names = [name for name in fabric.namespaces() if name != CLIENT.namespace]
    progress("ending the machines")
    machines.end_processes(machines.processes_in(names), "the twin")
    progress("removing the network")
    fabric.remove()
    progress("removing control groups and state")
    groups.remove()
    _delete_state()
    for path in _MOUNT_POINTS:
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()


def remains() -> Remains:
    """Ask the kernel and the disk what is left."""
    namespaces = tuple(fabric.namespaces())
    others = [name for name in namespaces if name != CLIENT.namespace]
    state = str(state_directory())
    mounts = tuple(
        fields[1]
        for line in Path("/proc/self/mounts").read_text().splitlines()
        if (fields := line.split()) and (fields[1].startswith(state) or f"/netns/{PREFIX}-" in fields[1])
    )
    cables = tuple(p.name for p in Path("/sys/class/net").iterdir() if p.name.startswith("to-"))
    directories = tuple(str(path) for path in (state_directory(), _removed()) if path.exists())
    return Remains(tuple(machines.processes_in(others)), namespaces, mounts, groups.left(), cables, directories)


def _delete_state() -> None:
    """All at once as others see it: of half a state a new twin would take volumes whose passwords are gone."""
    if _removed().exists():
        shutil.rmtree(_removed())
    if state_directory().exists():
        state_directory().rename(_removed())
        shutil.rmtree(_removed())


def _removed() -> Path:
    return state_directory().with_name(f"{state_directory().name}.removed")
