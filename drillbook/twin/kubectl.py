"""Declares objects in a region's cluster and waits for them, with the twin's own kubectl."""

from __future__ import annotations

import json
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from drillbook.twin.errors import TwinError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

_COMMAND_TIMEOUT_S = 60.0
_WARNINGS = 5


class ClusterError(TwinError):
    """A cluster did not do as asked, or not in time."""


@dataclass(frozen=True, slots=True)
class Kubectl:
    """kubectl as the administrator of one region; to be used inside the twin's network.

    Attributes:
        program: Path of kubectl.
        kubeconfig: Whose cluster; the file is called as its region.
    """

    program: Path
    kubeconfig: Path

    def apply(self, objects: Sequence[Mapping[str, Any]]) -> None:
        """Server-side apply."""
        text = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)})
        self.run("apply", "--server-side", "--force-conflicts", "-f", "-", text=text)

    def apply_files(self, paths: Sequence[Path]) -> None:
        """Server-side apply of manifests."""
        self.run("apply", "--server-side", "--force-conflicts", *(f"--filename={path}" for path in paths))

    def get(self, *arguments: str) -> dict[str, Any]:
        """Objects as the API has them."""
        found: dict[str, Any] = json.loads(self.run("get", *arguments, "--output=json"))
        return found

    def run(self, *arguments: str, text: str | None = None) -> str:
        """Any kubectl command.

        Raises:
            ClusterError: When it ends with another code than 0, or not in a minute.
        """
        command = [str(self.program), f"--kubeconfig={self.kubeconfig}", *arguments]
        try:
            done = subprocess.run(
                command, input=text, text=True, capture_output=True, timeout=_COMMAND_TIMEOUT_S, check=False
            )
        except subprocess.TimeoutExpired as late:
            msg = f"`kubectl {' '.join(arguments)}` did not end in {_COMMAND_TIMEOUT_S:.0f} s"
            raise ClusterError(msg) from late
        if done.returncode != 0:
            msg = f"`kubectl {' '.join(arguments)}` ended with {done.returncode}: {done.stderr.strip()}"
            raise ClusterError(msg)
        return done.stdout

    def warnings(self, namespace: str) -> str:
        """The last of what a namespace's events warn of, or why they cannot be read."""
        which = ("--field-selector=type=Warning", "--sort-by=.lastTimestamp")
        try:
            events = self.get("events", f"--namespace={namespace}", *which)["items"]
        except ClusterError as error:
            return str(error)
        told = [f"{event['involvedObject'].get('name')}: {event.get('message')}" for event in events]
        return " / ".join(told[-_WARNINGS:]) or "nothing"

    def wait_nodes(self, names: Sequence[str], *, deadline_s: float) -> None:
        """Wait until these nodes are ready."""

        def missing() -> str:
            ready = {node["metadata"]["name"] for node in self.get("nodes")["items"] if _is_ready(node)}
            absent = sorted(set(names) - ready)
            return f"nodes {', '.join(absent)} are not ready" if absent else ""

        wait_until(missing, deadline_s=deadline_s)

    def wait_pods(self, namespace: str, *, deadline_s: float) -> None:
        """Wait until every pod of a namespace is ready or done, and there is one.

        Raises:
            ClusterError: When it is not so at the deadline; it tells the last of what the cluster warns of, too.
        """

        def missing() -> str:
            pods = self.get("pods", f"--namespace={namespace}")["items"]
            if not pods:
                return f"namespace {namespace} of {self.kubeconfig.stem} has no pods"
            late = [_state(pod) for pod in pods if not (_is_ready(pod) or pod["status"].get("phase") == "Succeeded")]
            return f"in {self.kubeconfig.stem}, {namespace}: {'; '.join(late)}" if late else ""

        try:
            wait_until(missing, deadline_s=deadline_s)
        except ClusterError as error:
            msg = f"{error}; the cluster warns of {self.warnings(namespace)}"
            raise ClusterError(msg) from error


def wait_until(missing: Callable[[], str], *, deadline_s: float, pace_s: float = 0.3) -> None:
    """Ask until nothing is missing; `missing` answers what still is, in words.

    Raises:
        ClusterError: When something is still missing at the deadline.
    """
    deadline = time.monotonic() + deadline_s
    while True:
        try:
            lacking = missing()
        except ClusterError as error:
            lacking = str(error)
        if not lacking:
            return
        if time.monotonic() > deadline:
            msg = f"after {deadline_s:.0f} s, {lacking}"
            raise ClusterError(msg)
        time.sleep(pace_s)


def _is_ready(thing: Mapping[str, Any]) -> bool:
    conditions = thing["status"].get("conditions", [])
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def _state(pod: Mapping[str, Any]) -> str:
    """A pod's name with the reason for which it is not ready."""
    statuses = [*pod["status"].get("initContainerStatuses", []), *pod["status"].get("containerStatuses", [])]
    reasons = [
        f"{status['name']} {kind} {detail.get('reason', '')} {detail.get('message', '')}".strip()
        for status in statuses
        for kind, detail in status.get("state", {}).items()
        if not status.get("ready")
    ]
    why = (", ".join(reasons) or "its containers are ready") if statuses else _before_containers(pod)
    return f"pod {pod['metadata']['name']} is {pod['status'].get('phase')} ({why})"


def _before_containers(pod: Mapping[str, Any]) -> str:
    """Why a pod of which its node has told nothing yet has not started."""
    if node := pod["spec"].get("nodeName"):
        return f"scheduled to {node}, whose kubelet has told nothing of it"
    told = [it.get("message") for it in pod["status"].get("conditions", []) if it["type"] == "PodScheduled"]
    return f"not scheduled: {', '.join(filter(None, told)) or 'the scheduler has told nothing of it'}"
