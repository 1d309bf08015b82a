"""How a run is stopped: by a signal, or by a thread that has a reason; once, wherever its main thread is."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from types import FrameType

STOPPED = "it was stopped before its end, by Ctrl-C or another signal"
WAS_STOPPED = "the run was stopped: "
"""Begins a drill's doubt; the reason follows."""

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_WAY_BACK = "\nthe platform is being put back; this ends by itself\n"
_OVER = "\nthe run is over; its report is being written\n"


@dataclass(slots=True)
class Stop:
    """Ends what the main thread is doing.

    Attributes:
        reasons: Why, where it was no signal from outside; in the order in which they came.
        told: Whether anything has asked for the end; what is done meanwhile on the way back goes on.
        heeded: Set once the main thread is ending: then nothing more is told to it.
    """

    reasons: list[str] = field(default_factory=list[str])
    told: bool = False
    heeded: bool = False

    def because(self, reason: str) -> bool:
        """End it, from any thread; answers whether this reason is a new one."""
        new = reason not in self.reasons
        if new:
            self.reasons.append(reason)
        # A real signal ends a system call that waits, which `_thread.interrupt_main` does not; and a shell starts what
        # is to run in the background with SIGINT ignored, never with SIGTERM ignored.
        if not self.heeded:
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)
        return new

    @contextlib.contextmanager
    def possible(self) -> Generator[None]:
        """Signals raise KeyboardInterrupt in the main thread; while one is on its way up, further ones only say so."""

        def interrupt(_number: int, _frame: FrameType | None) -> None:
            self.told = True
            if self.heeded or _is_on_its_way_up():
                _say(_WAY_BACK)
            else:
                raise KeyboardInterrupt

        with _handling(interrupt):
            yield

    @contextlib.contextmanager
    def put_off(self) -> Generator[None]:
        """While the platform is put back, a signal says so and is remembered; SIGKILL is what `recover` is for."""

        def wait(_number: int, _frame: FrameType | None) -> None:
            self.told = True
            _say(_WAY_BACK)

        with _handling(wait):
            yield

    def over(self) -> None:
        """Nothing is left that could be ended, to the end of this process: an impatient second signal only says so."""

        def tell(_number: int, _frame: FrameType | None) -> None:
            _say(_OVER)

        for number in _SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, tell)


@contextlib.contextmanager
def _handling(handler: Callable[[int, FrameType | None], None]) -> Generator[None]:
    """SIGHUP that is ignored stays so, which is what `nohup` is for.

    SIGINT is ignored in whatever a script puts into the background, which nobody has asked for: it stops a run as well.
    """
    wanted = [n for n in _SIGNALS if n is not signal.SIGHUP or signal.getsignal(n) is not signal.SIG_IGN]
    before = {number: signal.signal(number, handler) for number in wanted}
    try:
        yield
    finally:
        for number, former in before.items():
            signal.signal(number, former)


def _is_on_its_way_up() -> bool:
    """Whether a KeyboardInterrupt is already being handled: a second one would end the clearing up after the first."""
    error = sys.exc_info()[1]
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__context__
    return error is not None


def _say(text: str) -> None:
    """To whoever still listens: a terminal that is gone must not keep anything from being put back."""
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(text)


def told(error: BaseException) -> str:
    """What ended a scenario before its time."""
    if isinstance(error, KeyboardInterrupt):
        return STOPPED
    return f"{type(error).__name__}: {error}"
