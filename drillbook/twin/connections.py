"""What the kernel knows of connections through a machine of the twin, which outlives the machine's processes."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from drillbook.twin.layout import Machine

_WITHIN_S = 20.0
_UNANSWERED_S = 5
"""For how long a connection is led where nobody has answered; Linux' own is 120 s, see docs/decisions/0002."""


class NotForgotten(Exception):
    """The kernel did not do it; the text has its answer."""


def forget(machine: Machine) -> None:
    """As a kernel that has just booted: no translation of addresses, and no connection that was translated.

    Whoever asks before kube-proxy has made its rules anew would be led by the old ones, to pods that are gone.

    Raises:
        NotForgotten: When the kernel does not do it.
    """
    _run(machine, ["iptables-restore", "-w", "5"], "*nat\nCOMMIT\n")
    _run(machine, ["conntrack", "--flush"])
    _run(machine, ["sysctl", "-qw", f"net.netfilter.nf_conntrack_tcp_timeout_syn_sent={_UNANSWERED_S}"])


def _run(machine: Machine, command: list[str], text: str = "") -> None:
    done = subprocess.run(
        ["nsenter", f"--net=/run/netns/{machine.namespace}", *command],
        input=text, capture_output=True, text=True, timeout=_WITHIN_S, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        msg = f"`{' '.join(command)}` for machine {machine.name} ended with {done.returncode}: {done.stderr.strip()}"
        raise NotForgotten(msg)
