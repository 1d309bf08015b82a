"""What the sentences about backups do: one look at what a recovery would find, kept for whoever judges it."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from drillbook import recovery_drill, wiring
from drillbook.domain.wal import Commit
from drillbook.ports import Unreachable
from drillbook.run.folder import write_json
from drillbook.seen import NotReady
from probes import backups

if TYPE_CHECKING:
    from drillbook.actions.recovery.plan import Recovery
    from drillbook.drill import Drill
    from drillbook.ports import BackupHost, DatabaseStatus

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
        name = drill.platform.environment.name
        raise NotReady(f"not proved here: the environment {name} does not say how its backups are looked at")
    try:
        seen = _look(drill, recovery, recovery.backups)
    except Unreachable as error:
        raise NotReady(f"the backups cannot be looked at: {error}") from error
    (drill.folder / backups.FILE).parent.mkdir(parents=True, exist_ok=True)
    write_json(drill.folder / backups.FILE, asdict(seen))
    drill.timeline.record("observed", "looked at the backups, the archives and the standby", activity="look_at_backups")
    drill.end_load()


def _look(drill: Drill, recovery: Recovery, host: BackupHost) -> backups.Look:
    clock, home, away = drill.session.clock, recovery.sites[recovery.home], recovery.sites[recovery.away]
    before = _commit(drill, recovery)
    asked_s = clock.now()
    report = host.report(wiring.key_prefix(drill.session.folder.run_id, drill.id).removeprefix("drill-"))
    answered_s = clock.now()
    commits = (before, _commit(drill, recovery))
    primary = home.database.status()
    standby = away.database.status()
    give_up_s = clock.now() + _REPLAYS_WITHIN_S
    while standby.position < commits[-1].after and clock.now() < give_up_s:
        clock.sleep(_PACE_S)
        standby = away.database.status()
    return backups.Look(
        recovery.stanza, report, asked_s, answered_s, commits, clock.now(), _replayed(standby),
        (primary.timeline, standby.timeline),
    )  # fmt: skip


def _commit(drill: Drill, recovery: Recovery) -> Commit:
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
