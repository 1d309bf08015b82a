"""What users have begun in one region, and whether the other one goes on with it: sessions, and jobs in flight.

A job is a write with a key of its own that is sent again, to the other region, when it is not acknowledged. It is in
flight at a switch when it was sent to the region that is left before the switch was over, and was not acknowledged
there. Pure functions over what a process beside the users wrote down.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from drillbook.domain.interval import Interval
    from drillbook.domain.measurement import Window

Kind = Literal["good", "forged", "over"]
"""Of sessions: opened by a region; made by nobody who has the key; opened by a region, and its time is over."""

Seen = Literal["honoured", "refused", "unanswered"]
"""What a region made of a session; `unanswered` also stands for an answer that tells nothing, as a 503."""

State = Literal["acknowledged", "refused", "indeterminate"]


@dataclass(frozen=True, slots=True)
class Asked:
    """One question whose session a token is. The token itself is written nowhere.

    Attributes:
        session: Its name in this drill.
        kind: Of the session.
        opened: The region that opened it.
        asked: The region whose gateway was asked.
        sent_s: When; seconds since the epoch on the run's clock.
        done_s: When that was answered, or given up.
        seen: The answer.
        by: The region that answered, by its own word; empty for nobody.
    """

    session: str
    kind: Kind
    opened: str
    asked: str
    sent_s: float
    done_s: float
    seen: Seen
    by: str


@dataclass(frozen=True, slots=True)
class Try:
    """One time that a job was sent.

    Attributes:
        key: Of the job; the same each time.
        began: The region that it was sent to first.
        asked: The region whose gateway it was sent to this time.
        sent_s: When; seconds since the epoch on the run's clock.
        done_s: When that was answered, or given up.
        state: What the client knows of it then.
        by: The region that answered, by its own word; empty for nobody.
        answer: Digest of what was answered; empty without an answer.
        again: Whether it was sent once more after all was over, to see that it is answered the same.
    """

    key: str
    began: str
    asked: str
    sent_s: float
    done_s: float
    state: State
    by: str
    answer: str
    again: bool = False


@dataclass(frozen=True, slots=True)
class Kept:
    """A job that was looked up after all was over.

    Attributes:
        key: Of the job.
        asked: The region whose gateway was asked.
        copies: How often it is stored.
        equal: Whether what is stored is what was sent.
    """

    key: str
    asked: str
    copies: int
    equal: bool


@dataclass(frozen=True, slots=True)
class Count:
    """How many of some things are not as they should be.

    Attributes:
        among: Of how many.
        wrong: Certainly so.
        unknown: Nobody knows of these.
    """

    among: int
    wrong: int
    unknown: int


def not_honoured(asks: Iterable[Asked], opened: Collection[str], region: str, window: Window) -> Count:
    """Sessions that a region did not honour in a window.

    Args:
        asks: All questions.
        opened: Names of the sessions that there are.
        region: Which has to have answered itself.
        window: A question counts that began in it.
    """
    seen = _seen_by(asks, "good", region, window)
    refused = [name for name in opened if "refused" in seen.get(name, ())]
    unknown = [name for name in opened if name not in refused and "honoured" not in seen.get(name, ())]
    return Count(len(opened), len(refused), len(unknown))


def wrongly_honoured(asks: Sequence[Asked], kind: Kind, region: str, window: Window) -> Count:
    """Sessions of a bad kind that a region honoured in a window; one that it gave no answer to is unknown."""
    names = {ask.session for ask in asks if ask.kind == kind}
    seen = _seen_by(asks, kind, region, window)
    honoured = [name for name in names if "honoured" in seen.get(name, ())]
    unknown = [name for name in names if name not in honoured and "refused" not in seen.get(name, ())]
    return Count(len(names), len(honoured), len(unknown))


def in_flight(tries: Iterable[Try], left: str, switch: Interval) -> list[str]:
    """Keys of the jobs that were in flight when a region was left.

    Args:
        tries: Of all jobs.
        left: The region.
        switch: From where the switch began to where it was seen to be over.
    """
    return [
        first.key
        for first in _firsts(tries).values()
        if first.began == left
        and first.sent_s <= switch.high
        and first.done_s >= switch.low
        and first.state != "acknowledged"
    ]


def unfinished(tries: Iterable[Try], keys: Collection[str], region: str) -> Count:
    """Jobs that a region did not finish: no try of them was acknowledged by it."""
    done = {it.key for it in tries if it.state == "acknowledged" and it.by == region and not it.again}
    return Count(len(keys), len(set(keys) - done), 0)


def wrongly_kept(kept: Iterable[Kept], keys: Collection[str], regions: Collection[str]) -> Count:
    """Jobs that some region has not exactly once, as it was sent; unknown where a region did not tell."""
    told: dict[str, dict[str, bool]] = {}
    for it in kept:
        told.setdefault(it.key, {})[it.asked] = it.copies == 1 and it.equal
    return _by_region(told, keys, regions)


def answered_otherwise(tries: Sequence[Try], keys: Collection[str], regions: Collection[str]) -> Count:
    """Jobs that were answered otherwise when they were sent again than when they were acknowledged first."""
    first: dict[str, str] = {}
    for it in sorted(tries, key=lambda it: it.done_s):
        if it.state == "acknowledged" and not it.again:
            first.setdefault(it.key, it.answer)
    told: dict[str, dict[str, bool]] = {}
    for it in tries:
        if it.again and it.answer and it.key in first and it.state != "indeterminate":
            same = it.state == "acknowledged" and it.answer == first[it.key]
            seen = told.setdefault(it.key, {})
            seen[it.asked] = same and seen.get(it.asked, True)
    return _by_region(told, keys, regions)


def _by_region(told: Mapping[str, Mapping[str, bool]], keys: Collection[str], regions: Collection[str]) -> Count:
    wrong = [key for key in keys if not all(told.get(key, {}).values())]
    unknown = [key for key in keys if key not in wrong and set(regions) - set(told.get(key, {}))]
    return Count(len(keys), len(wrong), len(unknown))


def _seen_by(asks: Iterable[Asked], kind: Kind, region: str, window: Window) -> Mapping[str, set[Seen]]:
    """Only a region's own answers count, whichever gateway was asked."""
    seen: dict[str, set[Seen]] = {}
    for ask in asks:
        if ask.kind == kind and ask.asked == ask.by == region and window.start_s <= ask.sent_s <= window.end_s:
            seen.setdefault(ask.session, set()).add(ask.seen)
    return seen


def _firsts(tries: Iterable[Try]) -> Mapping[str, Try]:
    firsts: dict[str, Try] = {}
    for it in tries:
        if not it.again and (it.key not in firsts or it.sent_s < firsts[it.key].sent_s):
            firsts[it.key] = it
    return firsts
