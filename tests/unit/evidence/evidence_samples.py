"""Run folders as a run would leave them, whole, damaged and hostile; made up, and the same each time."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import run_folder

from drillbook.domain.interval import Interval
from drillbook.domain.measurement import Measurement, Window
from drillbook.domain.verdict import Judgement, Objective, judge, merge

if TYPE_CHECKING:
    from pathlib import Path

START_S = 1_795_420_800.0
HOSTILE = "</script><script>alert(1)</script>\"'&<img src=x onerror=alert(2)>\x1b[31m\x00\u202egnp.exe\ud800{{ 7*7 }}"


@dataclass
class Drill:
    """One drill to be written.

    Attributes:
        id: Folder.
        scenario: Name.
        judgements: What was judged.
        events: Seconds from the start, kind, activity, text and data.
        rows: Requests of the load.
        length_s: How long it took.
        bad: From when to when a bad release was on the traffic, from the start; None for never.
        error_share: Of its answers.
        switch_s: When the traffic went to the new release; None for never.
    """

    id: str
    scenario: str
    judgements: list[Judgement]
    events: list[tuple[float, str, str, str, dict[str, Any]]]
    rows: int = 1500
    length_s: float = 60.0
    bad: tuple[float, float] | None = None
    error_share: float = 0.1
    switch_s: float | None = 25.0
    requirements: tuple[str, ...] = ("DEP-2.1", "DEP-2.2")
    description: str = "A good release replaces the live one while people work on it, and none of them notices."
    sentences: tuple[str, ...] = ("given users are on the platform", "then no promise to them is broken")
    extra: dict[str, Any] = field(default_factory=dict)


def judged(  # noqa: PLR0917 -- a table of figures
    id_: str,
    statement: str,
    direction: Any,
    limit: float,
    interval: Interval | None,
    unit: str = "s",
    samples: int = 6000,
    **given: tuple[str, ...],
) -> Judgement:
    """A judgement; `doubts`, `evidence` and `requirements` may be given."""
    requirements = given.pop("requirements", ())
    objective = Objective(id_, statement, direction, limit, unit, requirements)
    window = Window(START_S, START_S + 60)
    return judge(objective, Measurement(statement, interval, unit, samples, window, "meter", **given))


def cutover() -> Drill:
    """A good release that went live without a scratch."""
    load = ("drills/cutover/load/requests.parquet",)
    return Drill(
        "cutover",
        "A good release replaces the live one",
        [
            judged("release.downtime.new", "no outage on new connections", "at_most", 0.25, Interval(0, 0.021),
                   requirements=("DEP-2.1",), evidence=load),
            judged("release.availability", "99.9 % of requests answered rightly", "at_least", 0.999,
                   Interval(0.99951, 1), "ratio", requirements=("DEP-2.1",)),
            judged("release.latency.p99", "99 % of requests within 300 ms", "at_most", 0.3, Interval(0.041, 0.063)),
            judged("release.lost", "no acknowledged event is lost", "at_most", 0, Interval(0, 0), "events"),
        ],
        [
            (1.0, "note", "load", "users and meter are on the platform", {}),
            (6.0, "intent", "deploy-release", "install release 1.1.0 in slot green", {}),
            (14.0, "injected", "deploy-release", "install release 1.1.0 in slot green", {}),
            (19.0, "observed", "deploy-release", "slot green runs 1.1.0 in 2 pods, 2 of them ready", {}),
            (19.1, "intent", "validate_release", "ask slot green by header", {}),
            (20.3, "observed", "validate_release", "52 checks hold", {}),
            (24.9, "intent", "switch-traffic", "send traffic to slot green", {}),
            (25.0, "injected", "switch-traffic", "send traffic to slot green", {}),
            (25.4, "observed", "switch-traffic", "20 new connections in a row were answered by slot green", {}),
            (25.5, "intent", "watch_release", "watch release 1.1.0 for 20 s", {}),
            (45.5, "decided", "watch_release", "keep: 0 of 2201 answers were bad", {"ruling": "keep"}),
            (45.6, "intent", "drain_old_slot", "let slot blue drain, and keep it warm", {}),
            (49.0, "observed", "drain_old_slot", "slot blue has 0 requests in flight", {"holds": True}),
            (50.0, "intent", "put_back", "put back what was changed", {}),
            (57.0, "recovered", "put_back", "slot green runs nothing", {}),
        ],
    )  # fmt: skip


def rollback() -> Drill:
    """A release of which one answer in ten is an error, taken back by itself."""
    bad = (25.2, 33.4)
    return Drill(
        "rollback",
        "A bad release that passes its health checks is taken back by itself (fails 10 % of requests)",
        [
            judged("rollback.time", "the last bad answer comes at most 120 s after the first", "at_most", 120.0,
                   Interval(8.1, 8.3), requirements=("DEP-2.3",)),
            judged("rollback.lost", "no acknowledged event is lost", "at_most", 0, Interval(0, 0), "events"),
        ],
        [
            (6.0, "intent", "deploy-release", "install release 1.2.0-bad in slot green", {}),
            (19.0, "observed", "deploy-release", "slot green runs 1.2.0-bad", {}),
            (24.9, "intent", "switch-traffic", "send traffic to slot green", {}),
            (25.0, "injected", "switch-traffic", "send traffic to slot green", {}),
            (25.3, "observed", "switch-traffic", "20 new connections in a row were answered by slot green", {}),
            (25.4, "intent", "watch_release", "watch release 1.2.0-bad for 20 s", {}),
            (32.6, "detected", "watch_release", "clients saw 71 of 700 answers that failed",
             {"first_bad_s": START_S + 25.1}),
            (32.7, "decided", "watch_release", "roll back: clients saw 71 of 700 answers that failed",
             {"ruling": "roll back"}),
            (32.8, "intent", "roll_back", "send traffic back", {}),
            (33.0, "injected", "roll_back", "traffic is declared for the old slot", {}),
            (33.4, "recovered", "roll_back", "20 new connections in a row were answered by slot blue", {}),
            (33.5, "intent", "drain_old_slot", "let slot green drain", {}),
            (37.9, "observed", "drain_old_slot", "slot green has 0 requests in flight", {"holds": True}),
        ],
        bad=bad,
        requirements=("DEP-2.3", "DEP-2.4"),
        description="Some releases pass every check and fail in use. What they do to users ends within 2 minutes.",
    )  # fmt: skip


def failover(rto: Interval = Interval(38.2, 41.0), rpo: Interval = Interval(0, 0.9)) -> Drill:  # noqa: B008 -- frozen
    """A region is lost, and the other takes over.

    Args:
        rto: Seconds until all is served again, as measured.
        rpo: Seconds of acknowledged writes that are lost, likewise.
    """
    return Drill(
        "failover",
        "The primary region is lost, and the secondary takes over",
        [
            judged("dr.rto", "service is back within 4 hours", "at_most", 14_400.0, rto, requirements=("DR-1.5",)),
            judged("dr.rpo", "at most the last hour of data is lost", "at_most", 3600.0, rpo, requirements=("DR-1.6",)),
        ],
        [
            (10.0, "injected", "cut_region", "us-east-1 is cut off", {}),
            (21.4, "detected", "health_check", "3 checks in a row failed", {}),
            (22.0, "intent", "promote", "promote the copy in us-west-2", {}),
            (48.9, "recovered", "promote", "us-west-2 answers reads and writes", {}),
        ],
        requirements=("DR-1.5", "DR-1.6", "ENV-3.4"),
        switch_s=None,
        description="When a whole region is lost, the other serves in its place, and what was acknowledged is there.",
    )  # fmt: skip


def undecided() -> Drill:
    """Prometheus did not see the new slot."""
    drill = cutover()
    drill.id, drill.scenario = "telemetry", "The servers' own figures agree with the clients'"
    drill.judgements = [
        judged("slo.agree", "servers and clients agree within 2 %", "at_most", 0.02, None, "ratio", samples=0,
               doubts=("Prometheus has no series of slot green: was it scraped?",), requirements=("OBS-1.1",)),
        judged("release.availability", "99.99 % of requests answered rightly", "at_least", 0.9999,
               Interval(0.9995, 1), "ratio", requirements=("DEP-2.1",)),
    ]  # fmt: skip
    drill.requirements = ("OBS-1.1", "DEP-2.1")
    return drill


def broken() -> Drill:
    """A promise that was not kept."""
    drill = rollback()
    drill.id, drill.scenario = "slow-rollback", "An operator's way back is quick"
    drill.judgements = [
        judged("rollback.time", "the last bad answer comes at most 5 s after the first", "at_most", 5.0,
               Interval(8.1, float("inf")), requirements=("DEP-2.3",)),
    ]  # fmt: skip
    return drill


def hostile() -> Drill:
    """Every text is an attack."""
    drill = cutover()
    drill.id = "hostile"
    drill.scenario = HOSTILE
    drill.description = HOSTILE * 3
    drill.requirements = (HOSTILE,)
    drill.judgements = [judged(HOSTILE, HOSTILE, "at_most", 1.0, Interval(0, 0.5), HOSTILE, doubts=(HOSTILE,))]
    drill.events = [(t, kind, HOSTILE, HOSTILE, {"x": HOSTILE}) for t, kind, *_ in drill.events]
    drill.extra = {"feature": HOSTILE, "tags": [HOSTILE], "error": HOSTILE}
    return drill


def write(
    root: Path,
    drills: list[Drill],
    *,
    stuck: bool = False,
    name: str = "20261123T080000Z-twin-ab12",
    start_s: float = START_S,
) -> Path:
    """The folder of a run of these drills."""
    verdict = merge(judgement.verdict for drill in drills for judgement in drill.judgements)
    document = {
        "run_id": name, "drillbook_version": "0.1.0",
        "environment": {"name": "twin", "tier": "staging", "file": "twin.yaml", "sha256": "00" * 32},
        "who": {"user": "release", "host": "builder"}, "clock": {"wall_s": start_s, "monotonic_s": 1.0},
        "started_s": start_s, "finished_s": start_s + 70 * len(drills), "verdict": str(verdict),
        "exit_code": verdict.exit_code, "requested": [drill.id for drill in drills],
        "versions": {"python": "3.11.7", "locust": "2.47.0"},
    }  # fmt: skip
    change = {
        "sequence": 1, "run_id": name, "drill": drills[0].id if drills else "", "action": "switch-traffic",
        "arguments": {"arguments": {"slot": "green"}, "before": {"weights": {"blue": 100, "green": 0}}}, "fencing": 3,
    }  # fmt: skip
    last, note = ("stuck", "") if stuck else ("undone", "slot blue has the public's traffic")
    files = [_files(drill, start_s) for drill in drills]
    return run_folder.write(root / name, document, files, run_folder.stages(change, last, note))


def requests(drill: Drill, *, seed: int = 7, start_s: float = START_S) -> pa.Table:
    """The rows of a drill's load."""
    draw = np.random.default_rng(seed)
    due = start_s + np.linspace(2.0, drill.length_s - 2.0, drill.rows)
    at = due - start_s
    on_green = np.zeros(drill.rows, dtype=bool)
    if drill.switch_s is not None:
        on_green = (at >= drill.switch_s) & (at <= (drill.bad[1] if drill.bad else 50.0))
    failed = np.zeros(drill.rows, dtype=bool)
    if drill.bad:
        failed = on_green & (at >= drill.bad[0]) & (draw.random(drill.rows) < drill.error_share)
    latency = draw.lognormal(np.log(np.where(on_green, 0.011, 0.008)), 0.5)
    version = np.where(on_green, "1.2.0-bad" if drill.bad else "1.1.0", "1.0.0")
    metered = draw.random(drill.rows) < 0.85
    return pa.table({
        "due_s": due, "sent_s": due + 0.0004, "done_s": due + latency,
        "outcome": np.where(failed, "server_error", "ok"), "status": np.where(failed, 500, 200).astype(np.int16),
        "connection": np.where(np.arange(drill.rows) % 2 == 0, "new", "reused"),
        "fresh": np.arange(drill.rows) % 2 == 0,
        "kind": np.where(metered, "meter", "analyst"),
        "operation": np.where(draw.random(drill.rows) < 0.5, "ingest", "query"),
        "region": np.full(drill.rows, "us-east-1"), "slot": np.where(on_green, "green", "blue"), "version": version,
        "error": np.where(failed, "HTTP 500", ""),
    })  # fmt: skip


