"""Reads the folder of a run: every file is taken for what it is, and none is trusted to be whole."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from drillbook.domain.interval import Interval
from drillbook.domain.measurement import Measurement, Window
from drillbook.domain.titles import ids
from drillbook.domain.undo import Change, Stage, latest
from drillbook.domain.verdict import Judgement, Objective, Verdict, judge
from drillbook.evidence import traffic
from drillbook.evidence.reading import (
    Reader,
    bound_of,
    items_of,
    mapping_of,
    number_of,
    text_of,
    texts_of,
)  # fmt: skip
from drillbook.evidence.record import Check, Continued, DrillRecord, Event, Query, RunRecord, Step

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

MOST_QUERIES = 200
"""Answers that are shown of one drill; all of them stay in its folder."""

_SECTIONS = (("before", "steady_states"), ("method", "run"), ("after", "steady_states"), ("rollbacks", "rollbacks"))
_PARTS_OF_A_RUN = ("run.json", "timeline.jsonl", "drills")
_OUTPUT_LIMIT = 2000
_BODY_LIMIT = 3000

_Lines = list[tuple[str, dict[str, Any]]]


class NotARun(Exception):
    """There is no folder to read; the text says what was looked for."""


def find(name: str, runs: Path) -> Path:
    """The folder of a run by its id, its path, or `latest`.

    Raises:
        NotARun: When there is none, or what is there is none.
    """
    candidates = [Path(name), runs / name]
    if name == "latest":
        candidates = sorted((path for path in runs.glob("*") if path.is_dir()), reverse=True)[:1]
    for candidate in candidates:
        if candidate.is_dir():
            if any((candidate / part).exists() for part in _PARTS_OF_A_RUN):
                return candidate.resolve()
            raise NotARun(f"{candidate} is no run's folder: it has none of {', '.join(_PARTS_OF_A_RUN)}")
    raise NotARun(f"there is no run {name!r}: give the path of its folder, or the name of one in {runs}")


def read(run_dir: Path, *, load: bool = True) -> RunRecord:
    """Everything that a run's folder says.

    Args:
        run_dir: The folder.
        load: Whether the load is read too and every file is digested, which takes as long as all the rest; a look over
            many runs does without.

    Raises:
        NotARun: When there is no such folder; whatever is wrong inside of one becomes a note.
    """
    if not run_dir.is_dir():
        raise NotARun(f"{run_dir} is not a folder: give the folder of a run, for example reports/runs/RUN_ID")
    reader = Reader(run_dir)
    run = reader.document("run.json") or {}
    checks = _by_drill(reader.lines("checks.jsonl"))
    events = _by_drill(reader.lines("timeline.jsonl"))
    undo = _undo(reader)
    environment_file = reader.text("environment.yaml", needed=False) or ""
    general = list(reader.taken())
    requested = texts_of(run.get("requested"))
    titles = ids(requested)
    drills = [
        _drill(reader, id_, titles.get(id_, id_), checks, events, load=load)
        for id_ in _drill_ids(run_dir, checks, events)
    ]
    files = reader.files() if load else ()
    general += reader.taken()
    missing, unsure = _missing(requested, drills)
    for name in unsure:
        reader.note(name, "was asked for, and no record names it", withholds=False)
    _check_undo(reader, undo)
    return RunRecord(
        path=run_dir,
        run_id=text_of(run.get("run_id")) or run_dir.name,
        drillbook_version=text_of(run.get("drillbook_version")),
        environment=_flat(run.get("environment")),
        environment_file=environment_file,
        who=_flat(run.get("who")),
        started_s=number_of(run.get("started_s")),
        finished_s=number_of(run.get("finished_s")),
        recorded=_verdict(run.get("verdict")),
        exit_code=run["exit_code"] if isinstance(run.get("exit_code"), int) else None,
        requested=requested,
        missing=missing,
        versions=_flat(run.get("versions")),
        drills=tuple(sorted(drills, key=lambda drill: (drill.started_s is None, drill.started_s or 0.0, drill.id))),
        undo=undo,
        events=tuple(_event(line) for _, line in events.get("", [])),
        files=files,
        notes=(*general, *reader.taken()),
        approval=_flat(run.get("approval")),
        continues=_continued(mapping_of(run.get("continues"))),
        left_out=texts_of(run.get("left_out")),
    )


def _continued(found: Mapping[str, Any]) -> Continued | None:
    if not found:
        return None
    return Continued(text_of(found.get("run_id")), text_of(found.get("envelope")), texts_of(found.get("again")))


def _drill(
    reader: Reader, id_: str, title: str, checks: Mapping[str, _Lines], events: Mapping[str, _Lines], *, load: bool
) -> DrillRecord:
    """What is there of a drill; the title is the one that it has where its own record is lost."""
    folder = f"drills/{id_}"
    document = reader.document(f"{folder}/drill.json") or {}
    judged = tuple(
        check for where, line in checks.get(id_, []) if (check := _check(reader, f"checks.jsonl, {where}", line))
    )
    for check in judged:
        for path in check.recorded.measurement.evidence:
            if not reader.is_file(path) and not reader.is_folder(path):
                reader.note(path, f"is missing, and “{check.recorded.objective.statement}” rests on it")
    seen = traffic.read(reader, f"{folder}/load") if load else None
    experiment = reader.document(f"{folder}/experiment.json", needed=False)
    journal = reader.document(f"{folder}/journal.json", needed=experiment is not None) or {}
    if journal and journal.get("status") != "completed":
        status = text_of(journal.get("status"), limit=80) or "unknown"
        reader.note(f"{folder}/journal.json", f"says that the experiment ended {status}", withholds=False)
    queries, left_out = _queries(reader, f"{folder}/queries")
    recorded_events = tuple(sorted((_event(line) for _, line in events.get(id_, [])), key=lambda event: event.t_s))
    if not recorded_events:
        reader.note("timeline.jsonl", f"has no entry of drill {id_}")
    return DrillRecord(
        id=id_,
        feature=text_of(document.get("feature")),
        scenario=text_of(document.get("scenario")) or title,
        description=text_of(document.get("description")),
        tags=texts_of(document.get("tags")),
        requirements=texts_of(document.get("requirements")),
        started_s=number_of(document.get("started_s")),
        finished_s=number_of(document.get("finished_s")),
        recorded=_verdict(document.get("verdict")),
        error=text_of(document.get("error")),
        checks=judged,
        events=recorded_events,
        steps=tuple(_steps(journal)),
        experiment=text_of((experiment or {}).get("title"), limit=200),
        queries=queries,
        queries_left_out=left_out,
        traffic=seen,
        source=text_of(document.get("file") or document.get("source"), limit=200),
        let_stay=text_of(document.get("let_stay"), limit=200),
        withheld=_withheld(document),
        unused=_unused(document),
        sentences=texts_of(document.get("sentences")),
        notes=reader.taken(),
    )


def _withheld(document: Mapping[str, Any]) -> tuple[str, ...]:
    """As it wrote them down: what it doubted, what was raised first, and what was raised behind that."""
    doubts, unjudged = texts_of(document.get("doubts")), texts_of(document.get("unjudged"))
    return tuple(filter(None, (*doubts, text_of(document.get("raised")), *unjudged)))


def _drill_ids(run_dir: Path, checks: Iterable[str], events: Iterable[str]) -> list[str]:
    """Drills that left anything; what names a path that climbs out of the folder is still a drill, without files."""
    parent = run_dir / "drills"
    folders = [path.name for path in parent.iterdir() if path.is_dir()] if parent.is_dir() else []
    return sorted({*folders, *checks, *events} - {""})


def _by_drill(lines: list[tuple[int, dict[str, Any]]]) -> dict[str, _Lines]:
    found: dict[str, _Lines] = {}
    for number, line in lines:
        found.setdefault(text_of(line.get("drill"), limit=200), []).append((f"line {number}", line))
    return found


def _check(reader: Reader, where: str, line: Mapping[str, Any]) -> Check | None:
    try:
        objective, measurement = _objective(line), _measurement(line)
    except ValueError as error:
        reader.note(where, f"is no judgement: {error}")
        return None
    recorded = _verdict(line.get("verdict"))
    if recorded is None:
        reader.note(where, "has no verdict")
        recorded = Verdict.INCONCLUSIVE
    return Check(
        Judgement(objective, measurement, recorded, text_of(line.get("reason"))), judge(objective, measurement)
    )


def _objective(line: Mapping[str, Any]) -> Objective:
    found = mapping_of(line.get("objective"))
    direction = found.get("direction")
    if direction not in ("at_most", "at_least"):
        raise ValueError(f"its objective is {text_of(direction, limit=40)!r} where at_most or at_least belongs")
    return Objective(
        text_of(found.get("id")), text_of(found.get("statement")) or "(no statement)", direction,
        bound_of(found.get("limit")), text_of(found.get("unit")), texts_of(found.get("requirements")),
    )  # fmt: skip


def _measurement(line: Mapping[str, Any]) -> Measurement:
    found = mapping_of(line.get("measurement"))
    bounds, window = found.get("interval"), mapping_of(found.get("window"))
    interval = None
    if bounds is not None:
        interval = Interval(bound_of(mapping_of(bounds).get("low")), bound_of(mapping_of(bounds).get("high")))
    return Measurement(
        name=text_of(found.get("name")),
        interval=interval,
        unit=text_of(found.get("unit")),
        samples=int(bound_of(found.get("samples")) if not isinstance(found.get("samples"), str) else 0),
        window=Window(bound_of(window.get("start_s")), bound_of(window.get("end_s"))),
        source=text_of(found.get("source")),
        doubts=texts_of(found.get("doubts")),
        evidence=texts_of(found.get("evidence")),
    )


def _event(line: Mapping[str, Any]) -> Event:
    t_s = number_of(line.get("t_s"))
    data = mapping_of(line.get("data"))
    return Event(t_s if t_s is not None else 0.0, text_of(line.get("kind"), limit=40), text_of(line.get("text")), data)


def _steps(journal: Mapping[str, Any]) -> Iterable[Step]:
    for section, key in _SECTIONS:
        part = journal.get(key)
        if key == "steady_states":
            part = mapping_of(mapping_of(part).get(section)).get("probes")
        for entry in items_of(part):
            activity = mapping_of(entry.get("activity"))
            exception = entry.get("exception")
            raised = "".join(texts_of(cast("object", exception))) or text_of(exception)
            yield Step(
                section=section,
                name=text_of(activity.get("name"), limit=200),
                kind=text_of(activity.get("type"), limit=40),
                status=text_of(entry.get("status"), limit=40),
                duration_s=number_of(entry.get("duration")),
                output=text_of(entry.get("output"), limit=_OUTPUT_LIMIT),
                error=raised[:_OUTPUT_LIMIT],
            )


def _queries(reader: Reader, folder: str) -> tuple[tuple[Query, ...], int]:
    if not reader.is_folder(folder):
        return (), 0
    names = sorted(path.name for path in (reader.root / folder).iterdir() if re.fullmatch(r"\d+\.json", path.name))
    shown: list[Query] = []
    for name in names[:MOST_QUERIES]:
        document = reader.document(f"{folder}/{name}")
        if document is None:
            continue
        asked_s, answered_s = number_of(document.get("asked_s")), number_of(document.get("answered_s"))
        shown.append(
            Query(
                file=f"{folder}/{name}",
                promql=text_of(document.get("promql")),
                at_s=number_of(document.get("at_s")),
                took_s=None if asked_s is None or answered_s is None else answered_s - asked_s,
                status=text_of(document.get("status"), limit=80),
                body=text_of(document.get("body"), limit=_BODY_LIMIT),
            )
        )
    return tuple(shown), len(names) - len(shown)


def _undo(reader: Reader) -> tuple[Change, ...]:
    entries: list[Change] = []
    for number, line in reader.lines("undo.jsonl", needed=False):
        try:
            change = Change.from_document(line)
        except ValueError as error:
            reader.note("undo.jsonl", f"line {number} is no change: {error}")
            continue
        if type(line["sequence"]) is int and type(line["run_id"]) is str:
            entries.append(change)
        else:
            reader.note("undo.jsonl", f"line {number} is no change: its sequence or its run is not what it should be")
    return tuple(latest(entries))


def _check_undo(reader: Reader, undo: Iterable[Change]) -> None:
    for change in undo:
        what = f"change {change.sequence} ({text_of(change.action, limit=80)})"
        if change.stage is Stage.STUCK:
            reader.note("undo.jsonl", f"{what} could not be put back: {text_of(change.note, limit=400)}")
        elif change.stage.open:
            reader.note("undo.jsonl", f"{what} was not put back when this was written", withholds=False)


def _unused(document: Mapping[str, Any]) -> bool:
    """Of what says nothing of its users, or was cut short, nobody knows whether it had any."""
    seen = mapping_of(document.get("seen"))
    return "window" in seen and seen["window"] is None and document.get("raised", "") is None


def _missing(requested: Sequence[str], drills: Iterable[DrillRecord]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What was asked for and is not there; and what cannot be told, since no record names the drills in such words.

    A drill of what was asked for by its very name answers for that alone.
    """
    named = Counter(drill.scenario for drill in drills)
    others = [drill for drill in drills if drill.scenario not in requested]
    known = {
        _slug(name) for drill in others for name in (drill.id, drill.scenario, drill.feature, drill.source, *drill.tags)
    } - {""}
    left = (Counter(requested) - named).elements()
    absent = tuple(name for name in left if _slug(name).removeprefix("test-") not in known)
    told = len(absent) < len(requested) or all(drill.source for drill in drills)
    return (absent, ()) if told else ((), absent)


def _slug(name: str) -> str:
    """Letters and digits alone: a scenario, the test made of it and its folder are named alike up to those."""
    return re.sub(r"[\W_]+", "-", name.casefold()).strip("-")


def _verdict(value: object) -> Verdict | None:
    return Verdict(value) if isinstance(value, str) and value in Verdict.__members__ else None


def _flat(value: object) -> dict[str, str]:
    return {key: text_of(item, limit=400) for key, item in mapping_of(value).items()}
