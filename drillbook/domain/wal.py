"""Positions in PostgreSQL's write-ahead log, and how old what a copy lacks is.

A position (LSN) is a number of bytes since the log's beginning. Whoever commits on the primary from time to time, and
asks for its position before and after (`pg_current_wal_lsn`), knows what had been written by when; a copy that reaches
up to some position (an archive, a standby) lacks what was committed since. That is what would be lost with the primary,
whenever the copy itself was made: the date of a file in an archive tells nothing of it, since a late one is new.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from drillbook.domain.interval import Interval

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

SEGMENT_BYTES = 16 * 1024 * 1024
"""Of a segment file, unless `initdb --wal-segsize` said otherwise."""

_LOG_BYTES = 2**32
_LSN = re.compile(r"([0-9A-Fa-f]{1,8})/([0-9A-Fa-f]{1,8})", re.ASCII)
_NAME = re.compile(r"([0-9A-F]{8})([0-9A-F]{8})([0-9A-F]{8})", re.ASCII)


@dataclass(frozen=True, slots=True, order=True)
class Segment:
    """One file of the log.

    Attributes:
        timeline: Which history it belongs to; a promotion begins a new one.
        number: Its place in that history, from 0.
    """

    timeline: int
    number: int

    def begin(self, segment_bytes: int = SEGMENT_BYTES) -> int:
        """The position of its first byte, in bytes."""
        return self.number * segment_bytes

    def end(self, segment_bytes: int = SEGMENT_BYTES) -> int:
        """The position right after it, in bytes."""
        return (self.number + 1) * segment_bytes


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit on the primary, and where its log stood.

    Attributes:
        asked_s: Before the commit: seconds since the epoch on our clock.
        answered_s: After it, when the second position was known.
        before: Position before the commit, in bytes.
        after: Position after it.
    """

    asked_s: float
    answered_s: float
    before: int
    after: int


def position(text: str) -> int:
    """Bytes of a position like `0/3000060`.

    Raises:
        ValueError: When it is none.
    """
    found = _LSN.fullmatch(text)
    if found is None:
        raise ValueError(f"a position in the log looks like 0/3000060, and got {text[:40]!r}")
    return int(found[1], 16) * _LOG_BYTES + int(found[2], 16)


def segment(name: str, segment_bytes: int = SEGMENT_BYTES) -> Segment:
    """A segment by its file's name, 24 hexadecimal digits.

    Raises:
        ValueError: When it is none.
    """
    found = _NAME.fullmatch(name)
    if found is None:
        raise ValueError(f"a segment of the log is named by 24 hexadecimal digits, and got {name[:40]!r}")
    per_log = _LOG_BYTES // segment_bytes
    within = int(found[3], 16)
    if within >= per_log:
        raise ValueError(f"{name} names no segment of {segment_bytes} bytes, of which a log has {per_log}")
    return Segment(int(found[1], 16), int(found[2], 16) * per_log + within)


def whole_until(segments: Iterable[Segment], first: Segment) -> Segment | None:
    """The last segment that can be replayed from `first` on without a gap; None when `first` itself is missing.

    A later history goes on where it branched off, so a segment of any later timeline follows.
    """
    there: dict[int, int] = {}
    for it in segments:
        if it.timeline >= first.timeline:
            there[it.number] = max(it.timeline, there.get(it.number, 0))
    if first.number not in there:
        return None
    number, timeline = first.number, first.timeline
    while there.get(number + 1, -1) >= timeline:
        number += 1
        timeline = there[number]
    return Segment(timeline, number)


def age_of_what_is_missing(reaches: int, commits: Sequence[Commit], now_s: float) -> Interval | None:
    """Seconds since the oldest commit that a copy lacks; 0 when it lacks none. None without a commit to tell by.

    Commits that we did not make may lie between ours, so the upper bound reaches back to our last one that is there.

    Args:
        reaches: The position up to which the copy has everything, in bytes.
        commits: Ours on the primary, in any order, from before the copy's end on.
        now_s: When the copy was looked at: seconds since the epoch on our clock.
    """
    known = [commit for commit in commits if commit.asked_s <= now_s]
    if not known:
        return None
    there_s = max((commit.asked_s for commit in known if commit.after <= reaches), default=-math.inf)
    lacking_s = min((commit.answered_s for commit in known if commit.before >= reaches), default=now_s)
    low = max(0.0, now_s - lacking_s)
    return Interval(low, max(low, now_s - there_s))
