"""What a scenario about a migration does: the table made ready, and the experiment that proves it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drillbook.drills import release as release_drill
from drillbook.drills.seen import NotOffered, not_said
from drillbook.run.action import perform

if TYPE_CHECKING:
    from drillbook.actions.migration import Migrated
    from drillbook.drills.drill import Drill

_WAYS = 4
"""Up, down and up, and the one back; of a back-fill up, until it is killed, on to its end, and the one back."""


def prepare(drill: Drill, rows: int, release: str) -> None:
    """Enough rows in the table, and the schema of the older release.

    Raises:
        NotOffered: When the environment does not say how a migration is proved, or proves another release's.
        Conflict: When the schema is where nobody knows the way back from.
    """
    migrated = _migrated(drill)
    older = drill.platform.version_of(migrated.settings.older)
    if older != drill.platform.version_of(release):
        raise NotOffered(
            f"the environment proves the migration from release {older}, and not from {release}; see "
            "migrations.proof.older"
        )
    schema = migrated.migrate(migrated.settings.before)
    # Refused before rows are added, which take long to remove again.
    schema.capture()
    perform(migrated.seed(rows), drill.journal, drill.timeline, drill.session.clock)
    if migrated.database.revision() != migrated.settings.before:
        perform(schema, drill.journal, drill.timeline, drill.session.clock)


def prove(drill: Drill, release: str, hold_s: float) -> None:
    """The experiment `migration`.

    Raises:
        NotOffered: When the environment does not say how a migration is proved, or proves another release's.
    """
    newer = _migrated(drill).settings.newer
    drill.release = drill.platform.version_of(newer)
    if drill.release != drill.platform.version_of(release):
        raise NotOffered(
            f"the environment proves the migration of release {drill.release}, and not of {release}; see "
            "migrations.proof.newer"
        )
    drill.run_experiment("migration", deadline_s=_within_s(drill) + hold_s, release=newer, hold_s=f"{hold_s:g}")


def kill_backfill(drill: Drill, at_rows: int) -> None:
    """The experiment `backfill`.

    Raises:
        NotOffered: When the environment does not say how a migration is proved, or how a back-fill is seen.
    """
    settings = _migrated(drill).settings
    if not settings.progress:
        raise not_said(drill.platform.environment, "how far a back-fill is", "migrations.proof.progress")
    if not settings.table.unfilled:
        key = "migrations.proof.table.unfilled"
        raise not_said(drill.platform.environment, "which rows a back-fill has still to fill", key)
    drill.release = drill.platform.version_of(settings.newer)
    drill.run_experiment("backfill", deadline_s=_within_s(drill), release=settings.newer, at_rows=str(at_rows))


def _within_s(drill: Drill) -> float:
    """Deadline of an experiment with a release and ways of its migration, in seconds: one cut off leaves half of it."""
    return release_drill.within_s(drill) + _WAYS * _migrated(drill).settings.deadline_s


def _migrated(drill: Drill) -> Migrated:
    if drill.platform.migration is None:
        raise not_said(drill.platform.environment, "how a migration is proved", "migrations.proof")
    return drill.platform.migration
