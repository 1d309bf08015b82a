"""What the sentences about recoveries do: the topology that they start from, their experiments, their windows."""

from __future__ import annotations

import math
from dataclasses import astuple, replace
from pathlib import Path
from typing import TYPE_CHECKING

from drillbook import wiring
from drillbook.beside import archive_watch, fencing_ledger
from drillbook.domain import runbook
from drillbook.domain.communication import AUDIENCES
from drillbook.domain.interval import Interval
from drillbook.domain.measurement import Window
from drillbook.domain.undo import FAULT
from drillbook.domain.wording import span
from drillbook.drills import topology
from drillbook.drills.seen import NotOffered, NotReady, not_said
from drillbook.run import yaml_file
from drillbook.run.load import Load
from probes import archive, recovery, story

if TYPE_CHECKING:
    from drillbook.actions.recovery.plan import Recovery
    from drillbook.domain.communication import Notice
    from drillbook.domain.recovery_time import RecoveryTime
    from drillbook.domain.traffic import Connection
    from drillbook.drills.drill import Drill

EXPERIMENTS = Path(__file__).resolve().parents[2] / "experiments"

_READ_BACK_S = 240.0
"""For the writes of ten minutes at 60 a second, looked up at 150 a second: a region that just came back is slow."""

_TRIES_HZ = 10.0
_TRIED_FOR_S = 2.0
"""The fencing ledger tries so often, and each time for so long."""

_LOOKS_EVERY_S = 1.0
_LOOKS_FOR_S = 2.0
"""The archive watch looks so often, and waits so long for each answer."""

_MOVED_WITHIN_S = 600.0
"""Each step has 2 min, of which those that the name's time to live is waited for in need a good part."""

REGION_LOSSES = {
    "is cut from the network": "cut",
    "loses all its nodes": "nodes",
    "lives on, parted from the other region": "partition",
}
"""What a region may suffer, as features say it, and its name among the environment's faults."""

TOLD_OF = {
    "the switchover": ("switchover",),
    "the failover and the failback": ("failover_of_database", "failback_of_database"),
}
"""Experiments of whose steps people are told, as features say it."""

_RECOVERED_WITHIN_S = 1320.0
"""Detection, fence and each step have deadlines of 2 min, of which an orderly one needs seconds, as on the way back;
the name's time to live is waited for twice."""
_RESTORED_WITHIN_S = 1320.0
"""The job that restores has 15 min; what comes before and after it, deadlines of 2 min."""
_SWITCHOVER_WITHIN_S = 420.0
"""Each way has its steps' deadlines of 2 min, of which an orderly one needs seconds; then comes the way back."""


def start(drill: Drill) -> None:
    """The primary region has the database and the public, and the other one's standby streams.

    Raises:
        NotReady: When it is not so, or the environment does not say how it is recovered.
    """
    seen = topology.settled(recovery_of(drill), drill.session.clock)
    if not seen.data:
        raise NotReady(f"the regions cannot be looked at: {seen.text}")
    if not seen.holds:
        wrong = "; ".join(topology.differences([seen.data, seen.data]))
        raise NotReady(f"{wrong}: put the platform back with `drillbook recover`, or look at it yourself")
    topology.tell(drill.timeline, seen)
    drill.read_back_s = _READ_BACK_S


def watch_primary(drill: Drill) -> None:
    """Keep trying to write to the home database at its own address, from now on to the end of the experiment.

    Raises:
        NotReady: When nobody has said how it is reached.
        LoadError: When it takes no write.
    """
    direct, folder = recovery_of(drill).direct, drill.session.folder
    if direct is None:
        raise not_said(
            drill.platform.environment, "how its database is reached directly", "recovery.database.addresses"
        )
    plan = fencing_ledger.Plan(
        address=direct.address,
        password=direct.password,
        rate_hz=_TRIES_HZ,
        timeout_s=_TRIED_FOR_S,
        namespace=wiring.key_prefix(folder.run_id, drill.id),
        output=drill.folder / "fencing",
        clock=drill.session.clock,
    )
    beside = Load.start(plan.document(), plan.output, module="drillbook.beside.fencing_ledger", called="fencing ledger")
    drill.accompany(beside)
    drill.timeline.record("note", "the fencing ledger writes to the primary database", activity="fencing_ledger")


def watch_archive(drill: Drill) -> None:
    """Look at how far the archive reaches, in both regions, from now on to the end of the experiment.

    Raises:
        NotReady: When nobody has said how the databases are reached.
        LoadError: When none of them answers as a primary.
    """
    recovery_of(drill)
    environment = drill.platform.environment
    settings = environment.recovery
    if settings is None:
        raise not_said(environment, "where its databases are", "recovery.database.addresses")
    plan = archive_watch.Plan(
        addresses=settings.addresses,
        password=settings.password,
        every_s=_LOOKS_EVERY_S,
        timeout_s=_LOOKS_FOR_S,
        output=drill.folder / archive.FOLDER,
        clock=drill.session.clock,
    )
    beside = Load.start(plan.document(), plan.output, module="drillbook.beside.archive_watch", called="archive watch")
    drill.accompany(beside)
    drill.timeline.record("note", "the archive is looked at all the time", activity="archive_watch")