def damaged(run: Path, seed: int) -> str:
    """Damage one file at random; answers what was done."""
    choice = random.Random(seed)  # noqa: S311 -- the same each time
    files = sorted(path for path in run.rglob("*") if path.is_file() and path.name not in {"report.html", "junit.xml"})
    path = choice.choice(files)
    data = path.read_bytes()
    way = choice.choice(("remove", "truncate", "flip", "garbage", "empty", "other"))
    if way == "remove":
        path.unlink()
    elif way == "truncate":
        path.write_bytes(data[: choice.randrange(len(data) + 1)])
    elif way == "flip" and data:
        at = choice.randrange(len(data))
        path.write_bytes(data[:at] + bytes([data[at] ^ (1 << choice.randrange(8))]) + data[at + 1 :])
    elif way == "garbage":
        path.write_bytes(choice.randbytes(len(data) + 1))
    elif way == "empty":
        path.write_bytes(b"")
    else:
        path.write_text(choice.choice(("null", "[]", "[1, null]", '{"verdict": "PASS"}', '{"a": NaN}', "[" * 100_000)))
    return f"{way} {path.relative_to(run)}"


def _files(drill: Drill, start_s: float) -> run_folder.DrillFiles:
    starts, ends = [start_s + 12.0, start_s + 41.2], [start_s + 12.02, start_s + 41.5]
    return run_folder.DrillFiles(
        document=_document(drill, start_s),
        journal=_journal(),
        judgements=drill.judgements,
        events=[_event(drill, start_s, *event) for event in drill.events],
        queries=[_query(promql, start_s) for promql in ('sum(http_requests_total{slot="green"})', "up")],
        requests=requests(drill, start_s=start_s),
        stalls=pa.table({"start_s": starts, "end_s": ends, "seen_by": ["loop", "thread"]}),
        experiment={"title": "Cut over a release under load", "method": []},
    )


