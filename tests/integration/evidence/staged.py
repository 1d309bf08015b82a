"""Pages of every kind from made-up runs: what the browser's tests look at."""

from __future__ import annotations

from typing import TYPE_CHECKING

import evidence_samples as samples

from drillbook.evidence import history, report, trace_report, tracing
from drillbook.evidence.requirements import catalogue
from drillbook.evidence.scenarios import Scenario

if TYPE_CHECKING:
    from pathlib import Path

PASSED, FAILED, UNDECIDED = (
    "report of a run that passed", "report of a run that failed", "report of a run that could not decide",
)  # fmt: skip
TRACE = "traceability"
PAGES = (PASSED, FAILED, UNDECIDED, TRACE)

_DRILLS = {
    PASSED: (samples.cutover, samples.rollback),
    FAILED: (samples.cutover, samples.rollback, samples.undecided, samples.broken, samples.hostile),
    UNDECIDED: (samples.undecided, samples.cutover),
}
"""What ran, by the page's name."""


def write(place: Path, page: str) -> Path:
    """The page of this name; answers its path."""
    return trace(place) if page == TRACE else report.render(_run(place, page))


def trace(place: Path) -> Path:
    """With a state of every kind on it."""
    runs = place / "runs"
    runs.mkdir()
    _run(runs, FAILED)
    found = tracing.read_runs(runs)
    scenarios = [Scenario(d.scenario, "F", "f.feature", d.requirements) for run in found for d in run.drills]
    scenarios.append(Scenario("Never drilled", "F", "f.feature", ("DR-1.5",)))
    finished_s = found[0].finished_s
    assert finished_s is not None
    matrix = tracing.trace(catalogue(), scenarios, found, now_s=finished_s + 60, max_age_days=1)
    assert len({row.state for row in matrix.rows}) >= 4
    return trace_report.render(place / "traceability.html", matrix, history.of(found))


def _run(place: Path, page: str) -> Path:
    return samples.write(place, [drill() for drill in _DRILLS[page]])
