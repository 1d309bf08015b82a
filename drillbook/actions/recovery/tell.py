"""Telling people what a recovery does, as its communication plan says. A recovery never waits for more than this."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from drillbook.domain.communication import AUDIENCES
from drillbook.ports import Observation, Unreachable
from drillbook.run.action import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from drillbook.domain.communication import Notice
    from drillbook.ports import Clock

_ARRIVES_WITHIN_S = 10.0


class Channel(Protocol):
    """Where an audience is told."""

    def send(self, text: str) -> None:
        """Tell; raises Unreachable when it was not taken."""
        ...


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of a notice.

    Attributes:
        accepted: Whether its channel took it.
        arrived: Whether the receiver said that it has it; None where no receiver can be asked.
        text: In words.
        at_s: When it was taken, or was not; seconds since the epoch on the run's clock.
    """

    accepted: bool
    arrived: bool | None
    text: str
    at_s: float


@dataclass(frozen=True, slots=True)
class Teller:
    """Sends notices.

    Attributes:
        channels: Audience to what reaches its channel.
        clock: The run's.
        received: The texts that the receiver has; None where it cannot be asked.
    """

    channels: Mapping[str, Callable[[], Channel]]
    clock: Clock
    received: Callable[[], frozenset[str]] | None = None

    def tell(self, notice: Notice, text: str) -> Sent:
        """Send one; what goes wrong is in the answer."""
        who = AUDIENCES[notice.audience]
        if notice.audience not in self.channels:
            return Sent(False, None, f"{who} was not told: nobody has said where", self.clock.now())
        try:
            self.channels[notice.audience]().send(text)
        except Unreachable as error:
            return Sent(False, None, f"{who} was not told: {error}", self.clock.now())
        at_s = self.clock.now()
        if self.received is None:
            return Sent(True, None, f"{who} was told: {notice.text}", at_s)
        seen = wait_for(lambda: self._arrived(text), self.clock, deadline_s=_ARRIVES_WITHIN_S, pace_s=0.2)
        words = f"{who} was told, and {seen.text}: {notice.text}"
        return Sent(True, seen.holds, words, at_s)

    def _arrived(self, text: str) -> Observation:
        arrived = self.received is not None and text in self.received()
        return Observation(arrived, "it arrived" if arrived else "it did not arrive", self.clock.now())
