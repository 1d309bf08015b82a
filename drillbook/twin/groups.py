"""Control groups of the twin, on either version of the kernel's interface: one for each node, in one for all."""

from __future__ import annotations

import os
from pathlib import Path

from drillbook.twin.errors import TwinError
from drillbook.twin.layout import PREFIX

NEEDED = ("cpu", "cpuset", "memory", "pids")
"""Controllers without which the kubelet does not start."""

_LET_THROUGH = (*NEEDED, "hugetlb")
"""On version 2 the kubelet asks for all of these that the kernel has (`getSupportedUnifiedControllers`)."""

_ROOT = Path("/sys/fs/cgroup")

OCCUPIED = "the group at the top has processes of its own, and the kernel lets no controller through below such a one"
"""So it is in a container that has its own view of the groups."""

MAKE_ROOM = f"mkdir -p {_ROOT}/init && xargs -rn1 <{_ROOT}/cgroup.procs >{_ROOT}/init/cgroup.procs"
"""Once is enough: what these processes start is there as well."""


class GroupError(TwinError):
    """The kernel does not let a node's group have what the kubelet needs; the text says what to do."""


def is_unified() -> bool:
    """Whether all controllers are in one hierarchy, as on version 2."""
    return (_ROOT / "cgroup.controllers").is_file()


def controllers() -> set[str]:
    """Those that the kernel has, and that are mounted."""
    return _words(_ROOT / "cgroup.controllers") if is_unified() else {path.name for path in _hierarchies()}


def is_occupied() -> bool:
    """Whether the kernel would refuse to let through what is not let through yet, for the processes at the top.

    A machine's own group at the top may have processes, and has no type; that of a container has one.
    """
    return (
        is_unified()
        and bool(_held_back(_ROOT))
        and (_ROOT / "cgroup.type").is_file()
        and bool(_words(_ROOT / "cgroup.procs"))
    )


def make(name: str) -> None:
    """Make `/drillbook/<name>` in every hierarchy, since the kubelet wants its root to be there.

    Raises:
        GroupError: When the kernel does not let through what the kubelet needs.
    """
    for hierarchy in _hierarchies():
        top = hierarchy / PREFIX
        if is_unified():
            _let_through(hierarchy)
            top.mkdir(exist_ok=True)
            _let_through(top)
        (top / name).mkdir(parents=True, exist_ok=True)
        for group in (top / name, top):
            _give_weight(group)


def clear(name: str) -> None:
    """Delete all groups below a node's own, which have no processes any more."""
    for hierarchy in _hierarchies():
        _remove(hierarchy / PREFIX / name, keep=True)


def remove() -> None:
    """Delete the twin's groups in every hierarchy."""
    for hierarchy in _hierarchies():
        _remove(hierarchy / PREFIX, keep=False)


def left() -> tuple[str, ...]:
    """Paths of the twin's groups that are there now."""
    return tuple(sorted(str(path) for one in _hierarchies() if (path := one / PREFIX).exists()))


def _hierarchies() -> list[Path]:
    if is_unified():
        return [_ROOT]
    return [d for d in _ROOT.iterdir() if d.is_dir() and not d.is_symlink()] if _ROOT.is_dir() else []


def _let_through(group: Path) -> None:
    """Version 2: a group has no other controllers than those that the one above it lets through."""
    lacking = _held_back(group)
    if not lacking:
        return
    try:
        (group / "cgroup.subtree_control").write_text(" ".join(f"+{name}" for name in lacking))
    except OSError as error:
        reason = f"{OCCUPIED}; move them: {MAKE_ROOM}" if is_occupied() else str(error)
        message = f"the control group {group} does not let {', '.join(lacking)} through to those below it: {reason}"
        raise GroupError(message) from error


def _held_back(group: Path) -> list[str]:
    missing = _words(group / "cgroup.controllers") - _words(group / "cgroup.subtree_control")
    return [name for name in _LET_THROUGH if name in missing]


def _words(path: Path) -> set[str]:
    return set(path.read_text().split())


def _remove(top: Path, *, keep: bool) -> None:
    """Delete the groups below one, innermost first, and that one too unless it is to be kept."""
    for directory, _, _ in os.walk(top, topdown=False):
        if not (keep and Path(directory) == top):
            Path(directory).rmdir()


def _give_weight(group: Path) -> None:
    """Let all of a node's pods together count for more than one process outside, which is what a new group counts."""
    for file, weight in (("cpu.shares", "16384"), ("cpu.weight", "1600")):
        if (group / file).is_file():
            (group / file).write_text(weight)
