"""The meter's rows as columns: a million requests are judged in a second or two."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Flags = NDArray[np.bool_]
    Texts = NDArray[np.object_]

# Outcomes that a client which does not get to run produces by itself.
_OUR_OWN_DOING = ("timeout", "reset", "cancelled", "unsent")
# A failure may be our own doing when we slept for this share of the time that it took ...
_SLEPT_SHARE = 0.1
# ... and a request that was never sent, when we slept for that share of the time around the moment when it was due.
_BACKLOG_S = 1.0
LATEST_SEND_S = 0.25
"""A request that is later than this, because the meter itself did not run, is no longer sent."""


@dataclass(frozen=True, slots=True)
class Stalls:
    """Windows in which the meter itself did not run, without overlap and in order of time.

    Attributes:
        start_s: Seconds since the epoch, steady clock.
        end_s: Likewise.
    """

    start_s: Floats
    end_s: Floats

    @classmethod
    def of(cls, start_s: Floats, end_s: Floats) -> Stalls:
        """Windows in any order, which may overlap."""
        order = np.argsort(start_s, kind="stable")
        starts, ends = start_s[order], np.maximum.accumulate(end_s[order]) if len(order) else end_s
        opens = np.ones(len(starts), dtype=np.bool_)
        opens[1:] = starts[1:] > ends[:-1]
        closes = np.append(opens[1:], True)[: len(starts)]
        return cls(starts[opens], ends[closes])

    def within(self, start_s: Floats, end_s: Floats) -> Floats:
        """For each pair, how many seconds of it were stalled; NaN where a bound is NaN."""
        return self._until(end_s) - self._until(start_s)

    def _until(self, time_s: Floats) -> Floats:
        """Seconds stalled before each time."""
        before = np.concatenate(([0.0], np.cumsum(self.end_s - self.start_s)))
        number = np.searchsorted(self.start_s, time_s, side="right")
        ends = np.concatenate(([-np.inf], self.end_s))[number]
        stalled = before[number] - np.maximum(0.0, ends - time_s)
        return np.where(np.isnan(time_s), np.nan, stalled)


@dataclass(frozen=True, slots=True)
class Requests:
    """Requests of one kind of connection, or of both, in order of the time they were due.

    Attributes:
        due_s: When they had to be sent: seconds since the epoch, steady clock.
        sent_s: When they were; NaN for the unsent.
        done_s: When the answer or the error was complete; NaN for the unsent.
        outcome: Values of `Outcome`.
        version: Who answered, empty without an answer.
        slot: Likewise.
        region: Likewise.
    """

    due_s: Floats
    sent_s: Floats
    done_s: Floats
    outcome: Texts
    version: Texts
    slot: Texts
    region: Texts

    def __len__(self) -> int:
        """How many."""
        return len(self.due_s)

    def chosen(self, mask: Flags) -> Requests:
        """Those for which `mask` is true."""
        return Requests(
            self.due_s[mask],
            self.sent_s[mask],
            self.done_s[mask],
            self.outcome[mask],
            self.version[mask],
            self.slot[mask],
            self.region[mask],
        )

    def joined(self, others: Requests) -> Requests:
        """These and the others, in order of the time they were due."""
        order = np.argsort(np.concatenate([self.due_s, others.due_s]), kind="stable")
        columns = (np.concatenate([getattr(it, name) for it in (self, others)]) for name in self.__dataclass_fields__)
        return Requests(*(column[order] for column in columns))

    def due_within(self, start_s: float, end_s: float) -> Requests:
        """Those due from `start_s` up to, and not at, `end_s`."""
        return self.chosen((self.due_s >= start_s) & (self.due_s < end_s))

    def begun_s(self) -> Floats:
        """When they were sent; of the unsent, when they had to be."""
        return np.where(np.isnan(self.sent_s), self.due_s, self.sent_s)

    def ended_s(self) -> Floats:
        """When they were done; of the unsent, when they had to be sent."""
        return np.where(np.isnan(self.done_s), self.due_s, self.done_s)

    def failed(self) -> Flags:
        """Whatever did not end well, the unsent among them."""
        return self.outcome != "ok"

    def doubtful(self, stalls: Stalls) -> Flags:
        """Failures that the meter may have caused by not running.

        A refusal, a 5xx or a wrong answer was said by the system whatever we did; a timeout, a reset, a cancelled or an
        unsent request may come of our own sleep; what we were unable to send is our own doing.
        """
        suspect = np.isin(self.outcome.astype(str), _OUR_OWN_DOING)
        slept_s = stalls.within(self.due_s, self.done_s)
        slept_long = slept_s >= _SLEPT_SHARE * np.maximum(self.done_s - self.due_s, 1e-9)
        never = np.isnan(self.done_s)
        slept_around = stalls.within(self.due_s - _BACKLOG_S, self.due_s + LATEST_SEND_S)
        slept = suspect & np.where(never, slept_around >= _SLEPT_SHARE * _BACKLOG_S, slept_long)
        return slept | (self.outcome == "unable")

    def latency_s(self) -> Floats:
        """From due to done; infinite for what failed."""
        return np.where(self.failed(), np.inf, self.done_s - self.due_s)
