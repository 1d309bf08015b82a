"""The watchdog: a process of its own that undoes what a run has changed when its runner dies or falls silent.

The runner holds the writing end of a pipe and sends a beat now and then. The kernel closes that end when the runner
dies, however it dies, so the watchdog knows at once; a runner that hangs is known by its silence.
"""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

BEAT_EVERY_S = 1.0
SILENT_S = 15.0
"""A runner that has not sent a beat for this long hangs: it is killed and its changes are undone."""

_BEAT, _DISMISSED = b".", b"q"
_ENDS_WITHIN_S = 15.0


@dataclass(slots=True)
class Watchdog:
    """The runner's side.

    Attributes:
        command: Starts the watchdog's process, but for the pipe's descriptor, which is appended.
        log: Where its output goes.
        restarts: How often it had to be started again, because somebody ended it.
    """

    command: Sequence[str]
    log: Path
    restarts: int = 0
    _process: subprocess.Popen[bytes] | None = None
    _pipe: int = field(default=-1)

    def start(self) -> None:
        """Start it; from now on it waits for beats.

        Raises:
            OSError: When it cannot be started; then nothing may be changed.
        """
        reading, self._pipe = os.pipe()
        os.set_blocking(self._pipe, False)
        try:
            with self.log.open("ab") as log:
                # A session of its own: what ends the runner's terminal or process group leaves the watchdog.
                self._process = subprocess.Popen(
                    [*self.command, str(reading)],
                    stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, pass_fds=(reading,),
                )  # fmt: skip
        finally:
            os.close(reading)

    @property
    def pid(self) -> int:
        """Of its process; 0 when it was not started."""
        return self._process.pid if self._process is not None else 0

    def beat(self) -> None:
        """Say that the runner lives; start the watchdog again when it does not.

        Raises:
            OSError: When it cannot be started again.
        """
        if self._process is None or self._process.poll() is not None:
            self._restart()
        try:
            os.write(self._pipe, _BEAT)
        except BrokenPipeError:
            self._restart()
        except BlockingIOError:
            return  # it is starting up: the pipe holds beats enough

    def dismiss(self) -> None:
        """Tell it that the run has ended in good order, and wait until it is gone; kill it when it stays."""
        if self._process is None:
            return
        with contextlib.suppress(BrokenPipeError, BlockingIOError):
            os.write(self._pipe, _DISMISSED)
        self._close()
        try:
            self._process.wait(_ENDS_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(_ENDS_WITHIN_S)
        self._process = None

    def _restart(self) -> None:
        self._close()
        if self._process is not None:
            self._process.wait(_ENDS_WITHIN_S)
        self.restarts += 1
        self.start()

    def _close(self) -> None:
        if self._pipe >= 0:
            os.close(self._pipe)
            self._pipe = -1


def end_of_runner(pipe: int, *, silent_s: float = SILENT_S) -> str:
    """The watchdog's side: wait for the end of the runner.

    Args:
        pipe: The reading end.
        silent_s: How long it may say nothing.

    Returns:
        Why its changes have to be undone; empty when it has ended in good order.
    """
    heard_s = time.monotonic()
    while True:
        readable, _, _ = select.select([pipe], [], [], max(0.0, heard_s + silent_s - time.monotonic()))
        if not readable:
            return f"the runner has said nothing for {silent_s:g} s"
        said = os.read(pipe, 4096)
        if not said:
            return "the runner has died"
        if _DISMISSED in said:
            return ""
        heard_s = time.monotonic()
