"""What is concluded from a migration that was run up, down and up again under load; pure."""

from __future__ import annotations

import math
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

_CUT_S = 1.0
"""Times in a backup's record are cut to whole seconds."""


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
    """

    name: str
    start_s: float
    end_s: float
    wanted: str
    found: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup of the database.

    Attributes:
        label: Its name.
        stopped_s: When it was complete, in seconds since the epoch, cut to whole seconds.
        proven_until_s: Up to which moment a restore from it was seen to hold the data; None when nobody has tried.
    """

    label: str
    stopped_s: float
    proven_until_s: float | None = None


def steps_missed(steps: Sequence[Step], wanted: Sequence[str], window: Window) -> Measurement:
    """Number of ways that did not lead where they were to; of those that were never gone nobody knows."""
    done = {one.name: one for one in steps}
    wrong = sum(one.found != one.wanted for name, one in done.items() if name in wanted)
    never = sum(name not in done for name in wanted)
    name = "ways that did not lead where they were to"
    return Measurement(name, Interval(wrong, wrong + never), "steps", len(done), window, "migration")


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


def rows_left(rows: int, gone_over: int | None, window: Window) -> Measurement:
    """Number of rows that a back-fill has not gone over when it has ended; None when it was not seen to end."""
    left = None if gone_over is None else Interval.exactly(max(0, rows - gone_over))
    return Measurement("rows left out", left, "rows", rows, window, "back-fill")


@dataclass(frozen=True, slots=True)
class Contraction:
    """One contract step that was tried.

    Attributes:
        start_s: In seconds since the epoch on the run's clock.
        end_s: Likewise.
        before: The schema's revision before.
        after: And after.
        text: What the migration said last.
    """

    start_s: float
    end_s: float
    before: str
    after: str
    text: str


def premature(tried: Sequence[Contraction], release: str, window: Window) -> Measurement:
    """Number of contract steps that were taken while a release that they end served.

    One that came to nothing and does not name that release came to nothing for another reason, which shows nothing.
    """
    taken = sum(one.before != one.after for one in tried)
    doubts = tuple(
        f"a contract step came to nothing, and not because of release {release}: {one.text}"
        for one in tried
        if one.before == one.after and release not in one.text
    )
    name = "contract steps taken"
    return Measurement(name, Interval.exactly(taken), "steps", len(tried), window, "migration", doubts)


def answers_of_older(requests: Requests, releases: Sequence[str], since_s: float, until_s: float) -> Measurement:
    """Number of requests that releases which a contract step ends were still asked, from its start on."""
    window = Window(since_s, max(since_s, until_s))
    late = requests.due_within(window.start_s, math.nextafter(window.end_s, math.inf))
    count = int(np.isin(late.version.astype(str), list(releases)).sum())
    name = "requests to releases that the step ends"
    return Measurement(name, Interval.exactly(count), "requests", len(late), window, "meter")


def backup_lead(backups: Sequence[Backup], migration_s: float, clocks_s: float, window: Window) -> Measurement:
    """Seconds from the end of the last backup that ended before the migration to its start; negative when none did.

    Args:
        backups: What there is.
        migration_s: When the migration began, in seconds since the epoch.
        clocks_s: By how much the clocks of the two may differ, in seconds.
        window: When it was asked.
    """
    leads = [Interval(migration_s - one.stopped_s - _CUT_S, migration_s - one.stopped_s) for one in backups]
    before = [lead for lead in leads if lead.high >= 0] or leads
    lead = min(before, key=lambda lead: abs(lead.high), default=Interval.exactly(-math.inf))
    return Measurement(
        "time from a backup's end to the migration", lead.widened(clocks_s), "s", max(1, len(backups)), window,
        "backups",
    )  # fmt: skip


def unproven_before(backups: Sequence[Backup], migration_s: float, clocks_s: float, window: Window) -> Measurement:
    """Seconds before the migration that no restore was seen to bring back.

    A restore counts when its backup was complete before the migration; nobody's restore decides nothing.
    """
    name = "time before the migration that no restore has shown"
    proven = [one.proven_until_s for one in backups if one.proven_until_s is not None and one.stopped_s <= migration_s]
    if not proven:
        doubt = "no backup that was complete before the migration was seen to be restored"
        return Measurement(name, None, "s", 0, window, "restore", (doubt,))
    missing_s = max(0.0, migration_s - max(proven))
    interval = Interval(max(0.0, missing_s - clocks_s), missing_s + clocks_s)
    return Measurement(name, interval, "s", len(proven), window, "restore")


def invalid_indexes(names: Sequence[str] | None, window: Window) -> Measurement:
    """Number of indexes that an interrupted build has left; None when nobody looked."""
    count = None if names is None else Interval.exactly(len(names))
    return Measurement("invalid indexes", count, "indexes", 1, window, "pg_index")
