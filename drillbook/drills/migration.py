"""What a scenario about a migration does: the table made ready, and the experiment that proves it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drillbook.drills.seen import NotReady
from drillbook.run.action import perform

if TYPE_CHECKING:
    from drillbook.actions.migration import Migrated
    from drillbook.drills.drill import Drill


def prepare(drill: Drill, rows: int, release: str) -> None:
    """Enough rows in the table, and the schema of the older release.

    Raises:
        NotReady: When the environment does not say how a migration is proved, or proves another release's.
        Conflict: When the schema is where nobody knows the way back from.
    """
    migrated = _migrated(drill)
    older = drill.platform.version_of(migrated.settings.older)
    if older != drill.platform.version_of(release):
        raise NotReady(f"the environment proves the migration from release {older}, and not from {release}")
    schema = migrated.migrate(migrated.settings.before)
    # Refused before rows are added, which take long to remove again.
    schema.capture()
    perform(migrated.seed(rows), drill.journal, drill.timeline, drill.session.clock)
    if migrated.database.revision() != migrated.settings.before:
        perform(schema, drill.journal, drill.timeline, drill.session.clock)


def prove(drill: Drill, release: str, hold_s: float) -> None:
    """The experiment `migration`.

    Raises:
        NotReady: When the environment does not say how a migration is proved, or proves another release's.
    """
    newer = _migrated(drill).settings.newer
    drill.release = drill.platform.version_of(newer)
    if drill.release != drill.platform.version_of(release):
        raise NotReady(f"the environment proves the migration of release {drill.release}, and not of {release}")
    drill.run_experiment("migration", release=newer, hold_s=f"{hold_s:g}")


def kill_backfill(drill: Drill, at_rows: int) -> None:
    """The experiment `backfill`.

    Raises:
        NotReady: When the environment does not say how a migration is proved, or how a back-fill is seen.
    """
    settings = _migrated(drill).settings
    if not settings.progress:
        name = drill.platform.environment.name
        raise NotReady(f"not proved here: {name} does not say how far a back-fill is; see migrations.proof.progress")
    if not settings.table.unfilled:
        name = drill.platform.environment.name
        lacks = "which rows a back-fill has still to fill; see migrations.proof.table.unfilled"
        raise NotReady(f"not proved here: {name} does not say {lacks}")
    drill.release = drill.platform.version_of(settings.newer)
    drill.run_experiment("backfill", release=settings.newer, at_rows=str(at_rows))


def _migrated(drill: Drill) -> Migrated:
    if drill.platform.migration is None:
        name = drill.platform.environment.name
        raise NotReady(f"not proved here: {name} does not say how a migration is proved; see migrations.proof")
    return drill.platform.migration
