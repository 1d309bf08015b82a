"""The meter watches itself: windows in which its own scheduler was late (after jHiccup).

A greenlet sleeps for a moment and looks how late it wakes: what made it late made requests late too. A native thread
does the same, so that a window seen by both can be told (the process had no CPU) from one seen by the greenlet alone
(the event loop was busy).
"""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING

import gevent
import numpy as np
from gevent import monkey

from drillbook.domain.requests import Stalls

if TYPE_CHECKING:
    from loadtests.clock import SteadyClock
    from loadtests.columns import Columns

_LATE_S = 0.010
_GREENLET_NAP_S = 0.003
_THREAD_NAP_S = 0.005
_REMEMBERED = 1000
"""Stalls that are kept at hand: more than the longest request can have lived through."""


class StallMonitor:
    """Writes a row for each window in which a nap of milliseconds ended more than 10 ms late."""

    def __init__(self, clock: SteadyClock, stalls: Columns) -> None:
        """Nothing runs until `start`."""
        self._clock = clock
        self._stalls = stalls
        self._watching = False
        self._recent: deque[tuple[float, float]] = deque(maxlen=_REMEMBERED)
        self._awake_s = 0.0

    def start(self) -> None:
        """Watch until `stop`."""
        self._watching = True
        self._awake_s = time.monotonic()
        gevent.spawn(self._watch, gevent.sleep, _GREENLET_NAP_S, "scheduler")
        start_thread = monkey.get_original("_thread", "start_new_thread")
        start_thread(self._watch, (monkey.get_original("time", "sleep"), _THREAD_NAP_S, "process"))

    def stop(self) -> None:
        """Both watchers end with their current nap."""
        self._watching = False

    def recent(self) -> Stalls:
        """The last ones, with the one that ends just now: whoever asks may wake before the watcher does."""
        now_s, offset_s = time.monotonic(), self._clock.wall_s - self._clock.monotonic_s
        found = list(self._recent)
        if self._watching and now_s - self._awake_s > _GREENLET_NAP_S + _LATE_S:
            found.append((offset_s + self._awake_s + _GREENLET_NAP_S, offset_s + now_s))
        return Stalls.of(np.array([start_s for start_s, _ in found]), np.array([end_s for _, end_s in found]))

    def _watch(self, nap: object, nap_s: float, seen_by: str) -> None:
        assert callable(nap)  # noqa: S101 - for the type checker
        before_s = time.monotonic()
        while self._watching:
            nap(nap_s)
            after_s = time.monotonic()
            if after_s - before_s > nap_s + _LATE_S:
                offset_s = self._clock.wall_s - self._clock.monotonic_s
                self._stalls.add((offset_s + before_s + nap_s, offset_s + after_s, seen_by))
                self._recent.append((offset_s + before_s + nap_s, offset_s + after_s))
            if seen_by == "scheduler":
                self._awake_s = after_s
            before_s = after_s
