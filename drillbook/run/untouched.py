"""Stands for what a run needs only when it changes something: nobody is locked out, and nothing has to be put back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drillbook.ports import Holder
from drillbook.run.watchdog import Watchdog

if TYPE_CHECKING:
    from pathlib import Path

    from drillbook.run.clock import SteadyClock
    from drillbook.run.folder import RunFolder


class NoLock:
    """Anybody may look."""

    def __init__(self, clock: SteadyClock) -> None:
        """Held by nobody."""
        self._clock = clock
        self._holder: Holder | None = None

    def acquire(self, identity: str, *, wait_s: float) -> Holder:  # noqa: ARG002 - as the port has it
        """At once, whoever else looks."""
        self._holder = Holder(identity, self._clock.now(), 0)
        return self._holder

    def adopt(self, holder: Holder) -> None:
        """Whoever it is."""
        self._holder = holder

    def check(self) -> None:
        """Nobody can take it."""

    def renew(self) -> None:
        """It does not expire."""

    def release(self) -> None:
        """Nobody waits for it."""
        self._holder = None

    def holder(self) -> Holder | None:
        """Ourselves, while we look."""
        return self._holder


class NoWatchdog(Watchdog):
    """There is nothing to undo when the runner dies."""

    def start(self) -> None:
        """Nothing is started."""

    def beat(self) -> None:
        """Nobody listens."""


def no_watchdog(run: RunFolder, _clock: SteadyClock) -> Watchdog:
    """For a run's folder."""
    log: Path = run.path / "watchdog.log"
    return NoWatchdog((), log)
