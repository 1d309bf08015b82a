"""Whether a deployment had its backup, by what pgBackRest says afterwards, the timeline and the restores from it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from drillbook.domain import pgbackrest, release_backup, wal
from drillbook.domain.interval import Interval
from drillbook.domain.measurement import Measurement, Window
from drillbook.domain.release_backup import BackupJob
from probes import restores, story

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from drillbook.run.timeline import Event

FILE = "backups/before_release.json"
"""In the drill's folder: a `Deployed`."""

_DEPLOY = "deploy-release"


@dataclass(frozen=True, slots=True)
class Deployed:
    """A deployment after a backup.

    Attributes:
        stanza: Of the database.
        job: What took the backup.
        info: `pgbackrest info --output=json`, asked for after the deployment.
        asked_s: When it was asked for; seconds since the epoch on the run's clock.
        answered_s: When it was there.
        before: The schema's revision before the deployment.
        after: And after it.
    """

    stanza: str
    job: BackupJob
    info: str
    asked_s: float
    answered_s: float
    before: str
    after: str


def deployed(drill_dir: Path) -> Deployed:
    """What a drill kept.

    Raises:
        OSError: When there is no such file.
        ValueError: When it holds something else.
    """
    found: Any = json.loads((drill_dir / FILE).read_text(encoding="utf-8"))
    return Deployed(
        stanza=str(found["stanza"]),
        job=BackupJob(**{name: float(value) for name, value in found["job"].items()}),
        info=str(found["info"]),
        asked_s=float(found["asked_s"]),
        answered_s=float(found["answered_s"]),
        before=str(found["before"]),
        after=str(found["after"]),
    )


def lead(drill_dir: Path, key: int, events: Sequence[Event]) -> Measurement:
    """Seconds from the end of a repository's last backup before the deployment to its first change."""
    seen = deployed(drill_dir)
    window = Window(seen.asked_s, seen.answered_s)
    try:
        found = pgbackrest.repositories(seen.info, seen.stanza)
    except pgbackrest.NotUnderstood as error:
        doubt = f"what pgbackrest says of its backups is not understood: {error}"
        return Measurement("backups", None, "s", 1, window, "pgbackrest", (doubt,), (FILE,))
    return release_backup.lead(found, key, _first_change(events), seen.job, window=window, evidence=(FILE,))


def restored_from_another(drill_dir: Path, key: int) -> Measurement:
    """1 when a repository's restore did not begin with its last backup before the deployment, 0 when it did.

    By the segment that the restored data itself names as the first that its recovery needs.
    """
    seen = deployed(drill_dir)
    started = restores.restored(drill_dir, key).words("from")
    last = _last_before(drill_dir, seen, key)
    doubts: tuple[str, ...] = ()
    wrong: Interval | None = None
    if last is None or last.wal_start is None:
        doubts = (f"there is no backup in repository {key} of which it could be said",)
    else:
        try:
            wrong = Interval.exactly(int(wal.segment(started) != last.wal_start))
        except ValueError:
            doubts = ("the restored data does not say from which segment on it is recovered",)
    name = f"restored from another backup than {last.label if last else 'one before the deployment'}"
    window = Window(seen.asked_s, seen.answered_s)
    return Measurement(
        name, wrong, "problems", 1, window, "the restored database", doubts, (FILE, restores.file_of(key))
    )


def unproven(drill_dir: Path, events: Sequence[Event]) -> Measurement:
    """Seconds between the moment that was restored and the deployment's first change."""
    at = restores.moment(drill_dir)
    return release_backup.unproven(at.asked_s, at.answered_s, _first_change(events), (restores.MOMENT,))


def migrated(drill_dir: Path) -> Measurement:
    """1 when the deployment changed the schema; one that did not shows nothing of what comes before a migration."""
    seen = deployed(drill_dir)
    changed = seen.before != seen.after
    doubts = () if changed else (f"the schema was at {seen.before or 'no revision'} before the deployment and after",)
    window = Window(seen.job.answered_s, seen.answered_s)
    return Measurement("migrations", Interval.exactly(int(changed)), "steps", 1, window, "database", doubts, (FILE,))


def _last_before(drill_dir: Path, seen: Deployed, key: int) -> pgbackrest.Backup | None:
    """Before the moment, which is before the deployment: no restore to it begins with a later one."""
    ahead = seen.job.ahead()
    if ahead is None:
        return None
    try:
        found = pgbackrest.repositories(seen.info, seen.stanza)
    except pgbackrest.NotUnderstood:
        return None
    repository = next((it for it in found if it.key == key), None)
    return release_backup.last_before(repository, restores.moment(drill_dir).asked_s, ahead)


def _first_change(events: Sequence[Event]) -> float:
    """Before anything was done: the deployment is meant first.

    Raises:
        ValueError: When nothing was deployed.
    """
    meant = [event.t_s for event in story.of(events, _DEPLOY) if event.kind == "intent"]
    if not meant:
        raise ValueError("nothing was deployed, so nothing can be said of what was there before")
    return min(meant)
