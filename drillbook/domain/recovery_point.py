"""How much a disaster took: the recovery point (RPO), decided by the ledger of acknowledged writes.

The recovery point is the age, at the fault, of the oldest acknowledged write that was lost. A write came about some
time between its request and its answer, so its age is an interval; so is the fault's moment. What is not known makes
the interval wider and never narrower:

- A write that the look-up told nothing of may be lost, and so may one that was neither acknowledged nor refused and is
  not there: both are in the upper bound.
- The ledger is a sample of all writes. Another user's write may have been made, and lost, right after the last ledger
  write that is known to have survived: the upper bound reaches back to that one. With none that survived, nothing
  bounds what was lost, and a ledger that is younger than the objective cannot pass because it was lost as a whole.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from drillbook.domain.interval import Interval
from drillbook.domain.ledger import Integrity, LookUp, Write, integrity
from drillbook.domain.measurement import Measurement, Window

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


@dataclass(frozen=True, slots=True)
class RecoveryPoint:
    """What was lost, and how old it was.

    Attributes:
        age: Seconds from the oldest lost write to the fault; 0 when none was lost; unbounded above when nothing that is
            known to have been there before the fault survived it.
        lost: How many acknowledged writes are gone or altered; what the look-up told nothing of may be.
        lost_after_fault: Of those, the ones that were acknowledged when the fault had happened: somebody took writes
            that nobody has. Their age at the fault is 0.
        unresolved: Writes neither acknowledged nor refused that are not known to be there.
        acknowledged_before: Acknowledged writes that had their answer before the fault.
        fate: Every key by what became of it.
    """

    age: Interval
    lost: Interval
    lost_after_fault: Interval
    unresolved: int
    acknowledged_before: int
    fate: Integrity


@dataclass(frozen=True, slots=True)
class _Span:
    """From when a key's first try was sent to when its first acknowledgement came; infinite without one."""

    sent_s: float
    done_s: float


def recovery_point(writes: Iterable[Write], look_ups: Iterable[LookUp], fault: Interval) -> RecoveryPoint:
    """Hold the ledger against what is there after the recovery.

    Args:
        writes: Every try of every write, from well before the fault to the end.
        look_ups: Each key that was not refused, looked up once the system had recovered.
        fault: When it happened, in seconds since the epoch on the clock of the ledger: from the last moment at which it
            had certainly not, to the first at which it certainly had.
    """
    tries = list(writes)
    fate = integrity(tries, look_ups)
    spans = _spans(tries)
    certain = [spans[key] for key in (*fate.lost, *fate.altered)]
    unknown = [spans[key] for key in fate.unknown]
    unresolved = [spans[key] for key in (*fate.vanished, *fate.unclear)]
    kept = [spans[key] for key in fate.kept]
    return RecoveryPoint(
        age=_age(certain, [*certain, *unknown, *unresolved], kept, fault),
        lost=fate.losses,
        lost_after_fault=_acknowledged_after(certain, unknown, fault),
        unresolved=len(unresolved),
        acknowledged_before=sum(span.done_s <= fault.low for span in (*certain, *unknown, *kept)),
        fate=fate,
    )


def age_measured(
    found: RecoveryPoint, window: Window, *, doubts: Sequence[str] = (), evidence: Sequence[str] = ()
) -> Measurement:
    """The recovery point in seconds, to be judged; without a write acknowledged before the fault there is no data."""
    return Measurement(
        "age at the fault of the oldest acknowledged write that was lost",
        found.age if found.acknowledged_before else None,
        "s",
        found.acknowledged_before,
        window,
        "ledger",
        tuple(doubts),
        tuple(evidence),
    )


def losses_after_fault_measured(
    found: RecoveryPoint, window: Window, *, doubts: Sequence[str] = (), evidence: Sequence[str] = ()
) -> Measurement:
    """Number of writes acknowledged after the fault and lost; the recovery point is silent on them."""
    return Measurement(
        "writes acknowledged after the fault and lost",
        found.lost_after_fault,
        "events",
        found.fate.acknowledged,
        window,
        "ledger",
        tuple(doubts),
        tuple(evidence),
    )


def _spans(tries: Sequence[Write]) -> dict[str, _Span]:
    """Of every key: a retried write may have come about in its first try, and was promised by its first answer."""
    spans: dict[str, _Span] = {}
    for write in tries:
        # What does not say when it was sent may have been sent at any time.
        sent_s = -math.inf if math.isnan(write.sent_s) else write.sent_s
        if write.refused:
            sent_s = math.inf
        done_s = write.done_s if write.acknowledged else math.inf
        known = spans.get(write.key, _Span(math.inf, math.inf))
        spans[write.key] = _Span(min(known.sent_s, sent_s), min(known.done_s, done_s))
    return spans


def _age(certain: Sequence[_Span], possible: Sequence[_Span], kept: Sequence[_Span], fault: Interval) -> Interval:
    low = max((fault.low - span.done_s for span in certain), default=0.0)
    oldest_s = min((span.sent_s for span in possible), default=math.inf)
    # What was answered after the fault may be the new primary's, whatever survived of the old one.
    survived = [span.sent_s for span in kept if span.done_s <= fault.low and span.sent_s <= oldest_s]
    reaches_s = min(max(survived, default=-math.inf), oldest_s)
    low = max(0.0, low)
    return Interval(low, max(low, fault.high - reaches_s))


def _acknowledged_after(certain: Sequence[_Span], unknown: Sequence[_Span], fault: Interval) -> Interval:
    surely = sum(span.done_s > fault.high for span in certain)
    perhaps = sum(span.done_s > fault.low for span in (*certain, *unknown))
    return Interval(surely, perhaps)
