"""Reads a run's folder; what is missing, torn or strange becomes a note that people see, and never a PASS."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from drillbook.domain.verdict import Verdict, merge

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_MOST_BYTES = 64 * 2**20
_MOST_QUERIES = 200


@dataclass(frozen=True, slots=True)
class Check:
    """One objective with its measurement.

    Attributes:
        id: Of the objective.
        statement: The promise.
        direction: `at_most` or `at_least`.
        limit: In `unit`.
        unit: Of both.
        low: Lower bound of the measurement; None when nothing was measured.
        high: Upper bound; may be infinite.
        samples: How many observations it rests on.
        source: Who measured.
        verdict: PASS, FAIL or INCONCLUSIVE.
        reason: What decided it.
        requirements: Ids of the promises.
    """

    id: str
    statement: str
    direction: str
    limit: float
    unit: str
    low: float | None
    high: float | None
    samples: int
    source: str
    verdict: Verdict
    reason: str
    requirements: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Event:
    """One entry of the timeline; `t_s` in seconds since the epoch."""

    t_s: float
    kind: str
    text: str
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Step:
    """One activity of the experiment."""

    name: str
    section: str
    status: str
    duration_s: float


@dataclass(frozen=True, slots=True)
class Query:
    """One question to Prometheus, with its raw answer, cut to a bounded length."""

    promql: str
    file: str
    answer: str


@dataclass(frozen=True, slots=True)
class DrillRecord:
    """One drill.

    Attributes:
        id: Its id.
        feature: Title of its feature.
        scenario: Its name.
        requirements: Ids of the promises that it is about.
        started_s: Seconds since the epoch; NaN when unknown.
        finished_s: Likewise.
        verdict: Never PASS when something of it could not be read.
        error: Why it could not be judged; empty otherwise.
        checks: Objectives and measurements.
        events: Its timeline.
        steps: What the experiment did.
        queries: What Prometheus was asked.
        folder: Its folder.
        notes: What was wrong with its files.
    """

    id: str
    feature: str
    scenario: str
    requirements: tuple[str, ...]
    started_s: float
    finished_s: float
    verdict: Verdict
    error: str
    checks: tuple[Check, ...]
    events: tuple[Event, ...]
    steps: tuple[Step, ...]
    queries: tuple[Query, ...]
    folder: Path
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run.

    Attributes:
        path: Its folder.
        document: `run.json`.
        verdict: The one written down, or a worse one that follows from the drills.
        drills: In the order in which they ran.
        changes: Last state of each entry of the undo journal.
        notes: What was wrong with its files.
    """

    path: Path
    document: Mapping[str, Any]
    verdict: Verdict
    drills: tuple[DrillRecord, ...]
    changes: tuple[Mapping[str, Any], ...]
    notes: tuple[str, ...]


def read(path: Path) -> RunRecord:
    """Everything that a report needs."""
    notes: list[str] = []
    document = _document(path / "run.json", notes)
    checks = _lines(path / "checks.jsonl", notes)
    events = _lines(path / "timeline.jsonl", notes)
    drills = sorted(
        (_drill(folder, checks, events) for folder in (path / "drills").glob("*") if folder.is_dir()),
        key=lambda drill: (math.isnan(drill.started_s), drill.started_s, drill.id),
    )
    follows = merge(drill.verdict for drill in drills)
    if not document.get("finished_s"):
        notes.append("the run was not brought to its end: run.json has no finishing time")
    written = _verdict(document.get("verdict"))
    verdict = merge([written, follows, *([Verdict.INCONCLUSIVE] if notes else [])])
    newest: dict[object, Mapping[str, Any]] = {}
    for change in _lines(path / "undo.jsonl", notes):
        newest[change.get("sequence")] = change
    return RunRecord(path, document, verdict, tuple(drills), tuple(newest.values()), tuple(notes))


