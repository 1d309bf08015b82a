"""What the experiment of a migration calls: its proof under load, with each release's users on that release."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from drillbook import wiring
from drillbook.actions.migration_proof import Proof
from drillbook.activities import Halted, activity
from drillbook.run.clock import SteadyClock
from drillbook.run.folder import append_line
from drillbook.run.load import Load
from probes import migration

if TYPE_CHECKING:
    from collections.abc import Mapping

    from drillbook.actions.migration import Migrated
    from drillbook.domain.migration.proof import Step
    from drillbook.ports.migration import LockWatching

_LOAD_STARTS_WITHIN_S = 45.0
_ANSWERED_AFTER_S = 2.0
"""Requests that met the last way's end are answered by then, or have run out of time."""


@dataclass(slots=True)
class _GoingOn:
    """The proof of this process' experiment."""

    proof: Proof
    watch: LockWatching
    loads: list[Load]
    since: str = ""
    """The snapshot in which the table was read after its back-fill was killed."""


_going_on: list[_GoingOn] = []


@activity
def begin_proof() -> dict[str, Any]:
    """Users on either release, whose writes the other is asked for; looks at the locks; what the table holds."""
    drill = wiring.experiment()
    migrated = _migrated(drill)
    older, newer = drill.platform.live_slot(), drill.platform.idle_slot()
    _note(drill, "settings", {"application": migrated.settings.application, "every_s": migrated.settings.every_s})
    loads = [
        _load(drill, migrated, migration.OLDER, older, newer),
        _load(drill, migrated, migration.NEWER, newer, older),
    ]
    for load in loads:
        load.wait_running(deadline_s=_LOAD_STARTS_WITHIN_S)
    watch = migrated.watched(drill.folder / migration.FOLDER / migration.LOOKS)
    watch.start()

    def note(kind: str, fact: Mapping[str, Any]) -> None:
        _note(drill, kind, fact)

    settings = migrated.settings
    proof = Proof(migrated.database, migrated.migrator, drill.clock, note, settings.after, settings.deadline_s)
    _going_on.append(_GoingOn(proof, watch, loads))
    rows = proof.read().rows
    drill.timeline.record("observed", f"both releases serve, over {rows} rows", activity="begin_proof", rows=rows)
    return {"rows": rows}


@activity
def migrate_up() -> dict[str, Any]:
    """The first way. One entry in the undo journal is for all of them: whatever dies, the schema goes back once.

    It goes back to where the drill began, also when the deployment of the newer release has taken it further already.
    """
    drill = wiring.experiment()
    migrated = _migrated(drill)
    settings, found = migrated.settings, migrated.database.revision()
    action = migrated.migrate(settings.after)
    drill.timeline.record("intent", action.describe(), action=action.name)
    arguments = {"arguments": dict(action.arguments), "before": {"revision": settings.before}}
    change = drill.journal.intend(action.name, arguments, drill.timeline.drill, action.touches)
    if found != settings.before:
        raise Halted(
            f"the schema is at {found or 'no revision'} before the first way, and not at that of release "
            f"{settings.older}, {settings.before}: if the deployment has migrated it, name as migrations.proof.newer a "
            "release that is deployed without its migration"
        )
    step = _of_this_experiment().proof.go("up", settings.after)
    drill.journal.done(change)
    return _went(step)


@activity
def migrate_down() -> dict[str, Any]:
    """Back, while the newer release still serves."""
    migrated = _migrated(wiring.experiment())
    return _went(_of_this_experiment().proof.go("down", migrated.settings.before))


@activity
def migrate_up_behind(hold_s: float) -> dict[str, Any]:
    """Up again, while somebody's transaction keeps the table for so many seconds."""
    migrated = _migrated(wiring.experiment())
    proof = _of_this_experiment().proof
    return _went(proof.go_behind_a_long_transaction("up again", migrated.settings.after, float(hold_s)))


@activity
def kill_backfill(at_rows: int) -> dict[str, Any]:
    """In its midst, with SIGKILL."""
    going = _of_this_experiment()
    going.since = going.proof.kill_a_backfill(int(at_rows))
    text = f"the back-fill was killed when {at_rows} rows were done"
    wiring.experiment().timeline.record("injected", text, activity="kill_backfill")
    return {"seen": text}


@activity
def try_to_contract() -> dict[str, Any]:
    """Ask for a step that ends the release which is live."""
    _of_this_experiment().proof.try_to_contract()
    text = "a contract step was asked for"
    wiring.experiment().timeline.record("observed", text, activity="try_to_contract")
    return {"seen": text}


@activity
def finish_backfill() -> dict[str, Any]:
    """Started again, to its end."""
    going = _of_this_experiment()
    if not going.since:
        raise Halted("no back-fill was killed")
    error = going.proof.finish_the_backfill(going.since)
    text = f"the back-fill was started again and {f'failed: {error}' if error else 'has ended'}"
    wiring.experiment().timeline.record("note" if error else "observed", text, activity="finish_backfill")
    return {"seen": text}


@activity
def end_proof() -> dict[str, Any]:
    """The last looks; the loads end, and each release is asked for what the other acknowledged."""
    drill, going = wiring.experiment(), _of_this_experiment()
    drill.clock.sleep(_ANSWERED_AFTER_S)
    going.watch.end()
    _migrated(drill).database.stop_looking()
    for problem in going.watch.unanswered[:1]:
        drill.timeline.record("note", f"a look at the locks was not answered: {problem}", activity="end_proof")
    for load in going.loads:
        load.ask_to_stop()
    for load in going.loads:
        load.stop()
    drill.timeline.record("observed", "what each release acknowledged was asked of the other", activity="end_proof")
    return {"unanswered": len(going.watch.unanswered)}


def _went(step: Step) -> dict[str, Any]:
    """Tell it; a way that did not lead where it was to decides the verdict, and what is left of the proof goes on."""
    took_s = step.end_s - step.start_s
    text = f"the way {step.name} led to {step.found or 'nothing'} in {took_s:.2f} s, and was to lead to {step.wanted}"
    if step.failed:
        text += ", and its command failed"
    elif step.began == step.found:
        text += ", and the schema was there before"
    kind = "observed" if step.led else "note"
    wiring.experiment().timeline.record(kind, text, activity="migrate", way=step.name, said=step.text)
    return {"seen": text, "took_s": took_s}


def _load(drill: wiring.Experiment, migrated: Migrated, who: str, slot: str, other: str) -> Load:
    platform = drill.platform
    output = drill.folder / who / "load"
    header = platform.environment.router.slot_header
    plan = wiring.load_plan(platform.environment, SteadyClock.from_environment(), output, f"{drill.prefix}-{who}")
    meter = {**plan["meter"], "rate_hz": migrated.settings.rate_hz}
    return Load.start(
        {
            **plan, "meter": meter, "analysts": 0, "collectors": 0, "headers": {header: slot},
            "read_back": {"headers": {header: other}},
        },
        output,
    )  # fmt: skip


def _note(drill: wiring.Experiment, kind: str, fact: Mapping[str, Any]) -> None:
    path = drill.folder / migration.FOLDER / migration.RECORD
    path.parent.mkdir(parents=True, exist_ok=True)
    append_line(path, {"kind": kind, **fact})


def _of_this_experiment() -> _GoingOn:
    if not _going_on:
        raise Halted("the proof of the migration has not begun")
    return _going_on[-1]


def _migrated(drill: wiring.Experiment) -> Migrated:
    found = drill.platform.migration
    if found is None:
        name = drill.platform.environment.name
        raise Halted(f"not proved here: the environment {name} does not say how a migration is proved")
    return found
