"""The run's steady clock: wall time at the start, then the kernel's monotonic clock, which nobody can set."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

VARIABLE = "DRILLBOOK_CLOCK"
"""Environment variable by which all processes of a run share one anchor."""


@dataclass(frozen=True, slots=True)
class SteadyClock:
    """Wall time that never jumps.

    Attributes:
        wall_s: Seconds since the epoch at the anchor.
        monotonic_s: CLOCK_MONOTONIC at the anchor; one clock for all processes of a machine.
    """

    wall_s: float
    monotonic_s: float

    @classmethod
    def starting_now(cls) -> SteadyClock:
        """Anchored at this moment."""
        return cls(time.time(), time.monotonic())

    @classmethod
    def from_environment(cls) -> SteadyClock:
        """The run's clock, as its parent process handed it down; a new one when there is no run."""
        text = os.environ.get(VARIABLE)
        return cls.parse(text) if text is not None else cls.starting_now()

    @classmethod
    def parse(cls, text: str) -> SteadyClock:
        """From what `str` made of a clock."""
        wall, _, monotonic = text.partition(":")
        return cls(float(wall), float(monotonic))

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> SteadyClock:
        """From what `as_document` made of a clock."""
        return cls(float(document["wall_s"]), float(document["monotonic_s"]))

    def as_document(self) -> dict[str, float]:
        """Both readings of the anchor, for the file that a process beside the run reads."""
        return {"wall_s": self.wall_s, "monotonic_s": self.monotonic_s}

    def __str__(self) -> str:
        """Both readings of the anchor, exactly."""
        return f"{self.wall_s!r}:{self.monotonic_s!r}"

    def as_environment(self) -> dict[str, str]:
        """What a child process needs to share this clock."""
        return {VARIABLE: str(self)}

    def now(self) -> float:
        """Seconds since the epoch."""
        return self.wall_s + (time.monotonic() - self.monotonic_s)

    def sleep(self, seconds: float) -> None:
        """Wait, for pacing a poll."""
        time.sleep(seconds)
