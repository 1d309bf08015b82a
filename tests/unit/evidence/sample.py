"""A small run's folder, written as a run writes it: 20 seconds of load with a switch of releases at the eighth."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import run_folder

from drillbook.domain.interval import Interval
from drillbook.domain.measurement import Measurement, Window
from drillbook.domain.verdict import Judgement, Objective, Verdict, judge, merge

if TYPE_CHECKING:
    from pathlib import Path

START_S = 1_795_000_000.0
LENGTH_S = 20.0
SWITCH_S = START_S + 8
DRILL = "a-good-release-replaces-the-live-one"
SCENARIO = "A good release replaces the live one"
SENTENCES = ("given release 1.0.0 is live", "when 1.1.0 is cut over", "then at most 0 requests fail")
REQUESTS = f"drills/{DRILL}/load/requests.parquet"
WINDOW = Window(START_S, START_S + LENGTH_S)


def check(low: float, high: float, limit: float = 0.0, **changes: Any) -> Judgement:
    """A judgement of failed requests; `changes` go to its objective."""
    objective = Objective(
        "release.failed_requests", "no request failed", "at_most", limit, "requests", ("DEP-2.1", "DEP-2.3")
    )
    measurement = Measurement(
        "failed requests", Interval(low, high), "requests", 2000, WINDOW, "meter", evidence=(REQUESTS,)
    )
    return judge(replace(objective, **changes), measurement)


KEPT, BROKEN, UNDECIDED = check(0, 0), check(3, 5), check(0, 2)


@dataclass(frozen=True)
class Sample:
    """What the folder is to hold; the defaults are a run without a flaw.

    Attributes:
        checks: Everything judged in its drill.
        error: The drill's.
        failures: How many requests after the switch got a server error.
        drill: Changes to `drill.json`.
        run: Changes to `run.json`.
        events: Lines added to the timeline.
        undo: Last stage of its one change.
        versions: Of the two releases.
    """

    checks: tuple[Judgement, ...] = (KEPT,)
    error: str | None = None
    failures: int = 0
    drill: dict[str, Any] = field(default_factory=dict)
    run: dict[str, Any] = field(default_factory=dict)
    events: tuple[dict[str, Any], ...] = ()
    undo: str = "undone"
    versions: tuple[str, str] = ("1.0.0", "1.1.0")

    def write(self, path: Path) -> Path:
        """Make the folder; answers it."""
        verdict = merge(judged.verdict for judged in self.checks)
        verdict = Verdict.INCONCLUSIVE if self.error and verdict is Verdict.PASS else verdict
        drill = run_folder.DrillFiles(
            document=self._drill(verdict),
            journal=_journal(),
            judgements=self.checks,
            events=[*_events(), *self.events],
            queries=[_query()],
            requests=self._requests(),
            stalls=pa.table({"start_s": [START_S + 4.0], "end_s": [START_S + 4.2]}),
        )
        return run_folder.write(path, self._run(verdict), [drill], run_folder.stages(_change(), self.undo, "seen"))

    def _run(self, verdict: Verdict) -> dict[str, Any]:
        return {
            "run_id": "20261123T081500Z-twin-0a1b", "drillbook_version": "0.1.0",
            "environment": {"name": "twin", "tier": "staging", "file": "twin.yaml", "sha256": "0" * 64},
            "who": {"user": "ada", "host": "bastion"}, "clock": {"wall_s": START_S, "monotonic_s": 1.0},
            "started_s": START_S - 2, "finished_s": START_S + 30, "verdict": str(verdict),
            "exit_code": verdict.exit_code, "requested": [SCENARIO], "versions": {"locust": "2.40"}, **self.run,
        }  # fmt: skip

    def _drill(self, verdict: Verdict) -> dict[str, Any]:
        return {
            "id": DRILL, "feature": "A release is cut over", "scenario": SCENARIO,
            "description": "Nobody notices a release but by what it brings.", "tags": ["DEP-2.1"],
            "requirements": ["DEP-2.1", "DEP-2.3"], "started_s": START_S - 1, "finished_s": START_S + 25,
            "verdict": str(verdict), "error": self.error, "sentences": list(SENTENCES), **self.drill,
        }  # fmt: skip

    def _requests(self) -> pa.Table:
        """100 a second: due evenly, every other one on a new connection, each tenth from a user."""
        count = int(LENGTH_S * 100)
        due_s = START_S + np.arange(count) / 100
        green = due_s >= SWITCH_S
        outcome = np.full(count, "ok", dtype=object)
        outcome[np.flatnonzero(green)[: self.failures]] = "server_error"
        index = np.arange(count)
        return pa.table({
            "due_s": due_s, "sent_s": due_s + 0.0005, "done_s": due_s + np.where(green, 0.02, 0.01),
            "outcome": pa.array(outcome, pa.string()),
            "connection": pa.array(np.where(index % 2, "reused", "new"), pa.string()),
            "kind": pa.array(np.where(index % 10, "meter", "analyst"), pa.string()),
            "operation": pa.array(["query"] * count), "region": pa.array(["us-east-1"] * count),
            "slot": pa.array(np.where(green, "green", "blue"), pa.string()),
            "version": pa.array([self.versions[int(late)] for late in green], pa.string()),
            "status": pa.array(np.where(outcome == "ok", 200, 500), pa.int16()),
        })  # fmt: skip


def event(t_s: float, kind: str, text: str, **data: Any) -> dict[str, Any]:
    """A line of the timeline."""
    return {"t_s": t_s, "drill": DRILL, "kind": kind, "text": text, "data": data}


def way_back() -> tuple[dict[str, Any], ...]:
    """What a watch and a rollback leave, 2 seconds after the switch."""
    return (
        event(SWITCH_S + 2, "detected", "9 of 89 answers were bad", activity="watch_release",
              first_bad_s=SWITCH_S + 0.5, ruling="roll back"),
        event(SWITCH_S + 2, "decided", "roll back", activity="watch_release", ruling="roll back"),
        event(SWITCH_S + 2.5, "recovered", "slot blue answers", activity="roll_back"),
        event(SWITCH_S + 4, "observed", "slot green is drained", activity="drain_old_slot", holds=True),
    )  # fmt: skip


def _events() -> list[dict[str, Any]]:
    return [
        event(START_S, "note", "users and meter are on the platform", activity="load"),
        event(SWITCH_S - 0.1, "intent", "switch all traffic to slot green", action="switch-traffic"),
        event(SWITCH_S, "injected", "switch all traffic to slot green", action="switch-traffic"),
        event(SWITCH_S + 0.1, "observed", "20 new connections were answered by green", action="switch-traffic"),
    ]


def _change() -> dict[str, Any]:
    arguments = {"arguments": {"slot": "green"}, "before": {"weights": {"blue": 100, "green": 0}}}
    return {"sequence": 1, "run_id": "r", "drill": DRILL, "action": "switch-traffic", "arguments": arguments,
            "fencing": 1}  # fmt: skip


def _journal() -> dict[str, Any]:
    activity = {"type": "action", "name": "switch-traffic"}
    return {"status": "completed", "run": [
        {"activity": activity, "output": {"seen": "green"}, "status": "succeeded", "duration": 0.4},
    ]}  # fmt: skip


def _query() -> dict[str, Any]:
    return {"promql": 'sum(http_requests_total{slot="green"})', "at_s": SWITCH_S, "asked_s": SWITCH_S,
            "answered_s": SWITCH_S + 0.01, "status": 200, "body": {"status": "success"}}  # fmt: skip
