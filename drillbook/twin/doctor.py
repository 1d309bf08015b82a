"""Whether this machine can carry the twin: every lack at once, each with what to do."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from drillbook.twin import groups, state
from drillbook.twin.cache import Cache
from drillbook.twin.layout import PREFIX, state_directory

if TYPE_CHECKING:
    from collections.abc import Callable

MEMORY_GIB = 6.0
"""The staging profile with its platform held 4 GiB; the rest is for the drills."""
DISK_GIB = 12.0
"""For a first twin: 8 GiB for what is built, with what Go keeps of it, and the rest for the machines and the drills."""
_DISK_BUILT_GIB = 4.0
_DISK_BEGUN_GIB = 1.0
_PROBE = f"{PREFIX}-doctor"


@dataclass(frozen=True, slots=True)
class Finding:
    """One examined condition.

    Attributes:
        subject: What was examined.
        healthy: Whether it is as the twin needs it.
        found: What is there.
        remedy: What to do; empty when healthy.
    """

    subject: str
    healthy: bool
    found: str
    remedy: str = ""


def examine(missing_packages: Callable[[], list[str]]) -> list[Finding]:
    """Examine everything; changes nothing but for a network namespace that is made and deleted at once."""
    findings = [_root(), _packages(missing_packages()), _memory(), _disk(), _cgroups(), _filesystem()]
    if os.geteuid() == 0:
        findings.append(_network())
    return findings


def _root() -> Finding:
    uid = os.geteuid()
    return Finding("root", uid == 0, f"uid {uid}", "" if uid == 0 else "run as root, for example with sudo")


def _packages(missing: list[str]) -> Finding:
    if not missing:
        return Finding("packages", healthy=True, found="all there")
    return Finding(
        "packages",
        healthy=False,
        found=f"missing: {', '.join(missing)}",
        remedy=f"apt-get install --no-install-recommends {' '.join(missing)} (or `make setup`)",
    )


def _memory() -> Finding:
    fields = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
    available = int(fields["MemAvailable"].split()[0]) / 2**20
    healthy = available >= MEMORY_GIB or _is_up()
    remedy = "" if healthy else f"free memory until {MEMORY_GIB:g} GiB are available"
    return Finding("memory", healthy, f"{available:.1f} GiB available", remedy)


def _disk() -> Finding:
    path = state_directory()
    while not path.exists():
        path = path.parent
    free, needed = shutil.disk_usage(path).free / 2**30, _disk_needed_gib()
    remedy = "" if free >= needed else f"free {needed - free:.1f} GiB, or set DRILLBOOK_STATE to a larger disk"
    return Finding("disk", free >= needed, f"{free:.1f} GiB free at {path}", remedy)


def _disk_needed_gib() -> float:
    """What was made already needs no room again; a twin that was begun had room for all of it then."""
    if state.read() is not None:
        return _DISK_BEGUN_GIB
    return _DISK_BUILT_GIB if Cache().has_any("kubernetes") else DISK_GIB


def _cgroups() -> Finding:
    there = groups.controllers()
    missing = [name for name in groups.NEEDED if name not in there]
    if missing:
        return Finding(
            "control groups",
            healthy=False,
            found=f"no controller {', '.join(missing)}",
            remedy="enable it in the kernel and mount it under /sys/fs/cgroup",
        )
    if groups.is_occupied():
        return Finding("control groups", healthy=False, found=groups.OCCUPIED, remedy=groups.MAKE_ROOM)
    return Finding("control groups", healthy=True, found="version 2" if groups.is_unified() else "version 1")


def _filesystem() -> Finding:
    known = Path("/proc/filesystems").read_text().split()
    if "overlay" not in known:
        subprocess.run(["modprobe", "overlay"], capture_output=True, check=False)
        known = Path("/proc/filesystems").read_text().split()
    healthy = "overlay" in known
    return Finding(
        "overlay filesystem",
        healthy,
        "there" if healthy else "missing",
        "" if healthy else "load the kernel module `overlay`",
    )


def _network() -> Finding:
    """Namespace, cable, bridge and packet filter, tried for real in a namespace that is deleted again."""
    if shutil.which("ip") is None or shutil.which("iptables") is None:
        return Finding(
            "network", healthy=False, found="no `ip` or `iptables`", remedy="install the missing packages first"
        )
    commands = [
        ["ip", "netns", "add", _PROBE],
        ["ip", "-n", _PROBE, "link", "add", "b0", "type", "bridge"],
        ["ip", "-n", _PROBE, "link", "add", "v0", "type", "veth", "peer", "name", "v1"],
        ["ip", "netns", "exec", _PROBE, "iptables", "-t", "nat", "-A", "POSTROUTING", "-m", "comment", "--comment", "x",
         "-m", "statistic", "--mode", "random", "--probability", "0.5", "-j", "MASQUERADE"],
    ]  # fmt: skip
    try:
        for command in commands:
            done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
            if done.returncode != 0:
                return Finding(
                    "network",
                    healthy=False,
                    found=f"`{' '.join(command)}`: {done.stderr.strip()}",
                    remedy="the kernel needs network namespaces, veth, bridge and iptables with NAT",
                )
    finally:
        subprocess.run(["ip", "netns", "delete", _PROBE], capture_output=True, timeout=20, check=False)
    return Finding("network", healthy=True, found="namespaces, veth, bridge and NAT work")


def _is_up() -> bool:
    return (Path("/run/netns") / f"{PREFIX}-fabric").exists()
