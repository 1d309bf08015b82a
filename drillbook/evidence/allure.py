"""Results for Allure: one file for each drill, with a step for each objective, in the format that Allure 2 and 3 read.

Plain JSON: the format is small and stable, and a library would bring more than it saves. Ids depend on the run and the
scenario alone, so that Allure's history and its search for flaky tests work.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import uuid
from typing import TYPE_CHECKING, Any

from drillbook.domain.verdict import Verdict
from drillbook.domain.wording import quantity, span, visible
from drillbook.evidence import folder
from drillbook.evidence.reading import replace

if TYPE_CHECKING:
    from pathlib import Path

    from drillbook.evidence.record import Check, DrillRecord, RunRecord

FOLDER = "allure"
"""Of the run's folder."""

STATUSES = {
    Verdict.PASS: "passed",
    Verdict.FAIL: "failed",
    # Allure's word for a test that could not tell: neither passed, nor a broken promise.
    Verdict.INCONCLUSIVE: "broken",
}


def render(run_dir: Path, into: Path | None = None) -> Path:
    """Write the results into `allure/` of a run's folder, which is made anew; answers it.

    Args:
        run_dir: The run's.
        into: Another folder to write to, when it is not the run's own.

    Raises:
        NotARun: When there is no such folder.
    """
    run = folder.read(run_dir)
    target = (into or run_dir) / FOLDER
    if target.is_symlink():
        target.unlink()
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    for document in (*(_result(run, drill) for drill in run.drills), *_run_result(run)):
        text = json.dumps(document, indent=2, ensure_ascii=False)
        replace(target / f"{document['uuid']}-result.json", text.encode())
    replace(target / "environment.properties", _environment(run).encode())
    replace(target / "categories.json", json.dumps(_CATEGORIES, indent=2).encode())
    return target


_CATEGORIES = [
    {"name": "Promises broken", "matchedStatuses": ["failed"]},
    {"name": "Inconclusive: not shown, not seen broken", "matchedStatuses": ["broken"]},
]


def _result(run: RunRecord, drill: DrillRecord) -> dict[str, Any]:
    name = visible(drill.scenario)
    start_s, stop_s = drill.started_s or run.started_s or 0.0, drill.finished_s or run.finished_s or 0.0
    labels = [
        ("framework", "drillbook"), ("language", "gherkin"), ("feature", drill.feature), ("suite", drill.feature),
        ("host", run.who.get("host", "")), *(("tag", tag) for tag in drill.tags),
        *(("story", id_) for id_ in drill.requirements),
    ]  # fmt: skip
    return {
        "uuid": _uuid(run.run_id, drill.id),
        "historyId": _digest(drill.feature, drill.scenario),
        "testCaseId": _digest(drill.feature, drill.scenario),
        "fullName": visible(f"{drill.feature}: {drill.scenario}"),
        "name": name,
        "description": visible(drill.description),
        "status": STATUSES[drill.verdict],
        "statusDetails": _details(drill),
        "stage": "finished",
        "start": _milliseconds(start_s),
        "stop": _milliseconds(max(start_s, stop_s)),
        "labels": [{"name": key, "value": visible(value)} for key, value in labels if value],
        "parameters": [
            {"name": "run", "value": visible(run.run_id), "excluded": True},
            {"name": "environment", "value": visible(run.environment.get("name", ""))},
        ],
        "steps": [_step(check) for check in drill.checks],
    }  # fmt: skip


def _run_result(run: RunRecord) -> list[dict[str, Any]]:
    """What keeps the run as a whole from passing, so that whoever looks at Allure alone sees it."""
    if not run.doubts:
        return []
    return [
        {
            "uuid": _uuid(run.run_id, "the run itself"),
            "historyId": _digest("drillbook", "the run itself"),
            "name": "the run and its evidence",
            "fullName": "drillbook: the run and its evidence",
            "status": STATUSES[Verdict.INCONCLUSIVE],
            "statusDetails": {"message": visible(run.doubts[0]), "trace": visible("\n".join(run.doubts))},
            "stage": "finished",
            "start": _milliseconds(run.started_s or 0.0),
            "stop": _milliseconds(run.finished_s or run.started_s or 0.0),
            "labels": [{"name": "framework", "value": "drillbook"}, {"name": "suite", "value": "the run itself"}],
            "steps": [],
        }
    ]


def _step(check: Check) -> dict[str, Any]:
    objective, measurement = check.recorded.objective, check.recorded.measurement
    interval = measurement.interval
    side = "at most" if objective.direction == "at_most" else "at least"
    measured = "nothing" if interval is None else span(interval, measurement.unit)
    return {
        "name": visible(objective.statement),
        "status": STATUSES[check.verdict],
        "statusDetails": {} if check.verdict is Verdict.PASS else {"message": visible(check.reason)},
        "stage": "finished",
        "start": _milliseconds(measurement.window.start_s),
        "stop": _milliseconds(measurement.window.end_s),
        "parameters": [
            {"name": "measured", "value": visible(measured)},
            {"name": "promised", "value": visible(f"{side} {quantity(objective.limit, objective.unit)}")},
            {"name": "samples", "value": str(measurement.samples)},
            {"name": "source", "value": visible(measurement.source)},
        ],
    }


def _details(drill: DrillRecord) -> dict[str, str]:
    if not drill.reasons:
        return {}
    return {"message": visible(drill.reasons[0]), "trace": visible("\n".join(drill.reasons))}


def _environment(run: RunRecord) -> str:
    """Java's format of properties: backslashes and line ends would mean something."""
    pairs = {"run": run.run_id, **run.environment, **{f"version.{key}": value for key, value in run.versions.items()}}
    lines = [f"{_property(key, ' :=')}={_property(value, '')}\n" for key, value in pairs.items() if value]
    return "".join(lines)


def _property(text: str, also: str) -> str:
    return "".join(f"\\{letter}" if letter in f"\\{also}" else letter for letter in " ".join(visible(text).split()))


def _milliseconds(epoch_s: float) -> int:
    return round(min(max(epoch_s, 0.0), 4e9) * 1000)


def _uuid(*key: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, visible("\x1f".join(("urn:drillbook:allure", *key)))))


def _digest(*key: str) -> str:
    return hashlib.sha256("\x1f".join(key).encode(errors="replace")).hexdigest()[:32]
