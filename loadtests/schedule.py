"""The open-loop schedule of one meter: its share of a shape, fixed before the first request is sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from drillbook.domain.traffic import Connection

if TYPE_CHECKING:
    from drillbook.domain.shape import Shape

_KINDS = (Connection.NEW, Connection.REUSED)


@dataclass(frozen=True, slots=True)
class Share:
    """Which of a schedule's requests are a meter's own: every so many-th, so that all meters' together are all of it.

    Attributes:
        worker: Which meter it is, from 0.
        workers: How many there are.

    Raises:
        ValueError: When there is no such meter.
    """

    worker: int = 0
    workers: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.worker < self.workers:
            msg = f"of {self.workers} workers there is none with the number {self.worker}"
            raise ValueError(msg)

    def number(self, turn: int) -> int:
        """The place in the whole schedule of its request of this turn, both counted from 0."""
        return turn * self.workers + self.worker

    def connection(self, turn: int) -> Connection:
        """New and reused connections take turns; of an even number of workers, each gets both kinds all the same."""
        return _KINDS[(turn + self.worker) % 2]


@dataclass(frozen=True, slots=True)
class Schedule:
    """When the requests of one meter are due.

    Attributes:
        shape: Of all meters together.
        start_s: When the shape begins: seconds since the epoch, steady clock.
        share: What of it is this meter's.
    """

    shape: Shape
    start_s: float
    share: Share

    def due_s(self, turn: int) -> float | None:
        """When the request of this turn has to be sent; None when there is none."""
        after_s = self.shape.due_at(self.share.number(turn))
        return None if after_s is None else self.start_s + after_s
