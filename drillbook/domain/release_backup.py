"""Whether a backup was complete before a deployment's first change; pure.

A backup's record is by the clock of whoever took it, and the deployment's by ours: where the two stand to each other is
known from the job that took the backup, which we saw begin and end.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from drillbook.domain.interval import Interval
from drillbook.domain.measurement import Measurement, Window

if TYPE_CHECKING:
    from collections.abc import Sequence

    from drillbook.domain.pgbackrest import Backup, Repository

_CUT_S = 1.0
"""Times in a backup's record are cut to whole seconds."""


@dataclass(frozen=True, slots=True)
class BackupJob:
    """What took a backup, on two clocks; all in seconds since the epoch.

    Attributes:
        asked_s: Before it was made, on the run's clock.
        began_s: When it began, by its host's clock.
        ended_s: When it ended, likewise.
        answered_s: When it was seen to have ended, on the run's clock.
    """

    asked_s: float
    began_s: float
    ended_s: float
    answered_s: float

    def ahead(self) -> Interval | None:
        """By how much the run's clock is ahead of the host's, in seconds; None when one of them was set meanwhile."""
        low, high = self.asked_s - self.began_s, self.answered_s - self.ended_s
        return Interval(low, high) if low <= high else None


def last_before(repository: Repository | None, change_s: float, ahead: Interval) -> Backup | None:
    """The last backup without a wrong page that may have been complete before the deployment's first change."""
    found = [it for it in _sound(repository) if _lead(it, change_s, ahead).high >= 0]
    return found[-1] if found else None


def lead(
    repositories: Sequence[Repository],
    key: int,
    change_s: float,
    job: BackupJob,
    *,
    window: Window,
    evidence: Sequence[str] = (),
) -> Measurement:
    """Seconds from the end of the last backup before a deployment to its first change.

    Negative when all ended after it, and endlessly so when there is none.

    Args:
        repositories: What pgBackRest says.
        key: Which repository.
        change_s: When the deployment's first change was meant, in seconds since the epoch on the run's clock.
        job: What took the backup.
        window: When it was asked, on the run's clock.
        evidence: Paths of the raw data.
    """
    repository = next((it for it in repositories if it.key == key), None)
    doubts: list[str] = []
    if repository is None:
        doubts.append(f"pgbackrest does not tell of repository {key}: is it configured where it was asked?")
    elif not repository.readable:
        doubts.append(f"repository {key} could not be read: {repository.message}")
    ahead = job.ahead()
    if ahead is None:
        doubts.append(
            "the job that took the backup lasted longer by its host's clock than by ours: one of them was set"
        )
    found, name = None, f"no backup in repository {key} before the deployment"
    if ahead is not None and not doubts:
        there = _sound(repository)
        last = last_before(repository, change_s, ahead) or (there[0] if there else None)
        found = Interval.exactly(-math.inf) if last is None else _lead(last, change_s, ahead)
        if last is not None:
            name = f"time from the end of backup {last.label} in repository {key} to the deployment"
    return Measurement(name, found, "s", 1, window, "pgbackrest and timeline", tuple(doubts), tuple(evidence))


def unproven(asked_s: float, answered_s: float, change_s: float, evidence: Sequence[str] = ()) -> Measurement:
    """Seconds between the moment that was restored and the deployment's first change, all on the run's clock.

    Args:
        asked_s: Before the database was asked for the moment.
        answered_s: After it had answered.
        change_s: As for `lead`.
        evidence: Paths of the raw data.
    """
    between = Interval(change_s - answered_s, change_s - asked_s)
    name = "time before the deployment that no restore has shown"
    window = Window(asked_s, max(asked_s, change_s))
    return Measurement(name, between, "s", 1, window, "database and timeline", (), tuple(evidence))


def _sound(repository: Repository | None) -> list[Backup]:
    """From the oldest."""
    return [] if repository is None else [it for it in repository.backups if it.faulty is not True]


def _lead(backup: Backup, change_s: float, ahead: Interval) -> Interval:
    stopped = Interval(backup.stopped_s + ahead.low, backup.stopped_s + _CUT_S + ahead.high)
    return Interval.exactly(change_s).since(stopped)
