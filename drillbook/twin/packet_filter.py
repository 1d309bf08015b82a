"""Packets that are dropped in network namespaces of the twin, by iptables, in a chain beside kube-proxy's.

The kernel that the twin is made for has no netem, so that no packet can be delayed; one that is too much for a slow
way is dropped instead, which is what a full router does.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from drillbook.ports import Unreachable

if TYPE_CHECKING:
    from collections.abc import Sequence

_HOOKS = ("INPUT", "OUTPUT", "FORWARD")
_WITHIN_S = 30
_LOAD = ("iptables-restore", "--noflush", "-w", "5")


def above(kib_s: int) -> str:
    """Match of what exceeds so many KiB a second between two addresses, twice as many at once; of all when it is 0."""
    if not kib_s:
        return ""
    limit = f"--hashlimit-above {kib_s}kb/s --hashlimit-burst {2 * kib_s}kb"
    return f" -m hashlimit --hashlimit-name drillbook --hashlimit-mode srcip,dstip {limit}"


@dataclass(frozen=True, slots=True)
class PacketFilter:
    """One chain.

    Attributes:
        chain: Its name.
        namespaces: Network namespaces that it is put into.
        dropped: Matches of iptables; what any of them matches is dropped.
    """

    chain: str
    namespaces: tuple[str, ...]
    dropped: tuple[str, ...]

    def put(self) -> None:
        """Into each namespace; idempotent.

        Raises:
            Unreachable: When a namespace is not there, its kernel refuses, or it takes longer than 30 s.
        """
        lines = ["*filter", f":{self.chain} - [0:0]", *(f"-A {self.chain} {match} -j DROP" for match in self.dropped)]
        text = "\n".join([*lines, *(f"-I {hook} 1 -j {self.chain}" for hook in _HOOKS), "COMMIT", ""])
        for namespace in self.namespaces:
            self._clear(namespace)
            _run(namespace, _LOAD, text)

    def clear(self) -> None:
        """Out of each again, however much of it is there.

        Raises:
            Unreachable: When a namespace is not there, its kernel refuses, or it takes longer than 30 s.
        """
        for namespace in self.namespaces:
            self._clear(namespace)

    def _clear(self, namespace: str) -> None:
        there = _run(namespace, ("iptables", "-w", "5", "-S")).splitlines()
        if f"-N {self.chain}" not in there:
            return
        jumps = [line for line in there if line.startswith("-A") and line.endswith(f"-j {self.chain}")]
        left = [line.replace("-A", "-D", 1) for line in jumps]
        text = "\n".join(["*filter", *left, f"-F {self.chain}", f"-X {self.chain}", "COMMIT", ""])
        _run(namespace, _LOAD, text)


def _run(namespace: str, command: Sequence[str], text: str | None = None) -> str:
    try:
        done = subprocess.run(
            ["nsenter", f"--net=/run/netns/{namespace}", *command],
            input=text, text=True, capture_output=True, timeout=_WITHIN_S, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unreachable(f"`{' '.join(command)}` in {namespace} did not come to its end: {error}") from error
    if done.returncode != 0:
        raise Unreachable(f"`{' '.join(command)}` in {namespace} ended with {done.returncode}: {done.stderr.strip()}")
    return done.stdout
