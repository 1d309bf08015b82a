"""Split brain: whether the old primary took a write when there was a new one.

The fencing ledger keeps trying to write to the old primary, past every pooler and name, from before the fault to after
the old primary is back. A write that it took after the promotion is a split brain, whether or not its row is later
overwritten. A try that nobody answered was not taken, and says nothing of writes that the old primary may have been
sent from its own region meanwhile. Each try lies between its sending and its end and the promotion within its interval,
so a try is certainly after the promotion, possibly, or not; only what is certain fails a drill, and what is possible
leaves it undecided.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from drillbook.domain.interval import Interval
from drillbook.domain.measurement import Measurement, Window

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Answer = Literal["acknowledged", "refused", "indeterminate"]


@dataclass(frozen=True, slots=True)
class DirectAddress:
    """A database server, past every name, pooler and application.

    Attributes:
        address: libpq's keywords, without a password, for a role that may make a schema of its own.
        password: Where that is: `file:`, `env:` or `vault:`.
    """

    address: str
    password: str


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try to write to the old primary.

    Attributes:
        sent_s: When it was sent, in seconds since the epoch on our clock.
        done_s: When it was answered, or given up; the server has to give it up by then too (`statement_timeout`).
        answer: `refused` when it certainly was not taken: no connection, read-only, an error that rolls back.
        kept: Whether the old primary was later seen to have it; None when nobody could look.
        reached: Whether anybody answered: the server, or its machine that there is none.
    """

    sent_s: float
    done_s: float
    answer: Answer
    kept: bool | None = None
    reached: bool = True


@dataclass(frozen=True, slots=True)
class Fencing:
    """What the old primary did after the promotion.

    Attributes:
        taken: How many writes it took then.
        first_s: When the first was sent that it certainly took then; None without one.
        tried: How many were sent certainly after the promotion.
        silence: The longest stretch after it in which none was tried.
        unreached: The longest stretch after it in which none reached anybody.
    """

    taken: Interval
    first_s: float | None
    tried: int
    silence: Window
    unreached: Window


def answer_of_commit(command_tag: str, severities: Iterable[str]) -> Answer:
    """What PostgreSQL's answer to a commit, or to a statement that commits itself, is worth.

    A wait for the synchronous standby that was cancelled ends in success with a warning: the row is there and may be on
    no other server (`SyncRepWaitForLSN`). COMMIT of a transaction that failed answers ROLLBACK.

    Args:
        command_tag: For example `COMMIT` or `INSERT 0 1`; empty without an answer.
        severities: Of the notices that came with it, not localised: `WARNING`, `NOTICE` ...
    """
    if command_tag == "ROLLBACK":
        return "refused"
    if not command_tag or "WARNING" in set(severities):
        return "indeterminate"
    return "acknowledged"


def after_promotion(attempts: Iterable[Attempt], promotion: Interval, until_s: float) -> Fencing:
    """Hold the fencing ledger against the promotion.

    Args:
        attempts: All tries, in any order.
        promotion: When the new primary began to take writes, on our clock (`clocks.ours`).
        until_s: Until when the old primary had to stay fenced, on our clock.
    """
    tries = sorted(attempts, key=lambda attempt: attempt.sent_s)
    certain = [
        attempt
        for attempt in tries
        if _taken(attempt) and attempt.sent_s > promotion.high and attempt.done_s <= until_s
    ]
    possible = [
        attempt
        for attempt in tries
        if _may_be_taken(attempt) and attempt.done_s >= promotion.low and attempt.sent_s <= until_s
    ]
    return Fencing(
        taken=Interval(len(certain), len(possible)),
        first_s=certain[0].sent_s if certain else None,
        tried=sum(promotion.high < attempt.sent_s <= until_s for attempt in tries),
        silence=_longest_silence(tries, promotion.high, until_s),
        unreached=_longest_silence([attempt for attempt in tries if attempt.reached], promotion.high, until_s),
    )


def taken_measured(
    found: Fencing, window: Window, *, gap_s: float, unreached_s: float = math.inf, evidence: Sequence[str] = ()
) -> Measurement:
    """Number of writes that the old primary took after the promotion, to be judged.

    Args:
        found: What the ledger says.
        window: From the promotion to when the old primary had to be fenced.
        gap_s: The longest stretch without a try that leaves the ledger a witness, in seconds.
        unreached_s: The longest stretch in which no try reached anybody that leaves it one, in seconds; infinite where
            only writes that come from where it tries are judged.
        evidence: Paths of the raw data.
    """
    doubts: list[str] = []
    # What it certainly took is not undone by a time in which nobody tried.
    if not found.taken.low and found.silence.length_s > gap_s:
        doubts.append(
            f"the fencing ledger tried nothing for {found.silence.length_s:.2f} s after the promotion, and must try "
            f"every {gap_s:g} s"
        )
    if not found.taken.low and found.unreached.length_s > unreached_s:
        doubts.append(
            f"the fencing ledger reached nobody for {found.unreached.length_s:.2f} s after the promotion: what the old "
            "primary was sent from its own region then is not seen"
        )
    return Measurement(
        "writes taken by the old primary after the promotion",
        found.taken,
        "events",
        found.tried,
        window,
        "fencing ledger",
        tuple(doubts),
        tuple(evidence),
    )


def _taken(attempt: Attempt) -> bool:
    return attempt.answer == "acknowledged" or attempt.kept is True


def _may_be_taken(attempt: Attempt) -> bool:
    return _taken(attempt) or (attempt.answer == "indeterminate" and attempt.kept is None)


def _longest_silence(tries: Sequence[Attempt], start_s: float, end_s: float) -> Window:
    """A try speaks for the time from its sending to its end."""
    longest = Window(start_s, start_s)
    spoken_until_s = start_s
    for attempt in tries:
        begins_s = min(attempt.sent_s, end_s)
        if begins_s - spoken_until_s > longest.length_s:
            longest = Window(spoken_until_s, begins_s)
        spoken_until_s = max(spoken_until_s, min(attempt.done_s, end_s))
    return Window(spoken_until_s, end_s) if end_s - spoken_until_s > longest.length_s else longest
