"""How long a disaster kept users waiting: the recovery time (RTO), as a whole and in stages.

It runs from the fault, not from its detection, to sustained good service on the clients' real path. Service is
sustained when no request fails for a stated time and requests were watched that long; a later failure is a relapse, and
whether it belongs to the recovery is not known: the lower bound ends with the first outage, the upper with the last.
Writes that were held and came through in the end may have been an outage; it is in the upper bound only.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from drillbook.domain import outage
from drillbook.domain.interval import Interval
from drillbook.domain.measurement import Measurement, Window

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from drillbook.domain.outage import Outage
    from drillbook.domain.requests import Flags, Requests

SUSTAINED_S = 30.0
"""For so long nothing fails in service that is sustained, unless a drill says otherwise: the time to live of its name,
so that every client has asked anew for the address."""

STAGES = ("detect", "decide", "fence", "promote", "repoint", "dns")
"""Each ends with a moment of the timeline; what follows until clients are served is `warm-up`."""

STAGES_OF_RESTORE = ("detect", "decide", "restore")
"""Likewise, where users wait for a restore: it takes in all from its machine's start to what it puts back."""

WARM_UP = "warm-up"


@dataclass(frozen=True, slots=True)
class RecoveryTime:
    """From a fault to sustained good service.

    Attributes:
        length: Seconds; unbounded above when service did not come back, or was not watched for long enough.
        again: When service was good again: seconds since the epoch, from the start of the last failed request to the
            finish of the first good one after all that failed or were held; from the fault itself when nothing failed.
        outages: Possible ones, parted by sustained service, in order of time: the first is the fault's, the others are
            relapses.
        sustained_s: For so long service had to be good.
        watched_s: For so long it was seen to be, at the end.
    """

    length: Interval
    again: Interval
    outages: tuple[Outage, ...]
    sustained_s: float
    watched_s: float


@dataclass(frozen=True, slots=True)
class Stage:
    """A part of the recovery time.

    Attributes:
        name: One of `STAGES` or `WARM_UP`; several, joined by ` + `, where the moments between them are not known.
        start: When it began: seconds since the epoch.
        end: When it ended, likewise.
        length: Seconds that it added to the recovery time: nothing when it ended before the stage before it did.
    """

    name: str
    start: Interval
    end: Interval
    length: Interval


def recovery_time(
    requests: Requests,
    bad: Flags,
    doubtful: Flags,
    *,
    fault: Interval,
    until_s: float,
    sustained_s: float = SUSTAINED_S,
) -> RecoveryTime:
    """Find the recovery in the rows of the meter.

    Args:
        requests: Writes of one kind of connection, from before the fault on.
        bad: Which failed; a write that was acknowledged after the fault and lost failed too.
        doubtful: Which of them the meter may have failed itself.
        fault: When it happened: seconds since the epoch on the meter's clock.
        until_s: End of the watch, on that clock: before the next fault or the way back.
        sustained_s: For so long nothing may fail or be held.
    """
    ignored = bad & doubtful
    certain = _touching(outage.outages(requests, bad, ignored), fault, until_s, sustained_s)
    possible = _touching(outage.possible_outages(requests, bad), fault, until_s, sustained_s)
    low_s = certain[0].last_failed_s if certain else -math.inf
    high_s = outage.over_by_s(requests, bad, possible, fault, until_s)
    watched_s = _watched(requests, bad, high_s, until_s)
    if watched_s < sustained_s:
        high_s = math.inf
    again = Interval(max(fault.low, low_s), max(fault.low, low_s, high_s))
    length = again.since(fault)
    return RecoveryTime(
        length=Interval(max(0.0, length.low), max(0.0, length.high)),
        again=again,
        outages=tuple(possible),
        sustained_s=sustained_s,
        watched_s=watched_s,
    )


def measured(
    found: RecoveryTime, samples: int, window: Window, *, doubts: Sequence[str] = (), evidence: Sequence[str] = ()
) -> Measurement:
    """The recovery time in seconds, to be judged; `samples` is the number of requests in the window."""
    name = f"from the fault to writes that are good for {found.sustained_s:g} s"
    return Measurement(name, found.length, "s", samples, window, "meter", tuple(doubts), tuple(evidence))


def stages(
    fault: Interval, reached: Mapping[str, Interval], again: Interval, names: Sequence[str] = STAGES
) -> tuple[Stage, ...]:
    """Part the recovery time; the true lengths of the parts add up to the true recovery time.

    Stages may overlap: what each adds is how much later it ended than all before it, and nothing is added once clients
    are served.

    Args:
        fault: When it happened: seconds since the epoch.
        reached: When each of the stages ended, as far as it is known; on the same clock.
        again: When clients were served again, as `RecoveryTime.again`.
        names: Of the stages, in order.

    Raises:
        ValueError: When `reached` names something else.
    """
    strange = [name for name in reached if name not in names]
    if strange:
        raise ValueError(f"a recovery has the stages {', '.join(names)}, and got {strange[0]!r}")
    ends = [("", fault)]
    pending: list[str] = []
    for name in names:
        pending.append(name)
        if name in reached:
            ends.append((" + ".join(pending), reached[name].later(ends[-1][1])))
            pending = []
    ends.append((" + ".join([*pending, WARM_UP]), again.later(fault)))
    capped = [(name, end.earlier(again.later(fault))) for name, end in ends]
    return tuple(Stage(name, start, end, _length(start, end)) for (_, start), (name, end) in pairwise(capped))


def _touching(found: Sequence[Outage], fault: Interval, until_s: float, sustained_s: float) -> list[Outage]:
    return [it for it in outage.merged(found, sustained_s) if it.overlaps(fault.low, until_s)]


def _watched(requests: Requests, bad: Flags, since_s: float, until_s: float) -> float:
    """For how long good requests were sent from a moment on."""
    sent_s = requests.sent_s[~bad]
    last_s = float(np.max(sent_s[sent_s <= until_s], initial=-math.inf))
    return max(0.0, last_s - since_s)


def _length(start: Interval, end: Interval) -> Interval:
    length = end.since(start)
    return Interval(max(0.0, length.low), max(0.0, length.high))
