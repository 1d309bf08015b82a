"""What experiments call in which something destroyed is brought back from a backup alone."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from drillbook import wiring
from drillbook.actions.recovery.destroyed import DetectDestroyed, usable
from drillbook.activities import Halted, activity, telling, wait_and_tell
from drillbook.activities.recovery import end_stage, recovery_of
from drillbook.domain.pgbackrest import repositories
from drillbook.domain.restored import Restored
from drillbook.domain.undo import FAULT
from drillbook.run.action import perform
from drillbook.run.folder import write_text
from probes import put_back, story

if TYPE_CHECKING:
    from drillbook.actions.recovery.destroyed import RestoreTable
    from drillbook.actions.recovery.plan import Recovery
    from drillbook.ports import BackupHost, LosableTable

_LOST_WITHIN_S = 60.0
_KEYS_BEGIN = "drill-"


@activity
def detect_destroyed() -> dict[str, Any]:
    """See that the table is gone, as whoever is on watch would."""
    drill = wiring.experiment()
    recovery = recovery_of(drill)
    table, _ = _parts(recovery)
    look = DetectDestroyed(table, recovery.home, drill.clock)
    seen = wait_and_tell(drill, look, "detect_destroyed", "detected", deadline_s=_LOST_WITHIN_S, pace_s=1.0)
    if not seen.holds:
        raise Halted(f"nothing is restored: {seen.text}, {_LOST_WITHIN_S:g} s after it was destroyed")
    end_stage(drill, "detect", seen.at_s)
    return {"seen": seen.text}


@activity
def decide_restore(repository: int) -> dict[str, Any]:
    """See what there is to restore from, and have the log of the destruction archived: by it a recovery sees its end.

    What is missing is told and keeps nobody from trying: nothing else is left.
    """
    drill = wiring.experiment()
    recovery = recovery_of(drill)
    _, host = _parts(recovery)
    moment_s = datetime.fromisoformat(_moment(drill)).timestamp()
    report = host.report(_mark(drill))
    found = {it.key: it for it in repositories(report.info, recovery.stanza)}
    begins = usable(found[repository].backups, moment_s) if repository in found else None
    archived = (
        "WAL gets into every repository" if report.check_code == 0 else f"WAL does not: {report.check_said[:200]}"
    )
    begin = f"from its backup {begins.label}" if begins else "which has no good backup from before that"
    text = f"restore repository {repository} to {_moment(drill)}, {begin}; {archived}"
    drill.timeline.record("decided", text, activity="decide_restore", check_code=report.check_code)
    end_stage(drill, "decide", drill.clock.now())
    return {"decided": text}


@activity
def restore_table(step: str, repository: int) -> dict[str, Any]:
    """Restore one repository alone beside the database, and put the table back."""
    drill = wiring.experiment()
    recovery = recovery_of(drill)
    telling.before(drill, recovery, step)
    written = recovery.written.replace("{prefix}", drill.prefix)
    action = recovery.restore_table(_mark(drill), repository, _moment(drill), written)
    try:
        done = perform(action, drill.journal, drill.timeline, drill.clock)
    finally:
        _keep(drill, action)
    end_stage(drill, "restore", done.observed_s)
    telling.after(drill, recovery, step)
    return done.answer


@activity
def decide_server() -> dict[str, Any]:
    """See that neither server is there any more: nothing is restored beside one that is."""
    drill = wiring.experiment()
    recovery = recovery_of(drill)
    said = [recovery.sites[region].said() for region in (recovery.home, recovery.away)]
    there = [region for region in (recovery.home, recovery.away) if recovery.sites[region].look() is not None]
    text = "; ".join(said)
    drill.timeline.record("decided", text, activity="decide_server", there=there)
    if there:
        raise Halted(f"nothing is restored: {text}")
    end_stage(drill, "decide", drill.clock.now())
    return {"decided": text}


@activity
def restore_server(step: str, repository: int) -> dict[str, Any]:
    """Restore one repository alone onto an empty volume, and have it be the primary."""
    drill = wiring.experiment()
    recovery = recovery_of(drill)
    telling.before(drill, recovery, step)
    done = perform(recovery.restore_server(repository), drill.journal, drill.timeline, drill.clock)
    end_stage(drill, "restore", done.observed_s)
    telling.after(drill, recovery, step)
    return done.answer


def _keep(drill: wiring.Experiment, action: RestoreTable) -> None:
    """What was seen of the restore, whatever became of it."""
    if not action.printed:
        return
    path = drill.folder / put_back.FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, action.printed)
    found = Restored.printed(action.printed)
    parts = {name: found.number(name) for name in ("bytes", "restore-ms", "recovery-ms", "put-back-ms")}
    told = ", ".join(f"{name} {value:.0f}" for name, value in parts.items() if value is not None)
    drill.timeline.record("note", f"what the restore told: {told}", activity="restore-table", parts=parts)


def _moment(drill: wiring.Experiment) -> str:
    """Just before the table was destroyed, as the standby has read it from the primary's log."""
    seen = [event for event in story.of(drill.events(), FAULT) if event.kind == "observed"]
    if not seen:
        raise Halted("nothing was seen to be destroyed, so there is nothing to restore")
    return str(seen[-1].data["moment"])


def _mark(drill: wiring.Experiment) -> str:
    return drill.prefix.removeprefix(_KEYS_BEGIN)


def _parts(recovery: Recovery) -> tuple[LosableTable, BackupHost]:
    if recovery.table is None or recovery.backups is None:
        raise Halted("not proved here: the environment does not say which table is restored, or how")
    return recovery.table, recovery.backups
