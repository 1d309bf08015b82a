"""What is concluded from a back-fill that was killed and started again, by what the table itself says; pure.

How far it is, a back-fill says itself, and what it thinks that it has done it may have lost or done before. So the
drill's own rows, which nobody else changes, are asked: which of them are filled, and which of those that were filled
when it was killed have not been written since.
"""

from __future__ import annotations

from dataclasses import dataclass

from drillbook.domain.interval import Interval
from drillbook.domain.measurement import Measurement, Window

_SOURCE = "table"


@dataclass(frozen=True, slots=True)
class Filling:
    """How far a back-fill is by one look at the drill's own rows.

    Attributes:
        rows: How many there are.
        filled: Of those, the ones that have nothing left to fill.
        kept: Of those, the ones that were filled in an earlier look and not written since; all in a first one.
        snapshot: Which transactions the look has seen, as PostgreSQL writes it; a later look compares with it.
    """

    rows: int
    filled: int
    kept: int
    snapshot: str


@dataclass(frozen=True, slots=True)
class Done:
    """What was found when a back-fill had ended.

    Attributes:
        at_s: In seconds since the epoch on the run's clock.
        gone_over: Rows by the back-fill's own account, of everybody's.
        there: Rows of the table then, everybody's; None in folders from before they were counted.
        error: What its command said when it failed; empty when it did not.
    """

    at_s: float
    gone_over: int
    there: int | None
    error: str = ""

    @property
    def beyond(self) -> int:
        """By how much it has gone over more rows than there are: again, or rows that were deleted meanwhile."""
        return 0 if self.there is None else max(0, self.gone_over - self.there)


@dataclass(frozen=True, slots=True)
class Looks:
    """The looks at the drill's own rows; each None when it was not taken.

    Attributes:
        before: Before the back-fill began.
        killed: After it was killed.
        done: When it had ended.
        settled: Whether all that the killed one had sent to the server was over when `killed` was taken.
    """

    before: Filling | None = None
    killed: Filling | None = None
    done: Filling | None = None
    settled: bool = False


def rows_left(rows: int, looks: Looks, done: Done | None, window: Window) -> Measurement:
    """Number of so many rows that a back-fill has not filled when it has ended.

    Of rows that were filled before it began nobody knows whether it would have: none, or the condition that tells them
    is wrong. One that failed is not done, whatever the drill's rows are.
    Folders from before the table was asked have the back-fill's own account, which rows of others are in.
    """
    name = "rows left out"
    if done is None:
        return Measurement(name, None, "rows", rows, window, _SOURCE)
    if looks.before is None or looks.done is None:
        return Measurement(name, Interval(max(0, rows - done.gone_over), rows), "rows", rows, window, "back-fill")
    left = looks.done.rows - looks.done.filled + max(0, rows - looks.done.rows)
    # Rows of others, which the look does not tell of, may be left out by one that failed.
    doubts = (f"the back-fill failed when it was started again: {done.error}",) if done.error and not left else ()
    return Measurement(name, Interval(left, left + looks.before.filled), "rows", rows, window, _SOURCE, doubts)


def filled_again(looks: Looks, window: Window) -> Measurement:
    """Number of rows that were filled when a back-fill was killed, and were written again until it had ended."""
    killed, done = looks.killed, looks.done
    again = None if killed is None or done is None else Interval.exactly(killed.filled - done.kept)
    samples = 0 if killed is None else killed.filled
    return Measurement("rows filled again", again, "rows", samples, window, _SOURCE, tuple(_doubts(looks)))


def _doubts(looks: Looks) -> list[str]:
    """Why the two looks do not tell what was done again."""
    killed, done = looks.killed, looks.done
    if killed is None or done is None:
        return ["the table was not asked what was filled when the back-fill was killed, and what has become of it"]
    doubts: list[str] = []
    if not 0 < killed.filled < killed.rows:
        doubts.append(f"{killed.filled} of {killed.rows} rows were filled when the back-fill was killed")
    if not looks.settled:
        doubts.append("what the back-fill had sent to the server was not over when the table was asked after the kill")
    if done.kept > killed.filled:
        doubts.append(f"{done.kept} rows are as they were at the kill, when {killed.filled} were filled")
    return doubts
