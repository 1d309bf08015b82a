"""Who answered when: the moment of a switch, and how long a bad release was seen."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

import numpy as np

from drillbook.domain.interval import Interval

if TYPE_CHECKING:
    from drillbook.domain.measurement import Window
    from drillbook.domain.requests import Flags, Floats, Requests


Flaw = Literal["errors", "latency"]
"""What a release was found bad for."""


def exposure(requests: Requests, bad: Flags, possible: Flags | None = None) -> Interval:
    """Seconds from the first of the chosen answers to the last; 0 without any.

    The lower bound runs between their finishes. The first may have been given right after the last good answer of
    another was sent for, and the last right before the next one was complete, so the upper bound runs between those.

    Args:
        requests: Answers that name who gave them, and those of `possible`.
        bad: The chosen answers.
        possible: Failures of which nobody knows whose they were. They may all be chosen ones: the upper bound has them.
    """
    either = bad if possible is None else bad | possible
    if not either.any():
        return Interval.exactly(0.0)
    begun_s, ended_s = requests.begun_s(), requests.ended_s()
    good = ~either & ~requests.failed() & (requests.version != "")
    earliest_s, latest_s = float(np.min(begun_s[either])), float(np.max(begun_s[either]))
    before, after = begun_s[good & (begun_s < earliest_s)], ended_s[good & (begun_s > latest_s)]
    start_s = float(np.max(before)) if len(before) else earliest_s
    last_s = float(np.max(ended_s[either]))
    end_s = max(last_s, float(np.min(after))) if len(after) else last_s
    seen_s = float(np.max(ended_s[bad]) - np.min(ended_s[bad])) if bad.any() else 0.0
    return Interval(seen_s, end_s - start_s)


def switched_after(requests: Requests, new: Flags, window: Window, possible: Flags | None = None) -> Interval | None:
    """Seconds from the window's start until all requests are answered as `new`; None without any request.

    The lower bound is the start of the last request that was not, the upper the finish of the first new answer to one
    sent after that. Where it is the last of all, it took longer than was looked.

    Args:
        requests: Those of the window.
        new: The ones that were answered as they all have to be.
        window: Where it was looked.
        possible: Others of which nobody knows whether they would have been: the upper bound alone has them.
    """
    if not len(requests):
        return None
    begun_s = requests.begun_s()
    last_other_s = _last(begun_s[~new])
    last_old_s = last_other_s if possible is None else _last(begun_s[~new & ~possible])
    after_s = requests.done_s[new & (begun_s > last_other_s)]
    low, high = max(0.0, last_old_s - window.start_s), math.inf
    if len(after_s):
        high = max(0.0, float(np.min(after_s)) - window.start_s)
    elif last_old_s == last_other_s:
        low = window.length_s
    return Interval(min(high, low), high)


def _last(begun_s: Floats) -> float:
    return float(np.max(begun_s)) if len(begun_s) else -math.inf
