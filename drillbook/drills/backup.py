"""What the sentences about backups do: one look at what a recovery would find, kept for whoever judges it."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from drillbook import wiring
from drillbook.domain.pgbackrest import NotUnderstood
from drillbook.domain.restored import Restored
from drillbook.domain.wal import Commit
from drillbook.drills import recovery as recovery_drill
from drillbook.drills.seen import NotReady, not_said
from drillbook.ports import Unreachable
from drillbook.run.folder import write_json, write_text
from probes import backups, restores

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from drillbook.actions.recovery.plan import Recovery
    from drillbook.drills.drill import Drill
    from drillbook.ports import BackupHost, DatabaseStatus

_KEYS_BEGIN = "drill-"
_READ_BACK_S = 240.0
_COMMITS_WITHIN_S = 2.0
_REPLAYS_WITHIN_S = 10.0
_PACE_S = 0.2


def look(drill: Drill) -> None:
    """Ask the primary, the backups' host and the standby, while users write; ends the load.

    Raises:
        NotReady: When the environment does not say how backups are looked at, or one of them does not answer.
    """
    recovery = recovery_drill.recovery_of(drill)
    if recovery.backups is None:
        raise not_said(drill.platform.environment, "how its backups are looked at", "recovery.backups")
    try:
        seen = _look(drill, recovery, recovery.backups)
    except Unreachable as error:
        drill.end_load()
        raise NotReady(f"the backups cannot be looked at: {error}") from error
    (drill.folder / backups.FILE).parent.mkdir(parents=True, exist_ok=True)
    write_json(drill.folder / backups.FILE, asdict(seen))
    drill.timeline.record("observed", "looked at the backups, the archives and the standby", activity="look_at_backups")
    drill.end_load()


def restore_all(drill: Drill) -> None:
    """Restore each repository's backup to a moment while users write, and keep what was seen; ends the load.

    Raises:
        NotReady: When the environment does not say how, or a restore does not come to its end.
    """
    recovery, host = restorable(drill)
    # Restores of minutes have many writes to look up.
    drill.read_back_s = _READ_BACK_S
    try:
        _restore_all(drill, recovery, host)
    except Unreachable as error:
        # The load's window is told to whoever judges it again.
        drill.end_load()
        raise NotReady(f"the backups cannot be restored: {error}") from error
    drill.end_load()


def restorable(drill: Drill) -> tuple[Recovery, BackupHost]:
    """How a restore is made and compared.

    Raises:
        NotReady: When the environment does not say.
    """
    recovery = recovery_drill.recovery_of(drill)
    if recovery.backups is None or not recovery.written:
        raise not_said(drill.platform.environment, "how a restore is compared", "recovery.backups.written")
    return recovery, recovery.backups


def _restore_all(drill: Drill, recovery: Recovery, host: BackupHost) -> None:
    text = moment(drill, recovery)
    keys = tuple(sorted(host.report(mark(drill)).archives))
    restore_each(drill, recovery, host, text, keys)


def mark(drill: Drill) -> str:
    """Of the names of jobs; those of this drill have it."""
    return _prefix(drill).removeprefix(_KEYS_BEGIN)


def moment(drill: Drill, recovery: Recovery) -> str:
    """The database's time between two writes of users, which it is then restored to.

    Raises:
        Unreachable: When nobody writes, or the database does not answer.
    """
    clock, database = drill.session.clock, recovery.sites[recovery.home].database
    commit(drill, recovery)
    asked_s = clock.now()
    text = database.moment()
    answered_s = clock.now()
    _keep_moment(drill, restores.Moment(asked_s, answered_s, text, ()))
    # What comes after the moment has to be in the archive: a recovery knows by it that it has come far enough.
    commit(drill, recovery)
    return text


def restore_each(drill: Drill, recovery: Recovery, host: BackupHost, text: str, keys: tuple[int, ...]) -> None:
    """Restore each repository alone to the moment that was kept, and keep what was seen of it.

    Raises:
        Unreachable: When a restore does not come to its end, or a repository is not listed.
    """
    _see_all(drill, keys)
    _keep_moment(drill, replace(restores.moment(drill.folder), keys=keys))
    for key in keys:
        drill.timeline.record("intent", f"restore repository {key} to {text}", activity="restore", repository=key)
        printed = host.restore(mark(drill), key, text, recovery.written.replace("{prefix}", _prefix(drill)))
        write_text(drill.folder / restores.file_of(key), printed)
        drill.timeline.record("observed", _told(printed, key), activity="restore", repository=key)


def _see_all(drill: Drill, keys: Sequence[int]) -> None:
    """That as many repositories are listed as the environment names, and one at least: each is restored alone."""
    settings = drill.platform.environment.recovery
    named: Mapping[str, str] = settings.repositories if settings is not None else {}
    if len(keys) < max(1, len(named)):
        raise Unreachable(
            f"the backups' host lists {len(keys)} repositories ({', '.join(map(str, keys)) or 'none'}), and "
            f"recovery.backups.repositories names {', '.join(named.values()) or 'none'}: one that is not listed is "
            "restored by nobody"
        )


def _keep_moment(drill: Drill, at: restores.Moment) -> None:
    path = drill.folder / restores.MOMENT
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, asdict(at))


def _prefix(drill: Drill) -> str:
    return wiring.key_prefix(drill.session.folder.run_id, drill.id)


def _told(printed: str, key: int) -> str:
    try:
        found = Restored.printed(printed)
    except NotUnderstood as error:
        raise Unreachable(f"what the restore of repository {key} printed is not understood: {error}") from error
    size, restore_ms, recovery_ms = (found.number(name) for name in ("bytes", "restore-ms", "recovery-ms"))
    if size is None or restore_ms is None or recovery_ms is None:
        return f"repository {key} was not restored: {found.words('restore')}"
    seconds = max(restore_ms, 1.0) / 1000
    rate, events = size / seconds / 2**20, f"{len(found.events)} of the {len(found.originals)} events"
    return (
        f"repository {key}: {size / 2**20:.0f} MiB restored in {seconds:.1f} s ({rate:.0f} MiB/s), recovered in "
        f"{recovery_ms / 1000:.1f} s, with {events} that the primary has"
    )


def _look(drill: Drill, recovery: Recovery, host: BackupHost) -> backups.Look:
    clock, home, away = drill.session.clock, recovery.sites[recovery.home], recovery.sites[recovery.away]
    before = commit(drill, recovery)
    asked_s = clock.now()
    schedules, report = host.schedules(), host.report(mark(drill))
    answered_s = clock.now()
    commits = (before, commit(drill, recovery))
    primary, archive_timeout_s = home.database.status(), home.database.archive_timeout_s()
    standby = away.database.status()
    give_up_s = clock.now() + _REPLAYS_WITHIN_S
    while standby.position < commits[-1].after and clock.now() < give_up_s:
        clock.sleep(_PACE_S)
        standby = away.database.status()
    return backups.Look(
        recovery.stanza, report, asked_s, answered_s, commits, clock.now(), _replayed(standby),
        (primary.timeline, standby.timeline), archive_timeout_s, schedules,
    )  # fmt: skip


def commit(drill: Drill, recovery: Recovery) -> Commit:
    """One that users made while we looked on; what moves the log and is no commit of theirs only makes it stricter.

    Raises:
        Unreachable: When nobody writes.
    """
    clock, database = drill.session.clock, recovery.sites[recovery.home].database
    asked_s = clock.now()
    before = database.status().position
    while (after := database.status().position) == before:
        if clock.now() > asked_s + _COMMITS_WITHIN_S:
            raise Unreachable(f"nothing was written within {_COMMITS_WITHIN_S:g} s, though users are on the platform")
        clock.sleep(_PACE_S)
    return Commit(asked_s, clock.now(), before, after)


def _replayed(standby: DatabaseStatus) -> int | None:
    return standby.position if standby.receiving and not standby.primary else None
