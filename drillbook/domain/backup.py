"""Schedule objectives: whether what a recovery would need is there and fresh, before anything has gone wrong.

Nothing is injected: a full backup older than a day, an archive that lacks more than the recovery point allows, or a
standby that lags fails a nightly run by itself. What is known to be missing is endlessly old; what is not known decides
nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from drillbook.domain import wal
from drillbook.domain.interval import Interval
from drillbook.domain.measurement import Measurement, Window

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from drillbook.domain.pgbackrest import Backup, Repository
    from drillbook.domain.wal import Commit, Segment

_SOURCE = "pgbackrest"
_MISSING = Interval.exactly(math.inf)
# Times in a backup's record are cut to whole seconds.
_CUT_S = 1.0


@dataclass(frozen=True, slots=True)
class BackupSchedule:
    """By what backups are made without anybody's doing.

    Attributes:
        name: Of what makes them, for people.
        due: When they are due, in its own words.
        suspended: Whether it makes none until somebody has it go on.
    """

    name: str
    due: str
    suspended: bool


def full_backup_age(
    repositories: Sequence[Repository], key: int, now: Interval, window: Window, evidence: Sequence[str] = ()
) -> Measurement:
    """Seconds since the last good full backup in a repository ended.

    Args:
        repositories: What pgBackRest says.
        key: Which repository.
        now: The time by the database host's clock when it said so, in seconds since the epoch.
        window: When it was asked, on our clock.
        evidence: Paths of the raw data.
    """
    repository, doubts = _of(repositories, key)
    full = last_full(repository)
    age = _MISSING
    if full is not None:
        age = now.since(Interval(full.stopped_s, full.stopped_s + _CUT_S))
        if age.high < 0:
            doubts.append(f"backup {full.label} ended {-age.high:.0f} s from now: the clocks of its host disagree")
    measured = None if doubts else Interval(max(0.0, age.low), max(0.0, age.high))
    found = 0 if repository is None else max(1, len(repository.backups))
    name = f"age of the last full backup in repository {key}"
    return Measurement(name, measured, "s", found, window, _SOURCE, tuple(doubts), tuple(evidence))


def full_backups_kept(
    repositories: Sequence[Repository], key: int, window: Window, evidence: Sequence[str] = ()
) -> Measurement:
    """Number of good full backups in a repository."""
    repository, doubts = _of(repositories, key)
    count = None
    if repository is not None and not doubts:
        count = Interval.exactly(sum(_good_full(backup) for backup in repository.backups))
    name = f"full backups kept in repository {key}"
    return Measurement(name, count, "backups", 1, window, _SOURCE, tuple(doubts), tuple(evidence))


def schedules_suspended(
    schedules: Sequence[BackupSchedule] | None, window: Window, evidence: Sequence[str] = ()
) -> Measurement:
    """Number of schedules that make no backup: the last one is fresh for a day yet, and for ever if made by hand.

    Args:
        schedules: By which backups are made; None when nobody asked after them.
        window: When it was looked at, on our clock.
        evidence: Paths of the raw data.
    """
    doubts = () if schedules else ("it was not asked after the schedule by which the backups are made",)
    suspended = [schedule.name for schedule in schedules or () if schedule.suspended]
    name = "schedules of backups that are suspended" + (f": {', '.join(suspended)}" if suspended else "")
    count = Interval.exactly(len(suspended)) if schedules else None
    return Measurement(name, count, "schedules", len(schedules or ()), window, "kubernetes", doubts, tuple(evidence))


def archive_age(
    repositories: Sequence[Repository],
    key: int,
    archived: Collection[Segment] | None,
    commits: Sequence[Commit],
    window: Window,
    *,
    segment_bytes: int = wal.SEGMENT_BYTES,
    evidence: Sequence[str] = (),
) -> Measurement:
    """Seconds since the oldest commit that a recovery from a repository alone would lack, at the window's end.

    A recovery begins with the last good full backup and ends at the first gap in the archive.

    Args:
        repositories: What pgBackRest says.
        key: Which repository.
        archived: Segments in it; None when it could not be listed.
        commits: Ours on the primary.
        window: From the first commit to when the archive was listed, on our clock.
        segment_bytes: Of a segment.
        evidence: Paths of the raw data.
    """
    repository, doubts = _of(repositories, key)
    full = last_full(repository)
    age: Interval | None = _MISSING
    if archived is None:
        doubts.append(f"the archive in repository {key} could not be listed")
    elif full is not None and full.wal_start is None:
        doubts.append(f"backup {full.label} does not say which segments its recovery needs")
    elif full is not None and full.wal_start is not None:
        last = wal.whole_until(archived, full.wal_start)
        if last is not None:
            age = wal.age_of_what_is_missing(last.end(segment_bytes), commits, window.end_s)
    return Measurement(
        f"age of the oldest commit that repository {key} lacks",
        None if doubts else age,
        "s",
        _looks(age, commits),
        window,
        "pgbackrest and the primary",
        tuple(doubts),
        tuple(evidence),
    )


def archived_within(
    timeout_s: float | None, pushed_s: float, window: Window, evidence: Sequence[str] = ()
) -> Measurement:
    """Seconds until what is written is in every repository, however little it is: its segment ends, and is pushed.

    Before a segment ends nobody has it but the primary, and the standby. Whoever looks has one ended and finds the
    archive fresh; between looks only this setting bounds what is lost with the servers.

    Args:
        timeout_s: The primary's `archive_timeout`; 0 when only full segments end, None when it was not asked.
        pushed_s: Within which a segment was seen to be pushed everywhere; unbounded when it was not.
        window: When it was looked at, on our clock.
        evidence: Paths of the raw data.
    """
    doubts = () if timeout_s is not None else ("the primary was not asked after how long it ends a segment of WAL",)
    within = None
    if timeout_s is not None:
        within = Interval(timeout_s, timeout_s + pushed_s) if timeout_s > 0 else Interval.exactly(math.inf)
    name = "time until what is written is in every repository"
    return Measurement(name, within, "s", 1, window, "pgbackrest and the primary", doubts, tuple(evidence))


def standby_lag(
    replayed: int | None,
    timelines: tuple[int, int],
    commits: Sequence[Commit],
    window: Window,
    evidence: Sequence[str] = (),
) -> Measurement:
    """Seconds since the oldest commit that a standby has not replayed, at the window's end.

    Args:
        replayed: The position up to which it has (`pg_last_wal_replay_lsn`); None when it does not stream.
        timelines: The primary's and the standby's: one on another timeline follows nobody.
        commits: Ours on the primary.
        window: From the first commit to when the standby was asked, on our clock.
        evidence: Paths of the raw data.
    """
    age: Interval | None = _MISSING
    if replayed is not None and timelines[0] == timelines[1]:
        age = wal.age_of_what_is_missing(replayed, commits, window.end_s)
    name = "age of the oldest commit that the standby lacks"
    return Measurement(name, age, "s", _looks(age, commits), window, "standby and primary", (), tuple(evidence))


def regions_without_repository(
    wanted: Mapping[str, str],
    stores: Mapping[int, str],
    keys: Sequence[int],
    window: Window,
    evidence: Sequence[str] = (),
) -> Measurement:
    """Number of regions in whose object store no repository is: what is lost with another region takes their backups.

    Args:
        wanted: Region to the endpoint of its store; empty when nobody has said.
        stores: Repository to the endpoint of the store that it is in; without those of which that is not known.
        keys: The repositories.
        window: When it was asked, on our clock.
        evidence: Paths of the raw data.
    """
    doubts = [f"the settings of pgbackrest do not tell where repository {key} is" for key in keys if key not in stores]
    if not wanted:
        doubts.append("the environment does not say where each region's is: recovery.backups.repositories")
    there = {store.lower() for store in stores.values()}
    without = [region for region, store in wanted.items() if store.lower() not in there]
    named = f": {', '.join(without)}; they are in {', '.join(sorted(there))}" if without and not doubts else ""
    count = None if doubts else Interval.exactly(len(without))
    name = f"regions without a repository of their own{named}"
    return Measurement(name, count, "regions", len(keys), window, _SOURCE, tuple(doubts), tuple(evidence))


def last_full(repository: Repository | None) -> Backup | None:
    """The last full backup in which no page was found wrong."""
    backups = () if repository is None else repository.backups
    return next((backup for backup in reversed(backups) if _good_full(backup)), None)


def _looks(age: Interval | None, commits: Sequence[Commit]) -> int:
    """That something is missing takes one look and no commit."""
    return max(len(commits), 1 if age is _MISSING else 0)


def _good_full(backup: Backup) -> bool:
    return backup.kind == "full" and backup.faulty is not True


def _of(repositories: Sequence[Repository], key: int) -> tuple[Repository | None, list[str]]:
    repository = next((it for it in repositories if it.key == key), None)
    if repository is None:
        return None, [f"pgbackrest does not tell of repository {key}: is it configured where it was asked?"]
    if not repository.readable:
        return repository, [f"repository {key} could not be read: {repository.message}"]
    return repository, []
