"""Looks at a database's locks at a stated rate, beside whatever else goes on, and keeps every look."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING

from drillbook.ports import Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from drillbook.domain.migration.locks import Look

_END_WITHIN_S = 10.0


class LockWatch:
    """A thread that looks until it is ended; a look that was not answered is missing from the file, which is a gap."""

    def __init__(
        self, look: Callable[[Callable[[], float]], Look], now: Callable[[], float], file: Path, every_s: float
    ) -> None:
        """Not looking yet.

        Args:
            look: Looks once; told how to tell the time.
            now: Seconds since the epoch on the run's clock.
            file: Where each look becomes a line.
            every_s: Time from the beginning of one look to that of the next.
        """
        self._look, self._now, self._file, self._every_s = look, now, file, every_s
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lock watch", daemon=True)
        self.unanswered: list[str] = []

    def start(self) -> None:
        """Begin to look."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        self._thread.start()

    def end(self) -> None:
        """Look no more; returns once the last look is in the file.

        Raises:
            Unreachable: When the last look does not end.
        """
        self._end.set()
        if self._thread.is_alive():
            self._thread.join(_END_WITHIN_S)
        if self._thread.is_alive():
            raise Unreachable(f"the last look at the locks did not end within {_END_WITHIN_S:g} s")

    def _run(self) -> None:
        due_s = self._now()
        with self._file.open("a", encoding="utf-8") as file:
            while not self._end.is_set():
                try:
                    file.write(f"{json.dumps(self._look(self._now).document())}\n")
                except Unreachable as error:
                    self.unanswered.append(str(error))
                file.flush()
                due_s = max(due_s + self._every_s, self._now() - self._every_s)
                self._end.wait(max(0.0, due_s - self._now()))
