"""The report as PDF, by Typst: an executive page, then drill by drill. The same folder gives the same bytes.

Nothing of the machine gets in: the fonts are those inside of Typst, the date is the run's, and the text is handed over
as data, so that no character of it is markup.
"""

from __future__ import annotations

import hashlib
import json
import re
from datetime import UTC, datetime
from functools import cache
from importlib.resources import as_file, files
from typing import TYPE_CHECKING, Any

from drillbook.domain.verdict import Verdict
from drillbook.domain.wording import duration, moment, quantity, span, visible
from drillbook.evidence import deviations, folder, report
from drillbook.evidence.pages import SYMBOLS, told_origin
from drillbook.evidence.reading import replace, text_of

if TYPE_CHECKING:
    from pathlib import Path

    from drillbook.evidence.record import Check, RawFile, RunRecord
    from drillbook.evidence.report import DrillView

MOST_EVENTS = 60
"""Of one drill's timeline, which is whole in the folder and in the HTML report."""

STANDARD = "a-2a"
"""PDF/A-2a: for archives, with everything inside of it, and readable aloud."""


class NoPdf(Exception):
    """Typst is not installed, or refuses the document; the text says which."""


def render(run_dir: Path, into: Path | None = None) -> Path:
    """Write `report.pdf` into a run's folder; answers its path.

    Args:
        run_dir: The run's.
        into: Another folder to write to, when it is not the run's own.

    Raises:
        NotARun: When there is no such folder.
        NoPdf: When Typst is missing or refuses it.
    """
    return replace((into or run_dir) / "report.pdf", document(folder.read(run_dir)))


def document(run: RunRecord) -> bytes:
    """The PDF of a run."""
    try:
        import typst  # noqa: PLC0415 -- most reports do without
    except ImportError as error:
        raise NoPdf("the PDF needs typst: pip install '.[evidence]' in Drillbook's checkout") from error
    made_s = run.finished_s if run.finished_s is not None else run.started_s
    with as_file(files("drillbook.evidence") / "templates") as templates:
        try:
            return typst.compile(
                templates / "report.typ",
                root=templates,
                ignore_system_fonts=True,
                sys_inputs={"run": json.dumps(_clean(_run(run)))},
                timestamp=_date(made_s),
                pdf_standards=[STANDARD],
            )
        except typst.TypstError as error:
            raise NoPdf(f"Typst refuses the report of {run.run_id}: {error}") from error


def _date(made_s: float | None) -> datetime:
    """Of the document: the run's end; a time that no calendar has is no date."""
    try:
        return datetime.fromtimestamp(int(made_s or 0), UTC)
    except (ValueError, OverflowError, OSError):
        return datetime.fromtimestamp(0, UTC)


def _run(run: RunRecord) -> dict[str, Any]:
    requirements = run.requirements()
    views = report.views(run)
    return {
        "id": run.run_id,
        "verdict": str(run.verdict),
        "recorded": str(run.recorded) if run.recorded else "",
        "summary": report.summary(run),
        "doubts": list(run.doubts),
        "facts": [
            ("Environment", " · ".join(filter(None, (run.environment.get("name"), run.environment.get("tier"))))),
            ("Started", moment(run.started_s)),
            ("Took", "unknown" if run.duration_s is None else duration(run.duration_s)),
            ("Run by", " on ".join(filter(None, (run.who.get("user"), run.who.get("host"))))),
            ("Approved by", _approval(run)),
            ("Drillbook", run.drillbook_version),
        ],
        "proved": [id_ for id_, verdict in requirements.items() if verdict is Verdict.PASS],
        "unproved": [(id_, str(verdict)) for id_, verdict in report.unproved(requirements)],
        "deviations": [
            {"where": d.where, "what": d.what, "follow_up": d.follow_up, "verdict": str(d.verdict)}
            for d in deviations.of(run)
        ],
        "drills": [_drill(view) for view in views],
        "worst_first": [view.number - 1 for view in report.worst_first(views)],
        "undo": [
            {
                "sequence": str(change.sequence),
                "action": text_of(change.action, limit=200),
                "drill": text_of(change.drill, limit=200),
                "state": {"undone": "put back, and seen to be", "stuck": "could not be put back"}.get(
                    change.stage, "not put back"
                ),
                "note": text_of(change.note, limit=400),
            }
            for change in run.undo
        ],
        "versions": list(run.versions.items()),
        "environment": [(key, value) for key, value in run.environment.items() if value],
        "files": [
            (name, f"{size:,}".replace(",", "\N{NARROW NO-BREAK SPACE}"), digest) for name, size, digest in _files(run)
        ],
        "symbols": {str(verdict): symbol for verdict, symbol in SYMBOLS.items()},
    }


