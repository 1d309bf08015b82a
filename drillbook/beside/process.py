"""What processes beside a drill have in common: they say how far they are, do what is due, and end when told to."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import psycopg

from drillbook.run.folder import write_json

if TYPE_CHECKING:
    from pathlib import Path

    from psycopg import AsyncConnection

    from drillbook.run.clock import SteadyClock

_ERROR_LENGTH = 200


@dataclass(slots=True)
class Companion:
    """This process, as who started it knows it.

    Attributes:
        output: Folder of `state.json`.
        clock: The run's.
    """

    output: Path
    clock: SteadyClock
    _stop: asyncio.Event = field(default_factory=asyncio.Event)
    _given_up: set[asyncio.Task[Any]] = field(default_factory=set[asyncio.Task[Any]])

    def begin(self) -> None:
        """From now on it ends when it is told to, by SIGTERM or SIGINT, and not at once."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        self.enter("starting")

    def enter(self, phase: str) -> None:
        """Say in `state.json` how far it is: `starting`, `running` or `done`."""
        document = {"phase": phase, "since_s": self.clock.now(), "pid": os.getpid()}
        write_json(self.output / "state.json", document)

    async def is_due(self, due_s: float) -> bool:
        """Wait until then; False when it is told to end before."""
        early_s = max(0.0, due_s - self.clock.now())
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stop.wait(), early_s)
        return not self._stop.is_set()

    async def is_done(self, asking: asyncio.Task[Any], within_s: float) -> bool:
        """Wait for a question so long; False when it is given up.

        To be rid of it may take longer, and nobody waits for that: psycopg asks the server to cancel.
        """
        await asyncio.wait({asking}, timeout=within_s)
        if asking.done():
            return True
        asking.cancel()
        self._given_up.add(asking)
        asking.add_done_callback(self._given_up.discard)
        return False


async def drop(connection: AsyncConnection[Any] | None) -> None:
    """Close whatever is left of it."""
    if connection is not None:
        with contextlib.suppress(psycopg.Error, OSError):
            await connection.close()


def in_one_line(text: str) -> str:
    """What somebody answered, for a line of a record: at most 200 characters."""
    return " ".join(text.split())[:_ERROR_LENGTH]