def _document(drill: Drill, start_s: float) -> dict[str, Any]:
    verdict = merge(judgement.verdict for judgement in drill.judgements)
    return {
        "id": drill.id, "feature": "A release is cut over without anybody noticing", "scenario": drill.scenario,
        "description": drill.description, "tags": list(drill.requirements), "requirements": list(drill.requirements),
        "started_s": start_s, "finished_s": start_s + drill.length_s, "verdict": str(verdict), "error": None,
        "sentences": list(drill.sentences), **drill.extra,
    }  # fmt: skip


def _event(  # noqa: PLR0917 -- as in the tables above
    drill: Drill, start_s: float, t_s: float, kind: str, activity: str, text: str, data: dict[str, Any]
) -> dict[str, Any]:
    moved = {key: value + start_s - START_S if key.endswith("_s") else value for key, value in data.items()}
    line = {"t_s": start_s + t_s, "drill": drill.id, "kind": kind, "text": text}
    return {**line, "data": {"activity": activity, **moved}}


def _query(promql: str, start_s: float) -> dict[str, Any]:
    body = json.dumps({"status": "success", "data": {"result": [{"value": [start_s, "6000"]}]}})
    return {
        "promql": promql, "at_s": start_s + 40, "asked_s": start_s + 41, "answered_s": start_s + 41.02, "status": 200,
        "body": body,
    }  # fmt: skip


def _journal() -> dict[str, Any]:
    return {
        "status": "completed", "deviated": False,
        "steady_states": {"before": {"probes": [_step("the platform serves", "probe", True)]}, "after": {"probes": []}},
        "run": [_step("deploy release", "action", {"seen": "2 of 2 pods ready"}),
                {**_step("switch traffic", "action", None), "status": "failed", "exception": ["Boom: ", "it broke"]}],
        "rollbacks": [_step("put back", "action", {"all": True})],
    }  # fmt: skip


def _step(name: str, kind: str, output: object) -> dict[str, Any]:
    return {"activity": {"name": name, "type": kind}, "output": output, "status": "succeeded", "duration": 1.25}
