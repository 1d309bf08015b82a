"""The run's steady clock, as the load reads it from its plan."""

from __future__ import annotations

import time
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SteadyClock:
    """Wall time at one moment, carried on by CLOCK_MONOTONIC: jumps of the wall clock do nothing.

    Attributes:
        wall_s: Seconds since the epoch at the anchor.
        monotonic_s: CLOCK_MONOTONIC at the anchor; the same for all processes of a machine.
    """

    wall_s: float
    monotonic_s: float

    @classmethod
    def starting_now(cls) -> SteadyClock:
        """A clock of one's own, for a load that runs alone."""
        return cls(time.time(), time.monotonic())

    def now(self) -> float:
        """Seconds since the epoch."""
        return self.wall_s + (time.monotonic() - self.monotonic_s)