def _files(run: RunRecord) -> list[tuple[str, int, str]]:
    """Every file with its digest; Prometheus' answers, hundreds of small files, as one for each drill."""
    answers: dict[str, list[RawFile]] = {}
    found: list[tuple[str, int, str]] = []
    for file in run.files:
        parent = file.path.rpartition("/")[0]
        if parent.endswith("/queries"):
            answers.setdefault(parent, []).append(file)
        else:
            found.append((file.path, file.size, file.sha256))
    for parent, inside in answers.items():
        listed = "".join(f"{file.sha256}  {file.path}\n" for file in inside)
        digest = hashlib.sha256(listed.encode(errors="surrogateescape")).hexdigest()
        found.append((f"{parent}/ ({len(inside)} files)", sum(file.size for file in inside), digest))
    return sorted(found)


def _approval(run: RunRecord) -> str:
    approval = run.approval
    if not approval:
        return "nobody: none is recorded"
    return ", ".join(filter(None, (approval.get("approver") or approval.get("by"), approval.get("reason"))))


def _drill(view: DrillView) -> dict[str, Any]:
    drill = view.record
    events = [(marker, event) for marker, event in view.timeline if marker is not None]
    return {
        "number": view.number,
        "scenario": drill.scenario,
        "feature": drill.feature,
        "verdict": str(drill.verdict),
        "started": moment(drill.started_s),
        "took": "unknown" if drill.duration_s is None else duration(drill.duration_s),
        "requirements": list(drill.requirements),
        "promise": " ".join(drill.description.split()),
        "reasons": list(drill.reasons),
        "decided": drill.reasons[0] if drill.reasons else f"all {len(drill.checks)} objectives met",
        "checks": [_check(check, view.intervals[number]) for number, check in enumerate(drill.checks)],
        "stages": [(stage.name, stage.told, quantity(stage.length_s, "s")) for stage, _ in view.stages],
        "breakdowns": [
            {
                "title": f"{it.title}, on {it.connections} connections" if it.connections else it.title,
                "parts": [(part.name, span(part.took, "s")) for part in it.parts],
                "remark": it.remark,
            }
            for it in view.breakdowns
        ],
        "legend": [
            (told_origin(origin), _colours()[f"--{colour}"])
            for origin, colour in view.colours.items()
            if colour != "none"
        ],
        "plots": [
            {
                "title": drawing.title,
                "svg": _svg(drawing.wide, ".tick,.lane-label{font-size:12px}"),
                "told": f"{drill.scenario}: {drawing.title}",
            }
            for drawing in view.drawings
        ],
        "events": [
            (str(marker.number), f"{event.t_s - view.zero_s:+.2f} s", event.kind, text_of(event.text, limit=300))
            for marker, event in events[:MOST_EVENTS]
        ],
        "left_out": max(len(events) - MOST_EVENTS, 0),
    }


def _check(check: Check, plot: str) -> dict[str, Any]:
    objective, measurement = check.recorded.objective, check.recorded.measurement
    interval = measurement.interval
    return {
        "statement": objective.statement,
        "limit": f"{'≤' if objective.direction == 'at_most' else '≥'} {quantity(objective.limit, objective.unit)}",
        "measured": "nothing" if interval is None else span(interval, measurement.unit),
        "samples": f"{measurement.samples} {'sample' if measurement.samples == 1 else 'samples'}",
        "source": measurement.source or "source unknown",
        "verdict": str(check.verdict),
        "reason": "" if check.verdict is Verdict.PASS else check.reason,
        "svg": _svg(plot, ".tick{display:none}") if plot else "",
    }


def _svg(drawing: str, more: str) -> str:
    """A drawing with its styles and patterns inside, as it stands alone."""
    inside = f"<style>{_styles()}{more}</style>{_patterns()}"
    return re.sub(r"^(<svg[^>]*>)", lambda found: found[1] + inside, str(drawing), count=1)


@cache
def _styles() -> str:
    """The rules of the page's style sheet in the colours of its print, since an SVG alone has neither."""
    sheet, colours = _sheet(), _colours()
    rules = re.findall(r"((?:path)?\.[\w-][^{}@]*)\{([^}]*)\}", sheet[: sheet.index("@media screen")])
    drawn = [(name.strip(), body.strip()) for name, body in rules if re.search(r"fill|stroke|font-size|color:", body)]
    text = "".join(f"{name}{{{body}}}" for name, body in drawn)
    return "text{font-family:'Libertinus Serif'}" + re.sub(r"var\((--[\w-]+)\)", lambda found: colours[found[1]], text)


@cache
def _colours() -> dict[str, str]:
    sheet = _sheet()
    return dict(re.findall(r"(--[\w-]+):\s*([^;]+);", sheet[sheet.index("@media print") :]))


@cache
def _sheet() -> str:
    return (files("drillbook.evidence") / "templates" / "style.css").read_text(encoding="utf-8")


@cache
def _patterns() -> str:
    return (files("drillbook.evidence") / "templates" / "patterns.svg").read_text(encoding="utf-8")


def _clean(value: Any) -> Any:
    """Every text shows itself, since what hides in it would also hide in print."""
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, dict):
        return {str(key): _clean(item) for key, item in value.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    if isinstance(value, list | tuple):
        return [_clean(item) for item in value]  # pyright: ignore[reportUnknownVariableType]
    return value
