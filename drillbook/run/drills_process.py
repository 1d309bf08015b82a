"""The process that drills, as whoever starts it sees it: what it is told by signals, and which folder its run has."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from types import FrameType


@dataclass(frozen=True, slots=True)
class Begun:
    """A pipe by which the drills' process says which folder its run has.

    Attributes:
        read_end: File descriptor, which is never waited at.
        write_end: Likewise; the process inherits it.
    """

    read_end: int
    write_end: int

    def folder(self) -> Path | None:
        """As far as it has said; None when no run was begun."""
        try:
            said = os.read(self.read_end, 4096)
        except BlockingIOError:
            return None
        return Path(os.fsdecode(said)) if said else None


@contextlib.contextmanager
def begun_run() -> Generator[Begun]:
    """A pipe for one process; what keeps it open longer than that holds nobody up."""
    read_end, write_end = os.pipe()
    os.set_blocking(read_end, False)
    try:
        yield Begun(read_end, write_end)
    finally:
        os.close(read_end)
        os.close(write_end)


def run(command: Sequence[str], folder: Path, begun: Begun) -> int:
    """Run it; a signal that would end this process goes to the child, which undoes, ends, and is waited for.

    Args:
        command: And its arguments, to which `--begun` is added.
        folder: Where.
        begun: Told the run's folder.

    Returns:
        Its exit code.
    """
    told: list[int] = []
    children: list[subprocess.Popen[bytes]] = []

    def forward(number: int, _frame: FrameType | None) -> None:
        told.append(number)
        for child in children:
            child.send_signal(number)

    # A terminal's Ctrl-C reaches the child as well; it takes the second for what it is.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if number is not signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, forward)
    command = [*command, f"--begun={begun.write_end}"]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, cwd=folder, env=environment, pass_fds=(begun.write_end,)) as process:
        children.append(process)
        for number in told:
            process.send_signal(number)
        return process.wait()
