"""`junit.xml`: one test case a drill, with what was measured where pipelines show it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING
from xml.etree import ElementTree as Xml

from drillbook.domain.verdict import Verdict
from drillbook.evidence import folder
from drillbook.evidence.text import printable

if TYPE_CHECKING:
    from pathlib import Path

    from drillbook.evidence.folder import Check, DrillRecord


def render(run_dir: Path) -> Path:
    """Write `junit.xml`; FAIL is a failure, INCONCLUSIVE an error, and neither is ever skipped."""
    run = folder.read(run_dir)
    suites = Xml.Element("testsuites", name="drillbook")
    suite = Xml.SubElement(suites, "testsuite", {
        "name": printable(str(run.document.get("run_id", run_dir.name))),
        "tests": str(len(run.drills)),
        "failures": str(sum(drill.verdict is Verdict.FAIL for drill in run.drills)),
        "errors": str(sum(drill.verdict is Verdict.INCONCLUSIVE for drill in run.drills)),
        "skipped": "0",
    })  # fmt: skip
    for drill in run.drills:
        _case(suite, drill)
    Xml.indent(suites)
    path = run_dir / "junit.xml"
    Xml.ElementTree(suites).write(path, encoding="utf-8", xml_declaration=True)
    return path


def _case(suite: Xml.Element, drill: DrillRecord) -> None:
    seconds = drill.finished_s - drill.started_s
    case = Xml.SubElement(suite, "testcase", {
        "name": printable(drill.scenario),
        "classname": printable(drill.feature),
        "time": f"{seconds:.3f}" if math.isfinite(seconds) else "0",
    })  # fmt: skip
    properties = Xml.SubElement(case, "properties")
    for requirement in drill.requirements:
        Xml.SubElement(properties, "property", name="requirement", value=printable(requirement))
    for check in drill.checks:
        Xml.SubElement(properties, "property", name=printable(check.id), value=_line(check))
    text = "\n".join(_line(check) for check in drill.checks)
    if drill.verdict is not Verdict.PASS:
        broken = [check for check in drill.checks if check.verdict is drill.verdict]
        message = broken[0].statement + ": " + broken[0].reason if broken else drill.error or "; ".join(drill.notes)
        kind = "failure" if drill.verdict is Verdict.FAIL else "error"
        detail = "\n".join([*(_line(check) for check in broken), drill.error, *drill.notes]).strip()
        found = Xml.SubElement(case, kind, {"message": printable(message), "type": str(drill.verdict)})
        found.text = printable(detail)
    Xml.SubElement(case, "system-out").text = printable(text)


def _line(check: Check) -> str:
    seen = "nothing measured" if check.low is None else f"measured {check.low:g} to {check.high:g} {check.unit}"
    bound = f"objective {check.direction.replace('_', ' ')} {check.limit:g} {check.unit}"
    return printable(f"{check.verdict}: {check.statement}: {seen}, {bound} ({check.samples} samples, {check.source})")
