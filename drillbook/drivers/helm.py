"""Releases by the real `helm`, run without a shell and under a deadline.

Helm does not wait for readiness here: the caller does, with a deadline that says what it waits for. A helm that was
killed leaves its release `pending-*`, and every later upgrade is refused; that is repaired before the next one.

Helm reads the kubeconfig anew at each start, so it is told its context by name each time: the file's current one is
whatever somebody has chosen since.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from drillbook.domain.slot_history import Revision
from drillbook.ports import Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

_ASK_S = 20.0
_GRACE_S = 5.0
_HISTORY_SHOWN = 2**31 - 1
"""All of it: what runs may be older than any number of newer revisions that failed. Of 0 helm shows none."""

_PRUNE_NOTHING = "--history-max=0"
"""What of a slot's history goes is its owner's to say; helm's own is to keep the last ten."""

_ERROR_LENGTH = 600
_WAY_BACK = re.compile(r"Rollback to ([0-9]+)")
_FAILED_WAY_BACK = re.compile(r"Rollback .* failed: ", re.DOTALL)
"""How helm describes them; one that failed no longer says where it led, and is gone again."""


def _as_it_was_found() -> None:
    """For those who need not look whether the kubeconfig still leads where it did."""


@dataclass(frozen=True, slots=True)
class HelmReleaser:
    """One Helm release for each slot.

    Attributes:
        chart: Path of the chart.
        namespace: Where the releases live.
        release: Name of a slot's release, with `{slot}` in it.
        deployment: Name of a slot's Deployment, likewise.
        kubeconfig: The cluster's.
        context: Name of the kubeconfig's context.
        values: Values files, in order.
        settings: Values by name, with `{slot}` and `{version}` in them; a number stays a number.
        overrides: Release to further settings; `version` among them is the release's real version.
        program: Name or path of helm.
        leash: Put before the program, so that no helm works on after the process that called it has died.
        see_the_cluster: Called before each start; raises Unreachable when the kubeconfig leads elsewhere by now.
    """

    chart: Path
    namespace: str
    release: str
    deployment: str
    kubeconfig: Path
    context: str
    values: tuple[Path, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict[str, str])
    overrides: Mapping[str, Mapping[str, str]] = field(default_factory=dict[str, dict[str, str]])
    program: str = "helm"
    leash: tuple[str, ...] = ()
    see_the_cluster: Callable[[], None] = _as_it_was_found

    def history(self, slot: str) -> list[Revision]:
        """The slot's revisions, oldest first; ways back that failed are left out.

        Raises:
            Unreachable: When helm or the cluster does not answer.
        """
        return [
            Revision(
                int(entry["revision"]),
                mark=text,
                back_to=int(way[1]) if (way := _WAY_BACK.fullmatch(text)) else 0,
                finished=entry["status"] in {"deployed", "superseded"},
                current=entry["status"] == "deployed",
            )
            for entry in self._history(slot)
            if not _FAILED_WAY_BACK.match(text := str(entry.get("description", "")))
        ]

    def replicas(self, slot: str) -> int | None:
        """How many the slot's current revision asks for; None where it leaves that to others, or there is none.

        Raises:
            Unreachable: When helm or the cluster does not answer, or what it shows are no Kubernetes objects.
        """
        out = self._shown("manifest", slot, "get", "manifest")
        name = self.deployment.format(slot=slot)
        try:
            objects = [found for found in YAML(typ="safe", pure=True).load_all(out or "") if found]
            ours = [it for it in objects if it["kind"] == "Deployment" and it["metadata"]["name"] == name]
            asked = [it["spec"].get("replicas") for it in ours]
            return next((int(number) for number in asked if number is not None), None)
        except (YAMLError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise Unreachable(f"helm's manifest of {self._name(slot)} cannot be read: {error}") from error

    def deploy(self, slot: str, version: str, *, mark: str, deadline_s: float) -> None:
        """Install or upgrade; runs the chart's hooks, and does not wait for readiness.

        Helm writes the mark down together with the result, so that there is no moment in between to die in.

        Raises:
            Unreachable: When helm refuses, or does not end by the deadline.
        """
        self._repair(slot, deadline_s=deadline_s)
        arguments = ["upgrade", "--install", self._name(slot), str(self.chart), _PRUNE_NOTHING]
        arguments += [f"--description={mark}", *(f"--values={path}" for path in self.values)]
        overrides = self.overrides.get(version, {})
        words = {"{slot}": slot, "{version}": overrides.get("version", version)}
        # The release's own settings come last, so that they win.
        for name, template in {**self.settings, **overrides}.items():
            arguments += ["--set", f"{name}={_escaped(_filled(template, words))}"]
        self._run([*arguments, f"--timeout={max(deadline_s, 1):.0f}s"], deadline_s=deadline_s)

    def restore(self, slot: str, revision: int, *, deadline_s: float) -> None:
        """Back to a revision; 0 removes the release. Idempotent.

        Raises:
            Unreachable: When helm refuses, or does not end by the deadline.
        """
        timeout = f"--timeout={max(deadline_s, 1):.0f}s"
        if revision == 0:
            self._run(["uninstall", self._name(slot), "--ignore-not-found", timeout], deadline_s=deadline_s)
            return
        history = self._history(slot)
        if not history:
            raise Unreachable(
                f"helm knows no release {self._name(slot)} in {self.namespace}, so it cannot be taken back to "
                f"revision {revision}; install it again by hand"
            )
        last = history[-1]
        restored = last["revision"] == revision or last.get("description") == f"Rollback to {revision}"
        if not (last["status"] == "deployed" and restored):
            rollback = ["rollback", self._name(slot), str(revision), _PRUNE_NOTHING, timeout]
            self._run(rollback, deadline_s=deadline_s)

    def _repair(self, slot: str, *, deadline_s: float) -> None:
        """Undo what a helm that died in the middle left."""
        history = self._history(slot)
        if not history or not str(history[-1]["status"]).startswith("pending-"):
            return
        # One that failed is superseded too, once a way back from it has failed: what is deployed comes first.
        good = _numbers(history, "deployed") or _numbers(history, "superseded") or [0]
        self.restore(slot, max(good), deadline_s=deadline_s)

    def _history(self, slot: str) -> list[dict[str, Any]]:
        """Revisions of the slot's release, oldest first; none when there is no release."""
        out = self._shown("history", slot, "history", f"--max={_HISTORY_SHOWN}", "--output=json")
        if out is None:
            return []
        try:
            entries: list[dict[str, Any]] = json.loads(out)
            return sorted(entries, key=lambda entry: int(entry["revision"]))
        except (ValueError, KeyError, TypeError) as error:
            raise Unreachable(f"helm's history of {self._name(slot)} cannot be read: {out[:200]!r}") from error

    def _shown(self, what: str, slot: str, *words: str) -> str | None:
        """What helm tells of a slot's release; None when there is no release."""
        code, out, err = self._call([*words, self._name(slot)], _ASK_S)
        if code != 0 and "release: not found" in err:
            return None
        if code != 0:
            raise Unreachable(f"helm cannot show the {what} of {self._name(slot)}: {_sentence(err)}")
        return out

    def _run(self, arguments: Sequence[str], *, deadline_s: float) -> None:
        code, _, err = self._call(arguments, deadline_s)
        if code != 0:
            raise Unreachable(f"`helm {' '.join(arguments[:3])}` ended with {code}: {_sentence(err)}")

    def _call(self, arguments: Sequence[str], deadline_s: float) -> tuple[int, str, str]:
        program = shutil.which(self.program)
        if program is None:
            raise Unreachable(f"the program {self.program!r} is not on the PATH; install Helm 3.14 or newer")
        self.see_the_cluster()
        where = [
            f"--namespace={self.namespace}", f"--kubeconfig={self.kubeconfig}", f"--kube-context={self.context}",
        ]  # fmt: skip
        try:
            # A session of its own: a Ctrl-C at the terminal is the harness' to handle, and helm's children end with it.
            started = subprocess.Popen(
                [*self.leash, program, *arguments, *where], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.PIPE, text=True, start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            raise Unreachable(f"`helm {' '.join(arguments[:3])}` cannot be started: {error.strerror}") from error
        with started as process:
            try:
                out, err = process.communicate(timeout=deadline_s)
            except subprocess.TimeoutExpired as late:
                _end(process)
                raise Unreachable(f"`helm {' '.join(arguments[:3])}` did not end within {deadline_s:.0f} s") from late
            except BaseException:
                _end(process)
                raise
        return process.returncode, out, err

    def _name(self, slot: str) -> str:
        return self.release.format(slot=slot)


def _numbers(history: Sequence[Mapping[str, Any]], status: str) -> list[int]:
    return [int(entry["revision"]) for entry in history if entry["status"] == status]


def _end(process: subprocess.Popen[str]) -> None:
    """Let helm mark its release as failed; kill it when it does not end."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if process.poll() is None:
            os.killpg(process.pid, number)
            try:
                process.communicate(timeout=_GRACE_S)
            except subprocess.TimeoutExpired:
                continue


def _filled(template: str, words: Mapping[str, str]) -> str:
    return re.sub(r"\{slot\}|\{version\}", lambda found: words[found[0]], template)


def _escaped(value: str) -> str:
    """Commas and braces have a meaning in `--set`."""
    return re.sub(r"([\\,{}\[\]])", r"\\\1", value)


def _sentence(text: str) -> str:
    lines = [line for line in text.strip().splitlines() if not line.startswith("WARNING:")]
    return " ".join(lines)[-_ERROR_LENGTH:]
