"""Backups, archives and the standby: whether what a recovery needs is there and fresh."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_bdd import parsers, then, when

from drillbook.domain.restored import RUNGS
from drillbook.drills import backup
from drillbook.drills import release_backup as release_backup_drill
from probes import backups, release_backup, restores

if TYPE_CHECKING:
    from drillbook.drills.drill import Drill


@when("the backups, the archives and the standby are looked at")
def _(drill: Drill) -> None:
    backup.look(drill)


@when("each repository alone is restored, where nothing is, to a moment between two writes")
def _(drill: Drill) -> None:
    backup.restore_all(drill)


@when(
    parsers.parse(
        "the database is backed up, release {release} is deployed with its migration and taken back, and the backups "
        "restored"
    )
)
def _(drill: Drill, release: str) -> None:
    release_backup_drill.deploy_after_backup(drill, drill.platform.version_of(release))


@then(
    parsers.parse(
        "in each repository a backup was complete at most {limit_s:g} s before the deployment, and not after it began"
    )
)
def _(drill: Drill, limit_s: float) -> None:
    for key in restores.moment(drill.folder).keys:
        measured = release_backup.lead(drill.folder, key, drill.seen.events)
        statement = f"repository {key} has a backup that was complete before the deployment began"
        drill.check(f"release_backup.before.{key}", statement, "at_least", 0, measured)
        statement = f"the last backup before it in repository {key} is at most {limit_s:g} s older"
        drill.check(f"release_backup.age.{key}", statement, "at_most", limit_s, measured)


@then("the deployment migrated the database")
def _(drill: Drill) -> None:
    measured = release_backup.migrated(drill.folder)
    drill.check("release_backup.migrated", "the deployment takes the schema further", "at_least", 1, measured)


@then(
    parsers.parse(
        "each repository alone was restored, from that backup, to at most {limit_s:g} s before the deployment"
    )
)
def _(drill: Drill, limit_s: float) -> None:
    for key in restores.moment(drill.folder).keys:
        measured = release_backup.restored_from_another(drill.folder, key)
        statement = f"repository {key} is restored from the backup before the deployment"
        drill.check(f"release_backup.from.{key}", statement, "at_most", 0, measured)
    measured = release_backup.unproven(drill.folder, drill.seen.events)
    statement = f"it is restored to at most {limit_s:g} s before the deployment"
    drill.check("release_backup.until", statement, "at_most", limit_s, measured)


@then("of each the whole ladder holds, from its verification to a server that takes writes")
def _(drill: Drill) -> None:
    for key in restores.moment(drill.folder).keys:
        for name, statement in RUNGS.items():
            measured = restores.rung(drill.folder, key, name)
            drill.check(f"restore.{name}.{key}", f"repository {key}: {statement}", "at_most", 0, measured)


@then("every event that was acknowledged before that moment is restored, and none that was sent after it")
def _(drill: Drill) -> None:
    for key in restores.moment(drill.folder).keys:
        measured = restores.lost(drill.folder, key)
        drill.check(f"restore.lost.{key}", f"repository {key} brings back every event", "at_most", 0, measured)
        measured = restores.beyond(drill.folder, key)
        drill.check(f"restore.beyond.{key}", f"repository {key} is restored no further", "at_most", 0, measured)


@then("every restored event is what the primary has")
def _(drill: Drill) -> None:
    for key in restores.moment(drill.folder).keys:
        measured = restores.altered(drill.folder, key)
        drill.check(f"restore.altered.{key}", f"repository {key} alters no event", "at_most", 0, measured)


@then("WAL gets into every repository")
def _(drill: Drill) -> None:
    measured = backups.failed_checks(backups.look(drill.folder))
    drill.check("backup.check", "a segment that ends now is archived everywhere", "at_most", 0, measured)


@then(parsers.parse("every repository has a full backup of the last {hours:g} h, and {count:d} of them at least"))
def _(drill: Drill, hours: float, count: int) -> None:
    seen = backups.look(drill.folder)
    for key in seen.keys:
        statement = f"the last full backup in repository {key} is at most {hours:g} h old"
        drill.check(f"backup.age.{key}", statement, "at_most", hours * 3600, backups.full_backup_age(seen, key))
        statement = f"repository {key} keeps at least {count} full backups"
        drill.check(f"backup.kept.{key}", statement, "at_least", count, backups.full_backups_kept(seen, key))


@then("no schedule by which the backups are made is suspended")
def _(drill: Drill) -> None:
    measured = backups.schedules_suspended(backups.look(drill.folder))
    drill.check("backup.suspended", "no schedule of the backups is suspended", "at_most", 0, measured)


@then(parsers.parse("a recovery from any repository alone would lack nothing older than {hours:g} h"))
def _(drill: Drill, hours: float) -> None:
    seen, limit_s = backups.look(drill.folder), _point_s(drill, hours)
    for key in seen.keys:
        statement = f"a recovery from repository {key} alone lacks nothing older than {limit_s:g} s"
        drill.check(f"backup.archive.{key}", statement, "at_most", limit_s, backups.archive_age(seen, key))


@then(parsers.parse("however little is written, its segment ends and is in every repository within {hours:g} h"))
def _(drill: Drill, hours: float) -> None:
    measured, limit_s = backups.archived_within(backups.look(drill.folder)), _point_s(drill, hours)
    statement = f"however little is written, its segment ends and is in every repository within {limit_s:g} s"
    drill.check("backup.ends_segments", statement, "at_most", limit_s, measured)


@then("every region of the environment has a repository of its own")
def _(drill: Drill) -> None:
    recovery = drill.platform.environment.recovery
    wanted = {} if recovery is None else recovery.repositories
    measured = backups.regions_without_repository(backups.look(drill.folder), wanted)
    drill.check("backup.regions", "every region has a repository in its own object store", "at_most", 0, measured)


@then(parsers.parse("the standby lacks nothing older than {limit_s:g} s"))
def _(drill: Drill, limit_s: float) -> None:
    measured = backups.standby_lag(backups.look(drill.folder))
    drill.check("backup.standby", f"the standby is at most {limit_s:g} s behind", "at_most", limit_s, measured)


def _point_s(drill: Drill, hours: float) -> float:
    """The recovery point in seconds: the feature's, or the environment's where that is stricter."""
    return min(hours * 3600, drill.objectives.recovery_point_s)
