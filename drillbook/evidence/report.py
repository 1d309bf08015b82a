"""`report.html`: one self-contained page that a release manager reads and an auditor signs."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from drillbook.domain.verdict import Verdict
from drillbook.evidence import folder, plots, traffic
from drillbook.evidence.text import printable

if TYPE_CHECKING:
    from drillbook.evidence.folder import Check, DrillRecord, Event, RunRecord

_SAID = {
    Verdict.PASS: "Every promise that was drilled was kept.",
    Verdict.FAIL: "A promise was broken.",
    Verdict.INCONCLUSIVE: "Not proved: at least one promise could not be decided.",
}
_MARKS = {Verdict.PASS: "✓", Verdict.FAIL: "✗", Verdict.INCONCLUSIVE: "?"}
_SHOWN_KINDS = {"intent", "injected", "observed", "detected", "decided", "recovered"}
_RAW = ("requests.parquet", "stalls.parquet", "ledger.parquet", "readback.parquet", "live.jsonl", "plan.json", "load.log")


def render(run_dir: Path) -> Path:
    """Write the report; the same folder gives the same bytes."""
    run = folder.read(run_dir)
    page = _templates().get_template("report.html.j2").render(
        run=run,
        said=_SAID[run.verdict],
        facts=_facts(run),
        drills=[_drill(drill, run_dir) for drill in run.drills],
        versions=run.document.get("versions") or {},
    )  # fmt: skip
    path = run_dir / "report.html"
    path.write_text(page, encoding="utf-8")
    return path


def _templates() -> Environment:
    # A None is shown as nothing and everything else made printable before it is escaped.
    templates = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True, finalize=_finalize,
    )  # fmt: skip
    templates.filters["mark"] = lambda verdict: _MARKS[verdict]
    templates.filters["number"] = _number
    return templates


def _finalize(value: object) -> object:
    if isinstance(value, Markup):
        return value
    return "" if value is None else printable(str(value))


def _facts(run: RunRecord) -> list[tuple[str, str]]:
    document: Any = run.document
    environment, who = document.get("environment") or {}, document.get("who") or {}
    started, finished = document.get("started_s"), document.get("finished_s")
    return [
        ("Run", str(document.get("run_id", run.path.name))),
        ("Environment", f"{environment.get('name', '(unknown)')} ({environment.get('tier', 'unknown tier')})"),
        ("Environment file", f"{environment.get('file', '')} sha256 {environment.get('sha256', '')}"),
        ("Started", _moment(started)),
        ("Took", f"{finished - started:.0f} s" if started and finished else "(not finished)"),
        ("Run by", f"{who.get('user', '(unknown)')} on {who.get('host', '(unknown)')}"),
        ("Exit code", str(run.verdict.exit_code)),
        ("Drillbook", str(document.get("drillbook_version", ""))),
    ]


def _drill(drill: DrillRecord, run_dir: Path) -> dict[str, object]:
    seen = traffic.read(drill.folder / "load")
    shown = [event for event in drill.events if event.kind in _SHOWN_KINDS and math.isfinite(event.t_s)]
    start = seen.start_s if seen else (shown[0].t_s if shown else 0.0)
    names = [series.version for series in seen.series if series.version] if seen else []
    return {
        "record": drill,
        "checks": [(check, Markup(plots.interval(check)), _measured(check)) for check in drill.checks],  # noqa: S704 -- built here, from numbers
        "plot": Markup(plots.timeline(seen, shown, f"Traffic of {drill.scenario}")) if seen else "",  # noqa: S704 -- likewise
        "legend": [(plots.legend_class(number), version) for number, version in enumerate(names)],
        "traffic": seen,
        "events": [(number, event, event.t_s - start) for number, event in enumerate(shown, start=1)],
        "stages": _stages(drill.events),
        "raw": [str(path.relative_to(run_dir)) for name in _RAW if (path := drill.folder / "load" / name).is_file()],
        "seconds": drill.finished_s - drill.started_s,
    }


def _stages(events: tuple[Event, ...]) -> list[tuple[str, float]]:
    """How long each part of a way back took, in seconds, from the first bad answer."""
    first_bad = next((e.data["first_bad_s"] for e in events if isinstance(e.data.get("first_bad_s"), float)), None)
    detected = _last(events, "detected", "watch_release")
    decided = _last(events, "decided", "watch_release")
    declared = _last(events, "injected", "roll_back")
    recovered = _last(events, "recovered", "roll_back")
    points = [("detect", first_bad, detected), ("decide", detected, decided), ("switch", decided, declared),
              ("in effect", declared, recovered), ("whole way back", first_bad, recovered)]  # fmt: skip
    return [(name, end - start) for name, start, end in points if start is not None and end is not None]


def _last(events: tuple[Event, ...], kind: str, activity: str) -> float | None:
    return next((e.t_s for e in reversed(events) if e.kind == kind and e.data.get("activity") == activity), None)


def _measured(check: Check) -> str:
    if check.low is None or check.high is None:
        return "nothing"
    if check.low == check.high:
        return f"{_number(check.low)} {check.unit}"
    return f"{_number(check.low)} to {_number(check.high)} {check.unit}"


def _number(value: float) -> str:
    return "∞" if math.isinf(value) else "?" if math.isnan(value) else f"{value:.6g}"


def _moment(epoch_s: object) -> str:
    if not isinstance(epoch_s, int | float):
        return "(unknown)"
    return datetime.fromtimestamp(epoch_s, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