def knows_whom_to_tell(drill: Drill) -> None:
    """Raises NotReady unless the environment says where each audience of the communication plan is told."""
    teller = recovery_of(drill).teller
    missing = [words for audience, words in AUDIENCES.items() if teller is None or audience not in teller.channels]
    if missing:
        raise not_said(
            drill.platform.environment, f"where {' and '.join(missing)} is told", "recovery.communication.channels"
        )


def switch_over(drill: Drill) -> None:
    """The experiment `switchover`, whose way back is a switch as well."""
    drill.run_experiment("switchover", deadline_s=_SWITCHOVER_WITHIN_S)


def move_traffic(drill: Drill) -> None:
    """The experiment `traffic_moved`."""
    drill.run_experiment("traffic_moved", deadline_s=_MOVED_WITHIN_S)


def led(drill: Drill, step: str, until: str) -> Window:
    """From where the public was led somewhere by a step to where another one began, or the experiment's way back.

    Raises:
        NotReady: When it never was.
    """
    whole = drill.seen.since(step, "injected" if step == "move-traffic" else "intent")
    later_s = story.moment(drill.seen.events, until, "intent")
    ends = [whole.end_s, *([later_s] if later_s is not None and later_s > whole.start_s else [])]
    return Window(whole.start_s, min(ends))


def lose_region(drill: Drill, loss: str) -> None:
    """The experiments `failover` and `failback`, as one.

    Raises:
        NotReady: When nobody has said how the region is lost that way here.
    """
    _fail_over(drill, "failover", "failback", REGION_LOSSES[loss])


def lose_database(drill: Drill, moment: str = "any") -> None:
    """The experiments `failover_of_database` and `failback_of_database`, as one; raises NotReady as `lose_region` does.

    The loss comes at one of `archive_age.MOMENTS`.
    """
    _fail_over(drill, "failover_of_database", "failback_of_database", "server", moment=moment)


def destroy_table(drill: Drill) -> None:
    """The experiment `data_destroyed`.

    Raises:
        NotReady: When nobody has said which table may be destroyed here.
    """
    try:
        recovery_of(drill).fault("table")
    except ValueError as error:
        raise NotOffered(f"{error}; see recovery.losses") from error
    drill.run_experiment("data_destroyed", deadline_s=_RESTORED_WITHIN_S)


def lose_servers(drill: Drill) -> None:
    """The experiment `both_servers_gone`.

    Raises:
        NotReady: When nobody has said that both servers may be lost here.
    """
    try:
        recovery_of(drill).fault("servers")
    except ValueError as error:
        raise NotOffered(f"{error}; see recovery.losses") from error
    drill.run_experiment("both_servers_gone", deadline_s=_RESTORED_WITHIN_S)


def restored(drill: Drill) -> Interval:
    """Since when nobody but what is restored can acknowledge a write: the order, for both servers are gone by then.

    It takes users' writes before anybody has seen that it does.

    Raises:
        NotReady: When it was never ordered.
    """
    return Interval.exactly(_moment(drill, "restore-server", "intent"))


def suffers(drill: Drill) -> bool:
    """Whether a loss that is drilled has come about: what it does to pods and users is what is drilled."""
    return story.moment(drill.seen.events, FAULT, "intent") is not None


def moves_database(drill: Drill) -> bool:
    """Whether a planned switch has begun: a pod is not ready while no server takes writes, and none of them is away.

    How long that may last is what is drilled; users' answers are still watched.
    """
    return story.moment(drill.seen.events, "switch-over", "intent") is not None


def serves_again(drill: Drill) -> bool:
    """Whether users were seen to be served well after it: from there on nothing may happen to them any more."""
    return story.moment(drill.seen.events, "await_good_service", "observed") is not None


def _fail_over(drill: Drill, name: str, back: str, how: str, **configuration: str) -> None:
    try:
        recovery_of(drill).fault(how)
    except ValueError as error:
        raise NotOffered(f"{error}; see recovery.losses") from error
    drill.run_experiment(name, back, deadline_s=_RECOVERED_WITHIN_S, how=how, **configuration)


def check_moment(drill: Drill, least: float) -> None:
    """Hold the archive at the loss against the most that it ever lacks.

    A loss that came at another moment breaks no promise, and shows nothing about this one.

    Raises:
        NotReady: When it never bit.
    """
    measured = archive.share_at(drill.folder, loss(drill))
    if measured.interval is not None and measured.interval.low < least:
        found = span(measured.interval, "ratio")
        doubt = f"the loss came when the archive lacked {found} of the most that it ever does, not at its worst"
        measured = replace(measured, doubts=(*measured.doubts, doubt))
    statement = f"the loss comes when the archive lacks {least:.0%} of the most that it ever does"
    drill.check("drill.moment", statement, "at_least", least, measured)


