"""JUnit XML: one test case for each drill, so that pipelines show verdicts with their figures."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from drillbook.domain.verdict import Verdict
from drillbook.domain.wording import quantity, span, visible
from drillbook.evidence import folder
from drillbook.evidence.reading import replace

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from drillbook.evidence.record import Check, DrillRecord, RunRecord


def render(run_dir: Path, into: Path | None = None) -> Path:
    """Write `junit.xml` into a run's folder; answers its path.

    Args:
        run_dir: The run's.
        into: Another folder to write to, when it is not the run's own.

    Raises:
        NotARun: When there is no such folder.
    """
    return replace((into or run_dir) / "junit.xml", document(folder.read(run_dir)))


def document(run: RunRecord) -> bytes:
    """The XML of a run."""
    root = ET.Element("testsuites", {"name": "drillbook"})
    features = list(dict.fromkeys(drill.feature for drill in run.drills))
    suites = [_suite(run, feature, [d for d in run.drills if d.feature == feature]) for feature in features]
    if run.doubts:
        suites.append(_run_suite(run))
    root.extend(suites)
    for count in ("tests", "failures", "errors"):
        root.set(count, str(sum(int(suite.get(count, "0")) for suite in suites)))
    root.set("time", _seconds(run.duration_s))
    ET.indent(root)
    return ET.tostring(root, encoding="utf-8", xml_declaration=True) + b"\n"


def _suite(run: RunRecord, feature: str, drills: Sequence[DrillRecord]) -> ET.Element:
    cases = [_case(drill) for drill in drills]
    suite = _counted(feature or "drills", cases)
    suite.set("time", _seconds(sum(drill.duration_s or 0.0 for drill in drills)))
    properties = {
        "run": run.run_id,
        "environment": run.environment.get("name", ""),
        "drillbook": run.drillbook_version,
        **{f"version.{name}": version for name, version in run.versions.items()},
    }
    suite.insert(0, _properties(properties.items()))
    return suite


def _run_suite(run: RunRecord) -> ET.Element:
    """What keeps the run as a whole from passing, so that a pipeline which reads this file alone does not pass it."""
    case = ET.Element("testcase", {"name": "the run and its evidence", "classname": "drillbook.run", "time": "0"})
    _text(case, "error", "\n".join(run.doubts), message=_first(run.doubts), type=str(Verdict.INCONCLUSIVE))
    return _counted("drillbook: the run itself", [case])


def _counted(name: str, cases: Sequence[ET.Element]) -> ET.Element:
    counts = {
        "tests": len(cases),
        "failures": sum(case.find("failure") is not None for case in cases),
        "errors": sum(case.find("error") is not None for case in cases),
    }
    suite = ET.Element("testsuite", {"name": visible(name), **{key: str(count) for key, count in counts.items()}})
    suite.extend(cases)
    return suite


def _case(drill: DrillRecord) -> ET.Element:
    case = ET.Element(
        "testcase",
        {"name": visible(drill.scenario), "classname": visible(drill.feature or "drills"),
         "time": _seconds(drill.duration_s)},
    )  # fmt: skip
    properties = [("verdict", str(drill.verdict)), ("drill", drill.id)]
    properties += [("requirement", name) for name in drill.requirements]
    for check in drill.checks:
        properties += _figures(check)
    case.append(_properties(properties))
    figures = "\n".join(_line(check) for check in drill.checks)
    told = "\n".join((*drill.reasons, "", figures)) if drill.reasons else figures
    if drill.verdict is Verdict.FAIL:
        _text(case, "failure", told, message=_first(drill.reasons), type=str(Verdict.FAIL))
    elif drill.verdict is Verdict.INCONCLUSIVE:
        _text(case, "error", told, message=_first(drill.reasons), type=str(Verdict.INCONCLUSIVE))
    _text(case, "system-out", figures)
    return case


def _figures(check: Check) -> list[tuple[str, str]]:
    """Measured value, objective and the bound that decides."""
    objective, interval = check.recorded.objective, check.recorded.measurement.interval
    name = objective.id or objective.statement
    worst = "" if interval is None else str(interval.high if objective.direction == "at_most" else interval.low)
    return [
        (f"{name}.measured", _measured(check)),
        (f"{name}.objective", f"{objective.direction} {objective.limit!r} {objective.unit}".strip()),
        (f"{name}.bound", worst),
        (f"{name}.verdict", str(check.verdict)),
    ]


def _line(check: Check) -> str:
    objective, measurement = check.recorded.objective, check.recorded.measurement
    sign = "at most" if objective.direction == "at_most" else "at least"
    return (
        f"{check.verdict}: {objective.statement}: measured {_measured(check)} ({measurement.samples} samples, "
        f"{measurement.source}), promised {sign} {quantity(objective.limit, objective.unit)}; {check.reason}"
    )


def _measured(check: Check) -> str:
    interval = check.recorded.measurement.interval
    return "nothing" if interval is None else span(interval, check.recorded.measurement.unit)


def _properties(pairs: Iterable[tuple[str, str]]) -> ET.Element:
    element = ET.Element("properties")
    for name, value in pairs:
        ET.SubElement(element, "property", {"name": visible(name), "value": visible(value)})
    return element


def _text(parent: ET.Element, tag: str, text: str, **attributes: str) -> None:
    ET.SubElement(parent, tag, {name: visible(value) for name, value in attributes.items()}).text = visible(text)


def _first(reasons: Sequence[str]) -> str:
    return reasons[0] if reasons else "no reason recorded"


def _seconds(value: float | None) -> str:
    return f"{max(value or 0.0, 0.0):.3f}"
