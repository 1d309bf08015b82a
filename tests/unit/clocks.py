"""Time in tests."""

from __future__ import annotations


class Clock:
    """Moves when somebody waits."""

    now_s = 1000.0

    def now(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds
