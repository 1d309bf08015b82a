"""What nodes have kept of images that have changed since: a tag names what was pulled first, for as long as it is kept.

An image whose sources were changed is sent to the registry under the same tag. Pods that start take what their node has
under it, so that without this a twin that is brought up again would go on drilling the older sources.
"""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from drillbook.twin import machines
from drillbook.twin.kubectl import ClusterError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from drillbook.twin.images import BuiltImage
    from drillbook.twin.layout import Machine

_CTR = ("ctr", "--namespace=k8s.io", "images")
_WITHIN_S = 30.0


def forget(machine: Machine, images: Iterable[BuiltImage]) -> list[str]:
    """Let a node forget those that it has otherwise under their tags; pods that start fetch them anew.

    What runs goes on running. Answers the references that were forgotten.

    Raises:
        ClusterError: When the node's containerd does not do so.
    """
    wanted = {built.reference: built.layout.digest for built in images}
    old = stale(_ctr(machine, "list"), wanted)
    if old:
        _ctr(machine, "remove", *old)
    return old


def stale(listed: str, wanted: Mapping[str, str]) -> list[str]:
    """References with another digest than wanted.

    Args:
        listed: What `ctr images list` prints: reference, media type, digest and more, below a line of titles.
        wanted: Reference to digest.
    """
    rows = [line.split() for line in listed.splitlines()[1:]]
    kept = {row[0]: row[2] for row in rows}
    return sorted(it for it, digest in wanted.items() if it in kept and kept[it] != digest)


def _ctr(machine: Machine, *arguments: str) -> str:
    command = machines.enter_command(machine, [*_CTR, *arguments])
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_WITHIN_S, check=False)
    except subprocess.TimeoutExpired as late:
        raise ClusterError(f"the containerd of {machine.name} did not answer within {_WITHIN_S:g} s") from late
    if done.returncode != 0:
        raise ClusterError(f"the containerd of {machine.name} refused {arguments[0]}: {done.stderr.strip()}")
    return done.stdout
