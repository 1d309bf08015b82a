"""The load of a drill: a process of its own, started, watched and ended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from drillbook.run import leash
from drillbook.run.folder import write_json

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_ENDS_AFTER_S = 30.0
"""Beside the look-up of its writes: for the last answers and for its files."""

READ_BACK_S = 60.0
"""For the look-up of the writes of a minute or two."""


class LoadError(Exception):
    """The load did not start, died or did not end; the text says which and where its log is."""


@dataclass(frozen=True, slots=True)
class Load:
    """A running load.

    Attributes:
        process: Its process, the leader of a process group of its own.
        output: Folder that it writes to.
        called: What it is, for what is said.
    """

    process: subprocess.Popen[bytes]
    output: Path
    called: str = "load"

    @classmethod
    def start(cls, plan: Mapping[str, Any], output: Path, *, module: str = "loadtests", called: str = "load") -> Load:
        """Write the plan and start the process of a module that keeps to the same rules; returns at once."""
        output.mkdir(parents=True, exist_ok=True)
        write_json(output / "plan.json", plan)
        with (output / "load.log").open("ab") as log:
            process = subprocess.Popen(
                leash.command(os.getpid(), module, "--plan", str(output / "plan.json")),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, env=_environment(),
            )  # fmt: skip
        return cls(process, output, called)

    def wait_running(self, *, deadline_s: float) -> None:
        """Wait for the first answer.

        Raises:
            LoadError: When the load ends or stays without an answer.
        """
        self._wait({"running"}, deadline_s, "have its first answer")

    def wait_passed(self, *, deadline_s: float) -> None:
        """Wait until a load whose shape has an end is over; it may still look its writes up.

        Raises:
            LoadError: When it dies or does not come to its end.
        """
        self._wait({"stopping", "reading_back", "done"}, deadline_s, "come to the end of its shape")

    def ask_to_stop(self) -> None:
        """Begin to end it in good order; returns at once."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)

    def stop(self, *, read_back_s: float = READ_BACK_S) -> None:
        """End the load in good order: last answers, read-back, files.

        Args:
            read_back_s: For the read-back, as its plan has it.

        Raises:
            LoadError: When it had died before, or does not end in time; then it is killed.
        """
        self.ask_to_stop()
        deadline_s = read_back_s + _ENDS_AFTER_S
        try:
            code = self.process.wait(deadline_s)
        except subprocess.TimeoutExpired as late:
            self.kill()
            raise LoadError(f"the {self.called} did not end within {deadline_s:.0f} s; see {self._log}") from late
        if code != 0:
            raise LoadError(f"the {self.called} ended with {_meaning(code)} instead of in good order; see {self._log}")

    def kill(self) -> None:
        """End it at once, whatever it is doing."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(10)

    @property
    def phase(self) -> str:
        """What the load says that it is doing; empty before it says anything."""
        path = self.output / "state.json"
        if not path.is_file():
            return ""
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return str(document.get("phase", ""))

    @property
    def alive(self) -> bool:
        """Whether its process runs."""
        return self.process.poll() is None

    @property
    def _log(self) -> Path:
        return self.output / "load.log"

    def _wait(self, phases: set[str], deadline_s: float, what: str) -> None:
        deadline = time.monotonic() + deadline_s
        while self.phase not in phases:
            code = self.process.poll()
            if code is not None:
                raise LoadError(
                    f"the {self.called} ended with {_meaning(code)} before it could {what}; see {self._log}"
                )
            if time.monotonic() > deadline:
                self.kill()
                raise LoadError(f"the {self.called} did not {what} within {deadline_s:g} s; see {self._log}")
            time.sleep(0.05)


def _meaning(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"signal {signal.Signals(-code).name}"


def _environment() -> dict[str, str]:
    """The parent's, without what makes other programs of ours behave differently."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "LOCUST_"))}
