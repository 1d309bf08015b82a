"""The twin's network: a namespace for each machine, joined by a bridge that has no route to the outside."""

from __future__ import annotations

import subprocess
from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING

from drillbook.twin.errors import TwinError
from drillbook.twin.layout import FABRIC_NETWORK, PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterable

    from drillbook.twin.layout import Machine, Profile

FABRIC_NAMESPACE = f"{PREFIX}-fabric"
_BRIDGE = "fabric0"
_PENDING = ".new"
_PREFIX_LENGTH = ip_network(FABRIC_NETWORK).prefixlen
_NAMESPACES = Path("/run/netns")
_UNANSWERED_S = 5
"""For how long a connection is led where nobody has answered; Linux' own is 120 s, see docs/decisions/0002."""


class FabricError(TwinError):
    """The network could not be laid; the text has the command and its answer."""


def namespaces() -> list[str]:
    """The twin's network namespaces that exist now, sorted."""
    if not _NAMESPACES.is_dir():
        return []
    return sorted(p.name for p in _NAMESPACES.iterdir() if p.name.startswith(f"{PREFIX}-"))


def lay(profile: Profile) -> None:
    """Make what is missing of the profile's network, or only half made; what is there stays."""
    _drop_half_made()
    existing = set(namespaces())
    if FABRIC_NAMESPACE not in existing:
        _ip("netns", "add", FABRIC_NAMESPACE)
    if _BRIDGE not in _links():
        _batch(FABRIC_NAMESPACE, [f"link add {_BRIDGE} type bridge forward_delay 0"])
    _batch(FABRIC_NAMESPACE, [f"link set {_BRIDGE} up", "link set lo up"])
    for machine in profile.machines:
        if machine.namespace not in existing:
            _join(machine)
    for machine in profile.machines:
        _route_pods(machine, profile)


def remove() -> None:
    """Delete every namespace of the twin, and with them their interfaces and routes."""
    for name in namespaces():
        _ip("netns", "delete", name)


def plug_in(machine: Machine) -> None:
    """Let the machine's packets through again; idempotent.

    Raises:
        FabricError: When it has no cable.
    """
    _batch(FABRIC_NAMESPACE, [f"link set {_port(machine)} up"])


def unplug(machine: Machine) -> None:
    """Let none of the machine's packets through any more, as if its cable were pulled; idempotent.

    Raises:
        FabricError: When it has no cable.
    """
    _batch(FABRIC_NAMESPACE, [f"link set {_port(machine)} down"])


def forget(machine: Machine) -> None:
    """As a kernel that has just booted: no translation of addresses, and no connection that was translated.

    Whoever asks before kube-proxy has made its rules anew would be led by the old ones, to pods that are gone.

    Raises:
        FabricError: When the kernel does not do it.
    """
    enter = ["nsenter", f"--net={_NAMESPACES / machine.namespace}"]
    _run([*enter, "iptables-restore", "-w", "5"], "*nat\nCOMMIT\n")
    _run([*enter, "conntrack", "--flush"])
    _run([*enter, "sysctl", "-qw", f"net.netfilter.nf_conntrack_tcp_timeout_syn_sent={_UNANSWERED_S}"])


def _port(machine: Machine) -> str:
    """The bridge's end of its cable."""
    return f"to-{machine.name}"


def _drop_half_made() -> None:
    """Delete names that lead to no namespace yet, and those of machines that were being joined when that was killed."""
    for name in namespaces():
        if name.endswith(_PENDING) or not _is_namespace(name):
            _ip("netns", "delete", name)


def _is_namespace(name: str) -> bool:
    """Whether the kernel's namespace is mounted there; before that it is an empty file."""
    return (_NAMESPACES / name).stat().st_dev != _NAMESPACES.stat().st_dev


def _join(machine: Machine) -> None:
    """Join a new namespace to the bridge; the namespace's name appears last, so half a job is redone whole."""
    pending = f"{machine.namespace}{_PENDING}"
    _ip("netns", "add", pending)
    port = _port(machine)
    _delete_port(port)
    _batch(
        FABRIC_NAMESPACE,
        [
            f"link add {port} type veth peer name eth0 netns {pending}",
            f"link set {port} master {_BRIDGE} up",
        ],
    )
    _batch(
        pending,
        [
            "link set lo up",
            *(f"address add {address}/{_PREFIX_LENGTH} dev eth0" for address in machine.addresses),
            "link set eth0 up",
        ],
    )
    (_NAMESPACES / machine.namespace).touch()
    _run(["mount", "--bind", str(_NAMESPACES / pending), str(_NAMESPACES / machine.namespace)])
    _ip("netns", "delete", pending)


def _delete_port(port: str) -> None:
    """Drop the bridge's end of a cable that a crash left behind."""
    if port in _links():
        _ip("-netns", FABRIC_NAMESPACE, "link", "delete", port)


def _links() -> set[str]:
    """The bridge and its ends of the cables, by name."""
    listed = _run(["ip", "-netns", FABRIC_NAMESPACE, "-brief", "link"])
    return {line.split("@")[0].split()[0] for line in listed.splitlines()}


def _route_pods(machine: Machine, profile: Profile) -> None:
    """Pods of all regions are routed, as between peered VPCs; the fabric itself leads nowhere else."""
    workers = [w for region in profile.regions for w in region.workers if w.name != machine.name]
    _batch(machine.namespace, [f"route replace {w.pod_network} via {w.address}" for w in workers])


def _batch(namespace: str, commands: Iterable[str]) -> None:
    text = "\n".join(commands)
    _run(["ip", "-netns", namespace, "-batch", "-"], text)


def _ip(*arguments: str) -> None:
    _run(["ip", *arguments])


def _run(command: list[str], text: str | None = None) -> str:
    done = subprocess.run(command, input=text, text=True, capture_output=True, timeout=30, check=False)
    if done.returncode != 0:
        msg = f"`{' '.join(command)}` ended with {done.returncode}: {(done.stderr or done.stdout).strip()} {text or ''}"
        raise FabricError(msg)
    return done.stdout
