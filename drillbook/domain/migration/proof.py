"""What is concluded from a migration that was run up, down and up again under load; pure."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from drillbook.domain.interval import Interval
from drillbook.domain.ledger import integrity
from drillbook.domain.measurement import Measurement, Window

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from drillbook.domain.ledger import LookUp, Write
    from drillbook.domain.requests import Requests, Stalls


@dataclass(frozen=True, slots=True)
class Contents:
    """What a table holds, told apart from what else it may hold.

    Attributes:
        taken_s: When it was read, in seconds since the epoch on the run's clock.
        rows: Of those that nobody changes.
        sum: Sum of a 64-bit hash of each, in the columns that all releases know; the order does not matter.
    """

    taken_s: float
    rows: int
    sum: int


@dataclass(frozen=True, slots=True)
class Step:
    """One way that was gone.

    Attributes:
        name: `up`, `down`, `up again` ...
        start_s: In seconds since the epoch on the run's clock.
        end_s: Likewise.
        wanted: The revision that it was to lead to.
        found: The one that the database was at afterwards.
        text: What the migration said last.
        began: The revision before; None in folders from before it was kept.
        failed: Whether the migration's command ended with an error, or not in time.
    """

    name: str
    start_s: float
    end_s: float
    wanted: str
    found: str
    text: str = ""
    began: str | None = None
    failed: bool = False

    @property
    def missed(self) -> bool:
        """Whether it did not lead where it was to; a command that fails there too ends the deployment that it is of."""
        return self.failed or self.found != self.wanted

    @property
    def led(self) -> bool:
        """Whether it did; a schema that was there before was led nowhere."""
        return not self.missed and self.began != self.wanted


def steps_missed(steps: Sequence[Step], wanted: Sequence[str], window: Window) -> Measurement:
    """Number of ways that did not lead where they were to; of those that were never gone nobody knows."""
    done = {one.name: one for one in steps}
    gone = [done[name] for name in wanted if name in done]
    missed, led = sum(one.missed for one in gone), sum(one.led for one in gone)
    name = "ways that did not lead where they were to"
    return Measurement(name, Interval(missed, len(wanted) - led), "steps", len(done), window, "migration")


def rows_changed(before: Contents | None, after: Sequence[Contents], window: Window) -> Measurement:
    """Number of rows that are not what they were, at worst of several looks; a row may be lost, altered or added."""
    low = high = 0
    if before is None or not after or not before.rows:
        doubt = "the rows were not read before and after"
        return Measurement("rows changed", None, "rows", 0, window, "checksum", (doubt,))
    for one in after:
        if one.rows != before.rows:
            low, high = max(low, abs(one.rows - before.rows)), max(high, one.rows, before.rows)
        elif one.sum != before.sum:
            low, high = max(low, 1), max(high, one.rows)
    return Measurement("rows changed", Interval(low, high), "rows", before.rows, window, "checksum")


def crosswise(writes: Iterable[Write], look_ups: Iterable[LookUp], name: str, window: Window) -> Measurement:
    """Number of events that one release acknowledged and the other does not have, or has otherwise."""
    found = integrity(writes, look_ups)
    return Measurement(name, found.losses, "events", found.acknowledged, window, "ledger")


def worst_latency(requests: Requests, stalls: Stalls, window: Window, name: str) -> Measurement:
    """Seconds from when a request was due to its answer, at worst; infinite when one failed.

    What the meter itself slept through may not have been the system's doing: it is in the upper bound only.
    """
    chosen = requests.due_within(window.start_s, window.end_s)
    if not len(chosen):
        return Measurement(name, None, "s", 0, window, "meter")
    latency_s = chosen.latency_s()
    doubtful = chosen.doubtful(stalls)
    slept_s = np.nan_to_num(stalls.within(chosen.due_s, chosen.done_s))
    certain_s = np.where(doubtful, 0.0, np.maximum(latency_s - slept_s, 0.0))
    return Measurement(
        name, Interval(float(certain_s.max()), float(latency_s.max())), "s", len(chosen), window, "meter"
    )


def slow_before(requests: Requests, stalls: Stalls, before: Window, limit_s: float) -> tuple[str, ...]:
    """Why nobody can tell what is slow because of the migration: somebody waited too long before it began.

    Args:
        requests: Of the load.
        stalls: While the meter itself slept.
        before: While everything ran that runs beside the migration, and the migration did not.
        limit_s: Of the worst latency, in seconds.
    """
    # One that is answered later may have waited for the migration.
    answered = requests.chosen(requests.done_s <= before.end_s)
    found = worst_latency(answered, stalls, before, "before")
    if found.interval is None or found.interval.low <= limit_s:
        return ()
    worst_s = found.interval.low
    what = f"an answer took {worst_s:.2f} s, more than {limit_s:g} s," if math.isfinite(worst_s) else "a request failed"
    return (f"{what} before the migration began: what it adds to that cannot be told",)


@dataclass(frozen=True, slots=True)
class Contraction:
    """One contract step that was tried.

    Attributes:
        start_s: In seconds since the epoch on the run's clock.
        end_s: Likewise.
        before: The schema's revision before.
        after: And after.
        text: What the migration said last.
        failed: Whether the command ended with an error, or not in time.
    """

    start_s: float
    end_s: float
    before: str
    after: str
    text: str
    failed: bool

    def unclear(self, release: str) -> str:
        """Why nobody can tell whether it was refused because of this release; empty when it was, or was taken."""
        if self.before != self.after:
            return ""
        if not self.failed:
            return f"a contract step came to nothing, and its command ended without an error: {self.text}"
        # A part of another number, or of an address, names no release.
        if re.search(rf"(?<![\d.]){re.escape(release)}(?!\d|\.\d)", self.text) is None:
            return f"a contract step came to nothing, and not because of release {release}: {self.text}"
        return ""


def premature(tried: Sequence[Contraction], release: str, window: Window) -> Measurement:
    """Number of contract steps that were taken while a release that they end served.

    One that came to nothing without an error, or whose error does not name that release, came to nothing for another
    reason, which shows nothing.
    """
    taken = sum(one.before != one.after for one in tried)
    doubts = tuple(filter(None, (one.unclear(release) for one in tried)))
    name = "contract steps taken"
    return Measurement(name, Interval.exactly(taken), "steps", len(tried), window, "migration", doubts)


def answers_of_older(requests: Requests, releases: Sequence[str], since_s: float, until_s: float) -> Measurement:
    """Number of requests that releases which a contract step ends were still asked, from its start on."""
    window = Window(since_s, max(since_s, until_s))
    late = requests.due_within(window.start_s, math.nextafter(window.end_s, math.inf))
    count = int(np.isin(late.version.astype(str), list(releases)).sum())
    name = "requests to releases that the step ends"
    return Measurement(name, Interval.exactly(count), "requests", len(late), window, "meter")


def invalid_indexes(names: Sequence[str] | None, window: Window) -> Measurement:
    """Number of indexes that an interrupted build has left; None when nobody looked."""
    count = None if names is None else Interval.exactly(len(names))
    return Measurement("invalid indexes", count, "indexes", 1, window, "pg_index")
