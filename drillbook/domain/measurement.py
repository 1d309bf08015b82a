"""A measurement: an interval with its provenance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from drillbook.domain.interval import Interval


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of time.

    Attributes:
        start_s: Seconds since the epoch on the run's steady clock.
        end_s: Likewise; never before the start.
    """

    start_s: float
    end_s: float

    def __post_init__(self) -> None:
        if not self.start_s <= self.end_s:
            msg = f"a window ends after it starts, and got {self.start_s} to {self.end_s}"
            raise ValueError(msg)

    @property
    def length_s(self) -> float:
        """Seconds from start to end."""
        return self.end_s - self.start_s


@dataclass(frozen=True, slots=True)
class Measurement:
    """What was seen of one quantity.

    Attributes:
        name: The quantity in words.
        interval: Where the true value lies, in `unit`; None when nothing could be measured.
        unit: `s`, `ratio`, `requests`, `events`, `1` ...
        samples: How many observations it rests on.
        window: When they were made.
        source: Who made them: `meter`, `ledger`, `prometheus`, `kubernetes`, `gateway` ...
        doubts: Sentences, each a reason not to trust the data; any makes the verdict INCONCLUSIVE.
        evidence: Paths of the raw data, relative to the run folder.
    """

    name: str
    interval: Interval | None
    unit: str
    samples: int
    window: Window
    source: str
    doubts: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()
