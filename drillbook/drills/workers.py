"""What the sentences about workers in the cluster do: one schedule, a share of it to each, and all that they report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from drillbook import wiring
from drillbook.actions.load_workers import StartWorkers, Workers
from drillbook.beside.load_worker import SAYS
from drillbook.domain.shape import steady
from drillbook.drills import performance
from drillbook.drills.seen import NotOffered
from drillbook.run.action import NotObserved, perform
from drillbook.run.folder import write_json
from probes import workers as probes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from drillbook.drills.drill import Drill
    from drillbook.ports import WorkerStatus

_STARTS_WITHIN_S = 60.0
_ENDS_LATE_S = 60.0
_PACE_S = 0.5
_KEYS_READ_BACK_HZ = 100.0
_LOG_KEPT = 4000
_SAID_LINES = 3
_LEAST_IN_FLIGHT = 64
_OUTPUT = Path("/load/load")
"""Where a worker's pod may write."""


def send(drill: Drill, workers: int, rate_hz: float, length_s: float) -> None:
    """Have workers in the cluster send this beside the load that is on; ends the load.

    Raises:
        NotReady: When the environment has no place for workers, or does not allow so much.
    """
    made = _workers(drill)
    usual_hz, allowed = performance.usual_hz(drill), performance.settings(drill)
    if rate_hz + usual_hz > allowed.most_hz:
        raise NotOffered(
            f"{rate_hz:g} requests a second beside the usual {usual_hz:g} are more than performance.most allows "
            f"({allowed.most_hz:g})"
        )
    assert allowed.workers is not None  # noqa: S101 - made has it
    shape, clock = steady(rate_hz, length_s), drill.session.clock
    mark = wiring.key_prefix(drill.session.folder.run_id, drill.id).removeprefix("drill-")
    ends_s = _ENDS_LATE_S + shape.due_by(length_s) / 2 / workers / _KEYS_READ_BACK_HZ
    start_s = clock.now() + allowed.workers.start_within_s
    meter = {"rate_hz": rate_hz / 2, "shape": shape.as_document(), "start_s": start_s}
    plans = [_plan(drill, mark, {"worker": worker, "workers": workers}, meter) for worker in range(workers)]
    lives_s = allowed.workers.start_within_s + length_s + ends_s
    (drill.folder / probes.FOLDER).mkdir(parents=True, exist_ok=True)
    record = probes.Record(workers, start_s, tuple(shape.as_document()))
    write_json(drill.folder / probes.FOLDER / probes.FILE, record.as_document())
    action = StartWorkers(made.port, clock, mark, plans, lives_s, _STARTS_WITHIN_S)
    try:
        perform(action, drill.journal, drill.timeline, clock)
        _listen(drill, made, mark, workers, give_up_s=start_s + length_s + ends_s)
    except NotObserved:
        for status in made.port.status(mark):
            last = " | ".join(made.port.printed(status).strip().splitlines()[-_SAID_LINES:])
            drill.timeline.record("note", f"worker {status.worker} printed last: {last[:500]}", activity="worker")
        # The load's window is told to whoever judges it again.
        drill.end_load()
        raise
    drill.end_load()


def _plan(drill: Drill, mark: str, share: Mapping[str, int], meter: Mapping[str, Any]) -> dict[str, Any]:
    plan = wiring.load_plan(
        drill.platform.environment, drill.session.clock, _OUTPUT, f"drill-{mark}-w{share['worker']}"
    )
    # Its own machine's clock: the run's is the one of this machine.
    del plan["clock"]
    most = max(_LEAST_IN_FLIGHT, plan["meter"]["max_in_flight"] // share["workers"])
    metering = {**plan["meter"], **meter, "share": share, "max_in_flight": most}
    return {**plan, "meter": metering, "analysts": 0, "collectors": 0}


def _listen(drill: Drill, made: Workers, mark: str, workers: int, *, give_up_s: float) -> None:
    """Until each worker has reported or ended, or there is no more time; what was said is kept as it was said."""
    clock = drill.session.clock
    told: set[int] = set()
    asked_s = dict.fromkeys(range(workers), clock.now())
    while len(told) < workers and clock.now() < give_up_s:
        for status in made.port.status(mark):
            if status.worker in told or status.worker not in asked_s:
                continue
            looked_s = clock.now()
            printed = made.port.printed(status)
            if _said(printed) or status.ended:
                told.add(status.worker)
                _keep(drill, status, printed, asked_s[status.worker])
            asked_s[status.worker] = looked_s
        clock.sleep(_PACE_S)
    for worker in sorted(set(range(workers)) - told):
        drill.timeline.record("note", f"worker {worker} did not end in time", activity="worker", worker=worker)


def _said(printed: str) -> str:
    """The report, once all of its line is there."""
    lines = printed.splitlines(keepends=True)
    return next(
        (line.removeprefix(SAYS) for line in lines if line.startswith(SAYS) and line.endswith("\n")), ""
    ).strip()


def _keep(drill: Drill, status: WorkerStatus, printed: str, asked_s: float) -> None:
    said = _said(printed)
    document = {
        "worker": status.worker, "pod": status.pod, "node": status.node, "phase": status.phase, "ended": status.text,
        "asked_s": asked_s, "read_s": drill.session.clock.now(), "report": said,
        "log": "" if said else printed[-_LOG_KEPT:],
    }  # fmt: skip
    write_json(drill.folder / probes.FOLDER / f"{status.worker}.json", document)
    how = "reported" if said else f"ended without a report: {status.text}"
    drill.timeline.record(
        "observed", f"worker {status.worker} on {status.node} {how}", activity="worker", worker=status.worker
    )


def _workers(drill: Drill) -> Workers:
    environment = drill.platform.environment
    if drill.platform.workers is None:
        raise NotOffered(
            f"not proved here: the environment {environment.name} has no place for workers; see performance.workers"
        )
    if environment.public_ca_file is not None or environment.workload.adapter.rpartition(":")[0].endswith(".py"):
        raise NotOffered(
            "workers have nothing but their image: an adapter has to be named by its module and be in the image, and a "
            "certificate has to be verified by the usual authorities"
        )
    return drill.platform.workers
