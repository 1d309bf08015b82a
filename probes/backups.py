"""Schedule objectives: what a recovery would find, from what a drill kept of the backups' host and of the databases."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from drillbook.domain import backup, pgbackrest
from drillbook.domain.backup import BackupSchedule
from drillbook.domain.backup_report import BackupReport
from drillbook.domain.interval import Interval
from drillbook.domain.measurement import Measurement, Window
from drillbook.domain.wal import Commit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

FILE = "backups/look.json"
"""In the drill's folder: a `Look`."""


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen once.

    Attributes:
        stanza: Of the database.
        report: What the backups' host said.
        asked_s: When it was asked; seconds since the epoch on the run's clock.
        answered_s: When its answer was there.
        commits: On the primary, made by users meanwhile.
        standby_s: When the standby was asked last.
        replayed: Up to which position it had replayed, in bytes; None when it did not stream.
        timelines: The primary's and the standby's.
        archive_timeout_s: After how long the primary ends a segment of WAL that is not full, 0 when never; None in a
            look that did not ask.
        schedules: By which the backups are made; None likewise.
    """

    stanza: str
    report: BackupReport
    asked_s: float
    answered_s: float
    commits: tuple[Commit, ...]
    standby_s: float
    replayed: int | None
    timelines: tuple[int, int]
    archive_timeout_s: float | None = None
    schedules: tuple[BackupSchedule, ...] | None = None

    @property
    def window(self) -> Window:
        """From the first commit to the answer."""
        return Window(min([self.asked_s, *(commit.asked_s for commit in self.commits)]), self.answered_s)

    @property
    def keys(self) -> tuple[int, ...]:
        """The repositories, by their numbers."""
        return tuple(sorted(self.report.archives))


def look(drill_dir: Path) -> Look:
    """What a drill kept.

    Raises:
        OSError: When there is no such file.
        ValueError: When it holds something else.
    """
    document: Any = json.loads((drill_dir / FILE).read_text(encoding="utf-8"))
    report = document["report"]
    archives = {int(key): str(listing) for key, listing in report["archives"].items()}
    replayed, archive_timeout_s = document["replayed"], document.get("archive_timeout_s")
    schedules = document.get("schedules")
    first, second = document["timelines"]
    return Look(
        stanza=str(document["stanza"]),
        report=BackupReport(
            float(report["began_s"]),
            float(report["ended_s"]),
            int(report["check_code"]),
            str(report["check_said"]),
            str(report["info"]),
            archives,
            {int(key): str(store) for key, store in report.get("stores", {}).items()},
        ),
        asked_s=float(document["asked_s"]),
        answered_s=float(document["answered_s"]),
        commits=tuple(Commit(**commit) for commit in document["commits"]),
        standby_s=float(document["standby_s"]),
        replayed=None if replayed is None else int(replayed),
        timelines=(int(first), int(second)),
        archive_timeout_s=None if archive_timeout_s is None else float(archive_timeout_s),
        schedules=None if schedules is None else tuple(BackupSchedule(**schedule) for schedule in schedules),
    )


def failed_checks(seen: Look) -> Measurement:
    """1 when WAL does not get into every repository, by `pgbackrest check`; else 0."""
    failed = seen.report.check_code != 0
    name = "archiving that does not work" + (f": {seen.report.check_said[:200]}" if failed else "")
    return Measurement(name, Interval.exactly(int(failed)), "problems", 1, seen.window, "pgbackrest", (), (FILE,))


def full_backup_age(seen: Look, key: int) -> Measurement:
    """Seconds since the last good full backup of a repository ended."""
    now = Interval(seen.report.began_s, seen.report.ended_s)
    return backup.full_backup_age(_repositories(seen), key, now, seen.window, (FILE,))


def full_backups_kept(seen: Look, key: int) -> Measurement:
    """Number of good full backups in a repository."""
    return backup.full_backups_kept(_repositories(seen), key, seen.window, (FILE,))


def schedules_suspended(seen: Look) -> Measurement:
    """Number of schedules by which the backups were to be made, and are not."""
    return backup.schedules_suspended(seen.schedules, seen.window, (FILE,))


def archive_age(seen: Look, key: int) -> Measurement:
    """Seconds since the oldest commit that a recovery from a repository alone would lack, once a segment was ended."""
    listing, repositories = seen.report.archives[key], _repositories(seen)
    folder = next((it.archive for it in repositories if it.key == key), None)
    archived = pgbackrest.archived(listing, folder) if listing else None
    return backup.archive_age(repositories, key, archived, seen.commits, seen.window, evidence=(FILE,))


def archived_within(seen: Look) -> Measurement:
    """Seconds until what is written is in every repository, however little it is."""
    report = seen.report
    # It waits until a segment is in every repository, and nothing that it does after that is counted out.
    pushed_s = report.ended_s - report.began_s if report.check_code == 0 else math.inf
    return backup.archived_within(seen.archive_timeout_s, pushed_s, seen.window, (FILE,))


def regions_without_repository(seen: Look, wanted: Mapping[str, str]) -> Measurement:
    """Number of regions in whose object store, whose endpoint is wanted of each, no repository is."""
    return backup.regions_without_repository(wanted, seen.report.stores, seen.keys, seen.window, (FILE,))


def standby_lag(seen: Look) -> Measurement:
    """Seconds since the oldest commit that the standby lacks."""
    window = Window(seen.window.start_s, max(seen.window.start_s, seen.standby_s))
    return backup.standby_lag(seen.replayed, seen.timelines, seen.commits, window, (FILE,))


def _repositories(seen: Look) -> Sequence[pgbackrest.Repository]:
    return pgbackrest.repositories(seen.report.info, seen.stanza)
