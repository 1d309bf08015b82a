"""Outages as a client lives through them, found in the rows of an open-loop meter.

An outage lasts at most from the start of the last good request before it to the finish of the first good one after it,
and at least from the start of the first failed request to the start of the last. "First good after" is the one that
*finishes* first: a request that was caught in the outage and came through late by TCP's retransmission does not
prolong it.

Requests that are held and come through in the end fail nobody, and yet there was no service meanwhile that anybody saw:
as by a pooler that is paused for a planned switch. Such a stretch is a possible outage, and never a certain one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from drillbook.domain.interval import Interval
from drillbook.domain.measurement import Window

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from drillbook.domain.requests import Flags, Floats, Requests

SILENT_S = 1.0
"""Where nothing that was asked came through for longer, there may have been an outage, though nothing failed.

On two busy cores it was 0.15 s at most in good times (docs/decisions/0005), so that slow answers do not add up to an
outage; a planned switch holds writes for two to three seconds. At the rate of the layers' probes it is five questions.
"""

# How long a request takes in good times is read off so many good ones before an outage.
_NEIGHBOURS = 50


@dataclass(frozen=True, slots=True)
class Outage:
    """One stretch without good service.

    Attributes:
        last_good_s: Start of the last good request before it; minus infinity when there is none.
        first_failed_s: Start of the first failed request; in a possible outage, of the first that failed or was held.
        last_failed_s: Likewise of the last.
        good_again_s: Finish of the first good request after it; infinity when there is none.
        failed: How many requests failed in it, or were held.
        begun_by_s: When it had certainly begun. The first failed request may have been sent shortly before it and have
            been caught by it: it failed by then, or its answer would have come by then in good times.
    """

    last_good_s: float
    first_failed_s: float
    last_failed_s: float
    good_again_s: float
    failed: int
    begun_by_s: float

    @property
    def length(self) -> Interval:
        """Seconds, by the definition above, the lower bound from when it had certainly begun."""
        low = max(0.0, self.last_failed_s - self.begun_by_s)
        return Interval(low, max(low, self.good_again_s - self.last_good_s))

    def overlaps(self, start_s: float, end_s: float) -> bool:
        """Whether a request failed in it from `start_s` up to `end_s`."""
        return self.first_failed_s < end_s and self.last_failed_s >= start_s


def outages(requests: Requests, bad: Flags, ignored: Flags | None = None) -> list[Outage]:
    """Each run of bad requests between good ones, in order of time.

    Args:
        requests: All of one kind of connection.
        bad: Which of them count as failed; all others are good.
        ignored: Those that count as neither.
    """
    start_s = np.where(np.isnan(requests.sent_s), requests.due_s, requests.sent_s)
    if ignored is not None:
        start_s, bad, done_s = start_s[~ignored], bad[~ignored], requests.done_s[~ignored]
    else:
        done_s = requests.done_s
    order = np.argsort(start_s, kind="stable")
    start_s, bad, done_s = start_s[order], bad[order], done_s[order]
    first_finish_s = _first_finish_from(done_s, bad)
    edges = np.flatnonzero(np.diff(np.concatenate(([False], bad, [False])).astype(np.int8)))
    found: list[Outage] = []
    good = np.flatnonzero(~bad)
    for first, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        before = good[: np.searchsorted(good, first)][-_NEIGHBOURS:]
        usual_s = float(np.max(done_s[before] - start_s[before], initial=0.0))
        told_s = float(np.nanmin(np.append(done_s[first:end], np.inf)))
        found.append(
            Outage(
                last_good_s=float(start_s[before[-1]]) if len(before) else -math.inf,
                first_failed_s=float(start_s[first]),
                last_failed_s=float(start_s[end - 1]),
                good_again_s=float(first_finish_s[end]),
                failed=end - first,
                begun_by_s=min(told_s, float(start_s[first]) + usual_s),
            )
        )
    return found


def held(requests: Requests, bad: Flags) -> Flags:
    """Which good requests waited for longer than `SILENT_S` while none that was sent after them came through either.

    A request that is slow while others are answered is not held, and nobody is where nothing was asked.
    """
    result = np.zeros(len(requests), dtype=np.bool_)
    good, again_s = _good_again(requests, bad)
    result[good] = again_s[:-1] - requests.sent_s[good] > SILENT_S
    return result


def possible_outages(requests: Requests, bad: Flags) -> list[Outage]:
    """As `outages`, with requests that were held taken for failed ones."""
    return outages(requests, bad | held(requests, bad))


def merged(found: Iterable[Outage], good_for_s: float) -> list[Outage]:
    """Outages with less than `good_for_s` of good service in between are one: service was not sustained."""
    result: list[Outage] = []
    for outage in found:
        last = result[-1] if result else None
        if last is not None and outage.first_failed_s - last.last_failed_s < good_for_s:
            result[-1] = Outage(
                last.last_good_s,
                last.first_failed_s,
                outage.last_failed_s,
                outage.good_again_s,
                last.failed + outage.failed,
                last.begun_by_s,
            )
        else:
            result.append(outage)
    return result


def longest_gap_s(requests: Requests, bad: Flags, start_s: float, end_s: float) -> float:
    """The longest outage that could hide between good requests in the window: its minimum detectable outage.

    From the start of each good request to the first finish of a good one that was sent after it. The meter's own stalls
    are in it, since they move the starts apart. Where no good request was recorded before the window, or after it, the
    window's edge stands in.
    """
    starts, again_s = _gaps(requests, bad, start_s, end_s)
    return float(np.max(again_s - starts, initial=0.0))


def over_by_s(requests: Requests, bad: Flags, possible: Sequence[Outage], since: Interval, until_s: float) -> float:
    """When at the latest the last outage had ended that came of a fault.

    One that is too short to show may have hidden in any gap between good requests; it is taken to have begun with the
    fault, so it ended by the end of the gap, and no later after the fault than the gap is long.

    Args:
        requests: All of one kind of connection.
        bad: Which of them count as failed.
        possible: What `possible_outages` says, those that touch the time from the fault on.
        since: The fault.
        until_s: End of the watch.
    """
    starts, again_s = _gaps(requests, bad, since.low, until_s)
    unseen_s = float(np.max(np.minimum(again_s, since.high + again_s - starts), initial=since.high))
    return max([unseen_s, *(it.good_again_s for it in possible)])


def longest(certain: Sequence[Outage], possible: Sequence[Outage], gap_s: float) -> Interval:
    """Length of the longest outage in seconds.

    Args:
        certain: Those of failures that the meter cannot have caused.
        possible: Those of all failures. That requests were held is in the gap.
        gap_s: What `longest_gap_s` says: where nothing failed, a shorter outage than that may still have been.
    """
    low = max((outage.length.low for outage in certain), default=0.0)
    high = max((outage.length.high for outage in possible), default=0.0)
    return Interval(low, max(low, high, gap_s))


def total(certain: Sequence[Outage], possible: Sequence[Outage], gap_s: float) -> Interval:
    """Length of all outages together in seconds; what two of them share counts once.

    Args:
        certain: Those of failures that the meter cannot have caused.
        possible: What `possible_outages` says: many short holds are a long time together.
        gap_s: As in `longest`.
    """
    low = sum(outage.length.low for outage in certain)
    high = sum(it.length_s for it in joined(Window(outage.last_good_s, outage.good_again_s) for outage in possible))
    return Interval(low, max(low, high, gap_s))


def joined(stretches: Iterable[Window]) -> list[Window]:
    """The same in order, without overlap."""
    found: list[Window] = []
    for it in sorted(stretches, key=lambda it: it.start_s):
        if found and it.start_s <= found[-1].end_s:
            found[-1] = Window(found[-1].start_s, max(found[-1].end_s, it.end_s))
        else:
            found.append(it)
    return found


def _gaps(requests: Requests, bad: Flags, start_s: float, end_s: float) -> tuple[Floats, Floats]:
    """Starts and ends of the gaps that touch a window, as `longest_gap_s` has them."""
    good, again_s = _good_again(requests, bad)
    starts = np.concatenate(([start_s], requests.sent_s[good]))
    again_s = np.where(np.isinf(again_s), end_s, again_s)
    touching = (starts < end_s) & (again_s > start_s)
    return starts[touching], again_s[touching]


def _good_again(requests: Requests, bad: Flags) -> tuple[NDArray[np.intp], Floats]:
    """The good requests' rows in order of their start; for each, and one past the last, the first finish from it on."""
    good = np.flatnonzero(~bad)
    good = good[np.argsort(requests.sent_s[good], kind="stable")]
    return good, _first_finish_from(requests.done_s[good], np.zeros(len(good), dtype=np.bool_))


def _first_finish_from(done_s: Floats, bad: Flags) -> Floats:
    """For each row, and one past the last, the earliest finish of a good request from there on."""
    finishes = np.append(np.where(bad, np.inf, done_s), np.inf)
    return np.minimum.accumulate(finishes[::-1])[::-1]
