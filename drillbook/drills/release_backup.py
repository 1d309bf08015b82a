"""What the sentence about a backup before a release does: back up, deploy with the migration, take back, restore."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from drillbook.domain.release_backup import BackupJob
from drillbook.drills import backup
from drillbook.drills.seen import NotOffered, NotReady, not_said
from drillbook.ports import Conflict, Unreachable
from drillbook.run.action import NotObserved, perform
from drillbook.run.folder import write_json
from probes import release_backup

if TYPE_CHECKING:
    from drillbook.actions.migration import Migrated
    from drillbook.actions.recovery.plan import Recovery
    from drillbook.domain.undo import Change
    from drillbook.drills.drill import Drill
    from drillbook.ports import BackupHost

_CUT_S = 1.0
"""A backup's end is kept in whole seconds: what comes this much later is later whatever was cut."""


def deploy_after_backup(drill: Drill, version: str) -> None:
    """Back up, deploy a release with its migration, take both back, restore to just before; ends the load.

    The backup stays as long as retention keeps it: it is a good one, and no full backup goes for it.

    Raises:
        NotReady: When the environment does not say how, or one of these does not come to its end.
    """
    recovery, host = backup.restorable(drill)
    migrated = _migrated(drill, version)
    drill.release = version
    try:
        _deploy_after_backup(drill, recovery, host, migrated)
    except (Conflict, NotObserved, Unreachable) as error:
        drill.end_load()
        raise NotReady(f"the release was not deployed after a backup, or not restored from it: {error}") from error
    drill.end_load()


def _deploy_after_backup(drill: Drill, recovery: Recovery, host: BackupHost, migrated: Migrated) -> None:
    job = _back_up(drill, host)
    drill.session.clock.sleep(_CUT_S)
    text = backup.moment(drill, recovery)
    before = migrated.database.revision()
    changes = _deploy(drill, migrated)
    after = migrated.database.revision()
    drill.timeline.record("observed", f"the schema went from {before} to {after}", activity="migrate")
    # What users write from now on is of after the moment.
    backup.commit(drill, recovery)
    _take_back(drill, changes)
    clock = drill.session.clock
    asked_s = clock.now()
    report = host.report(backup.mark(drill))
    seen = release_backup.Deployed(recovery.stanza, job, report.info, asked_s, clock.now(), before, after)
    write_json(drill.folder / release_backup.FILE, asdict(seen))
    backup.restore_each(drill, recovery, host, text, tuple(sorted(report.archives)))


def _back_up(drill: Drill, host: BackupHost) -> BackupJob:
    clock = drill.session.clock
    drill.timeline.record("intent", "back the database up before the release is deployed", activity="back_up")
    asked_s = clock.now()
    began_s, ended_s = host.back_up(backup.mark(drill))
    job = BackupJob(asked_s, began_s, ended_s, clock.now())
    text = f"every repository has a new backup, after {ended_s - began_s:.1f} s"
    drill.timeline.record("observed", text, activity="back_up")
    return job


def _deploy(drill: Drill, migrated: Migrated) -> list[Change]:
    """With its migration, whose way back is in the journal before the deployment begins; answers what is to be undone.

    The release is cleared away first, and then the schema goes back.
    """
    schema = migrated.migrate(migrated.settings.after)
    arguments = {"arguments": dict(schema.arguments), "before": dict(schema.capture())}
    change = drill.journal.intend(schema.name, arguments, drill.timeline.drill, schema.touches)
    action = drill.platform.deploy(drill.platform.idle_slot(), drill.release)
    done = perform(action, drill.journal, drill.timeline, drill.session.clock)
    drill.journal.done(change)
    return [done.change, change]


def _take_back(drill: Drill, changes: list[Change]) -> None:
    """As an operator would before a restore; what cannot be taken back now is tried again at the drill's end.

    Raises:
        Unreachable: When one of them is not.
    """
    for change in changes:
        found = drill.journal.settle(change, drill.platform.undo, drill.session.clock)
        kind = "recovered" if found.restored else "note"
        drill.timeline.record(kind, found.text, at_s=found.at_s, activity="take_back", failed=not found.restored)
        if not found.restored:
            raise Unreachable(f"{change.action} could not be taken back: {found.text}")


def _migrated(drill: Drill, version: str) -> Migrated:
    found, name = drill.platform.migration, drill.platform.environment.name
    if found is None:
        raise not_said(drill.platform.environment, "how a migration is proved", "migrations.proof")
    newer = drill.platform.version_of(found.settings.newer)
    if newer != version:
        raise NotOffered(
            f"the environment {name} proves the migration of release {newer}, and not of {version}; see "
            "migrations.proof.newer"
        )
    return found