def _drill(folder: Path, all_checks: list[dict[str, Any]], all_events: list[dict[str, Any]]) -> DrillRecord:
    notes: list[str] = []
    document = _document(folder / "drill.json", notes)
    checks = tuple(_check(line, notes) for line in all_checks if line.get("drill") == folder.name)
    events = tuple(
        sorted((_event(line) for line in all_events if line.get("drill") == folder.name), key=lambda event: event.t_s)
    )
    verdicts = [_verdict(document.get("verdict")), *(check.verdict for check in checks)]
    if notes or not checks:
        verdicts.append(Verdict.INCONCLUSIVE)
    error = str(document.get("error") or "")
    if not checks and not error:
        error = "nothing was judged"
    return DrillRecord(
        id=folder.name,
        feature=str(document.get("feature", "")),
        scenario=str(document.get("scenario", folder.name)),
        requirements=tuple(str(tag) for tag in document.get("requirements", ())),
        started_s=_number(document.get("started_s")),
        finished_s=_number(document.get("finished_s")),
        verdict=merge(verdicts),
        error=error,
        checks=checks,
        events=events,
        steps=_steps(folder / "journal.json", notes),
        queries=_queries(folder),
        folder=folder,
        notes=tuple(notes),
    )


def _check(line: Mapping[str, Any], notes: list[str]) -> Check:
    objective, measurement = line.get("objective") or {}, line.get("measurement") or {}
    interval = measurement.get("interval") or {}
    low, high = interval.get("low"), interval.get("high")
    if not objective or not measurement:
        notes.append("a line of checks.jsonl lacks its objective or its measurement")
    return Check(
        id=str(objective.get("id", "")),
        statement=str(objective.get("statement", "(unknown)")),
        direction=str(objective.get("direction", "")),
        limit=_number(objective.get("limit")),
        unit=str(objective.get("unit", "")),
        low=None if low is None else _number(low),
        high=None if high is None else _number(high),
        samples=int(measurement.get("samples") or 0),
        source=str(measurement.get("source", "")),
        verdict=_verdict(line.get("verdict")),
        reason=str(line.get("reason", "")),
        requirements=tuple(str(tag) for tag in objective.get("requirements", ())),
    )


def _event(line: Mapping[str, Any]) -> Event:
    data = line.get("data")
    return Event(
        _number(line.get("t_s")), str(line.get("kind", "")), str(line.get("text", "")),
        cast("Mapping[str, Any]", data) if isinstance(data, dict) else {},
    )  # fmt: skip


def _steps(path: Path, notes: list[str]) -> tuple[Step, ...]:
    if not path.is_file():
        notes.append("the experiment left no journal")
        return ()
    journal = _document(path, notes)
    return tuple(
        Step(
            str((entry.get("activity") or {}).get("name", "")), section, str(entry.get("status", "")),
            _number(entry.get("duration")),
        )
        for section, key in (("method", "run"), ("rollback", "rollbacks"))
        for entry in cast("list[dict[str, Any]]", journal.get(key) or [])
    )  # fmt: skip


def _queries(folder: Path) -> tuple[Query, ...]:
    found: list[Query] = []
    for path in sorted((folder / "queries").glob("*.json"))[:_MOST_QUERIES]:
        document = _document(path, [])
        found.append(Query(str(document.get("promql", "")), f"queries/{path.name}", str(document.get("body", ""))[:2000]))
    return tuple(found)


def _document(path: Path, notes: list[str]) -> dict[str, Any]:
    try:
        if path.stat().st_size > _MOST_BYTES:
            notes.append(f"{path.name} is too large to be one of ours")
            return {}
        found = json.loads(path.read_text(encoding="utf-8", errors="replace"))
    except FileNotFoundError:
        notes.append(f"{path.name} is missing")
        return {}
    except (OSError, ValueError) as error:
        notes.append(f"{path.name} cannot be read: {error}")
        return {}
    if not isinstance(found, dict):
        notes.append(f"{path.name} does not hold a document")
        return {}
    return cast("dict[str, Any]", found)


def _lines(path: Path, notes: list[str]) -> list[dict[str, Any]]:
    if not path.is_file():
        notes.append(f"{path.name} is missing")
        return []
    found: list[dict[str, Any]] = []
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), start=1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
        except ValueError:
            notes.append(f"{path.name}, line {number}, is torn")
            continue
        if isinstance(entry, dict):
            found.append(cast("dict[str, Any]", entry))
    return found


def _verdict(value: object) -> Verdict:
    try:
        return Verdict(str(value))
    except ValueError:
        return Verdict.INCONCLUSIVE


def _number(value: object) -> float:
    try:
        return float(cast("Any", value))
    except (TypeError, ValueError):
        return math.nan
