"""Looks at a database's locks at a stated rate, beside whatever else goes on, and keeps every look.

`python -m drillbook.drivers.lock_watch` is a process that does nothing else: as a thread of an experiment it waited for
the experiment's other threads, and what it missed meanwhile nobody can tell. It gets the database by its standard
input, ends once that is closed, and is on the leash of whoever starts it.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
import threading
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from drillbook.domain.migration.settings import Table
from drillbook.drivers.migrated_database import MigratedDatabase
from drillbook.ports import Unreachable
from drillbook.run import leash
from drillbook.run.clock import SteadyClock

if TYPE_CHECKING:
    from collections.abc import Callable

    from drillbook.domain.migration.locks import Look

_END_WITHIN_S = 10.0
_BEGINS_WITHIN_S = 30.0
_TOLD_AT_MOST = 20
_LOOKED = "looked"


@dataclass(slots=True)
class LockWatch:
    """A process that looks until it is ended; a look that was not answered is missing from the file, which is a gap.

    Attributes:
        database: What is looked at.
        clock: The run's.
        file: Where each look becomes a line.
        every_s: Time from the beginning of one look to that of the next.
        unanswered: Why the first looks that were not answered were not; known once it has ended.
    """

    database: MigratedDatabase
    clock: SteadyClock
    file: Path
    every_s: float
    unanswered: list[str] = field(default_factory=list[str])
    _process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Begin to look; returns once the first look was tried.

        Raises:
            Unreachable: When the process does not get so far.
        """
        self.file.parent.mkdir(parents=True, exist_ok=True)
        self._process = subprocess.Popen(
            leash.command(os.getpid(), "drillbook.drivers.lock_watch"), text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, **self.clock.as_environment()},
        )  # fmt: skip
        assert self._process.stdin is not None  # noqa: S101 - asked for two lines above
        told = {
            "address": self.database.address, "password": self.database.password(),
            "table": asdict(self.database.table), "progress": self.database.progress,
            "file": str(self.file.absolute()), "every_s": self.every_s,
        }  # fmt: skip
        with contextlib.suppress(BrokenPipeError):  # it has ended, as is told below
            self._process.stdin.write(f"{json.dumps(told)}\n")
            self._process.stdin.flush()
        self._await_the_first_look(self._process)

    def _await_the_first_look(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None  # noqa: S101 - asked for where it was started
        ready, _, _ = select.select([process.stdout], [], [], _BEGINS_WITHIN_S)
        if not ready:
            process.kill()
        if not ready or process.stdout.readline().strip() != _LOOKED:
            self._process = None
            process.communicate()
            raise Unreachable(
                f"who looks at the locks did not begin within {_BEGINS_WITHIN_S:g} s, and ended with "
                f"{process.returncode}: see its error above"
            )

    def end(self) -> None:
        """Look no more; returns once the last look is in the file. Idempotent.

        Raises:
            Unreachable: When the last look does not end, or the process failed.
        """
        process, self._process = self._process, None
        if process is None:
            return
        try:
            said, _ = process.communicate(timeout=_END_WITHIN_S)
        except subprocess.TimeoutExpired as error:
            process.kill()
            process.wait()
            raise Unreachable(f"the last look at the locks did not end within {_END_WITHIN_S:g} s") from error
        self.unanswered += said.splitlines()
        if process.returncode:
            raise Unreachable(f"who looked at the locks ended with {process.returncode}: see its error above")


def watch(
    look: Callable[[], Look],
    clock: SteadyClock,
    file: Path,
    every_s: float,
    *,
    end: threading.Event,
    looked: Callable[[], None],
) -> list[str]:
    """Look until told to end, and say when the first look was tried.

    Returns:
        Why the first looks that were not answered were not.
    """
    unanswered: list[str] = []
    begun = False
    due_s = clock.now()
    with file.open("a", encoding="utf-8") as kept:
        while not end.is_set():
            try:
                kept.write(f"{json.dumps(look().document())}\n")
            except Unreachable as error:
                if len(unanswered) < _TOLD_AT_MOST:
                    unanswered.append(" ".join(str(error).split()))
            kept.flush()
            if not begun:
                begun = True
                looked()
            due_s = max(due_s + every_s, clock.now() - every_s)
            end.wait(max(0.0, due_s - clock.now()))
    return unanswered


def main() -> None:
    """Look at what the standard input names until it is closed; the reasons of missing looks go to the output."""
    told: dict[str, Any] = json.loads(sys.stdin.readline())
    clock, end = SteadyClock.from_environment(), threading.Event()
    columns: list[str] = told["table"].pop("columns")
    table = Table(columns=tuple(columns), **told["table"])
    database = MigratedDatabase(told["address"], lambda: str(told["password"]), table, told["progress"])

    def until_closed() -> None:
        sys.stdin.read()
        end.set()

    threading.Thread(target=until_closed, name="until closed", daemon=True).start()
    # On a machine that it shares, it goes first, where it may: it needs little, and what it misses is not known.
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    unanswered = watch(
        lambda: database.look(clock.now), clock, Path(told["file"]), told["every_s"], end=end, looked=_say_looked
    )
    database.stop_looking()
    sys.stdout.writelines(f"{text}\n" for text in unanswered)


def _say_looked() -> None:
    sys.stdout.write(f"{_LOOKED}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