def loss(drill: Drill) -> Interval:
    """When the fault came about.

    Raises:
        NotReady: When it never bit.
    """
    found = recovery.fault(drill.seen.events)
    if found is None:
        raise NotReady("what was to go wrong was never seen to, so nothing can be measured from there")
    return found


def fenced(drill: Drill) -> Interval:
    """When the lost primary was seen to be fenced.

    Raises:
        NotReady: When it never was.
    """
    return Interval.exactly(_moment(drill, "fence-primary", "observed"))


def promotion(drill: Drill) -> Interval:
    """When the new primary began to take writes: from the order to the look that saw it.

    Raises:
        NotReady: When there never was one.
    """
    ordered_s = _moment(drill, "promote-standby", "intent")
    return Interval(ordered_s, max(ordered_s, _moment(drill, "promote-standby", "observed")))


def watched_until_s(drill: Drill) -> float:
    """Where the way back begins: with the end of the fault, or with the putting back of what was not finished."""
    ends = [story.moment(drill.seen.events, name, "intent") for name in ("end_fault", "put_back")]
    return min([drill.seen.window.end_s, *(at_s for at_s in ends if at_s is not None)])


def fenced_until_s(drill: Drill) -> float:
    """Until when the lost primary had to stay fenced: where it was handed its place back."""
    ends = [story.moment(drill.seen.events, name, "intent") for name in ("switch-back", "put_back")]
    return min([drill.seen.window.end_s, *(at_s for at_s in ends if at_s is not None)])


def window_of_failback(drill: Drill) -> Window:
    """From where the recovery time's watch ends, or the place was handed back, to the end of the load.

    What was lost may pull users to itself as soon as it is back, long before it leads again.

    Raises:
        NotReady: When the place was never handed back.
    """
    start_s = min(_moment(drill, "switch-back", "intent"), watched_until_s(drill))
    return Window(start_s, max(start_s, drill.seen.window.end_s))


def served_again(drill: Drill, until_s: float) -> Window:
    """The last stretch before the way back that users were seen to be served well.

    Raises:
        NotReady: When they never were.
    """
    looks = [event for event in story.of(drill.seen.events, "await_good_service") if event.kind == "observed"]
    if not looks:
        raise NotReady("users were never seen to be served well again, so nothing can be measured from there")
    first = looks[0]
    start_s = first.t_s - float(first.data["lasted_s"])
    return Window(start_s, max(start_s, min(first.t_s, until_s)))


def regions(drill: Drill) -> tuple[str, str]:
    """The region that is the primary when all is well, and the other one, as the drill found them.

    Raises:
        NotReady: When nobody looked.
    """
    looks = topology.told(drill.seen.events)
    if not looks:
        raise NotReady("nobody looked at the regions when the drill began")
    return str(looks[0]["home"]), str(looks[0]["away"])


def communication_plan(drill: Drill, told_of: str) -> list[tuple[str, tuple[Notice, ...]]]:
    """The steps of experiments with whom their runbook names, as features call them: see `TOLD_OF`."""
    home, away = regions(drill)
    steps: list[str] = []
    for name in TOLD_OF[told_of]:
        _, document = yaml_file.read(EXPERIMENTS / f"{name}.yaml")
        taken = runbook.steps_of(document)
        steps += [*taken, *(runbook.TOLD_WHEN_UNDONE[name] for name in taken if name in runbook.TOLD_WHEN_UNDONE)]
    return [(name, runbook.step(name, {"home": home, "away": away}).tell) for name in steps]


def tell_stages(drill: Drill, connection: Connection, found: RecoveryTime) -> None:
    """Write down how long each stage of the recovery took, in seconds: the least and the most."""
    parts = recovery.stages(drill.seen.events, loss(drill), found)
    text = ", ".join(f"{part.name} {span(part.length, 's')}" for part in parts)
    lengths = {part.name: [bound if math.isfinite(bound) else None for bound in astuple(part.length)] for part in parts}
    drill.timeline.record(
        "note",
        f"stages of the recovery on {connection} connections: {text}",
        activity="stages",
        stages=lengths,
        connection=connection.value,
    )


def _moment(drill: Drill, activity: str, kind: str) -> float:
    found = story.moment(drill.seen.events, activity, kind)
    if found is None:
        raise NotReady(f"the experiment never came to {activity} ({kind}), so nothing can be measured from there")
    return found


def window_of_way_back(drill: Drill) -> Window:
    """From where the experiment began to put things back to where the load ended.

    Raises:
        NotReady: When it never came to that.
    """
    start_s = _moment(drill, "put_back", "intent")
    return Window(start_s, max(start_s, drill.seen.window.end_s))


def recovery_of(drill: Drill) -> Recovery:
    """How the environment is recovered.

    Raises:
        NotReady: When it does not say.
    """
    found = drill.platform.recovery
    if found is None:
        raise not_said(drill.platform.environment, "how one region is recovered in the other", "recovery")
    return found
