"""Pages of every kind from made-up runs: what the browser's tests look at."""

from __future__ import annotations

from typing import TYPE_CHECKING

import evidence_samples as samples

from drillbook.domain.interval import Interval
from drillbook.domain.wording import moment
from drillbook.evidence import history, history_report, report, trace_report, tracing
from drillbook.evidence.requirements import catalogue
from drillbook.evidence.scenarios import Scenario

if TYPE_CHECKING:
    from pathlib import Path

    from evidence_samples import Drill

    from drillbook.evidence.record import RunRecord

PASSED, FAILED, UNDECIDED, NIGHTLY = (
    "report of a run that passed", "report of a run that failed", "report of a run that could not decide",
    "report of a night",
)  # fmt: skip
TRACE, HISTORY = "traceability", "history"
PAGES = (PASSED, FAILED, UNDECIDED, NIGHTLY, TRACE, HISTORY)

_NIGHTS = 14
_DAY_S = 86_400
_ROWS = 7_000
"""Of each drill of the newest night, so that its plots look like those of a real load."""

_TAGS = {
    "cutover": ("DEP-1", "DEP-2", "ENV-1", "ENV-2", "IAC-2"),
    "rollback": ("DEP-2.3", "DEP-3"),
    "slow-rollback": ("DEP-2.4",),
    "failover": ("ENV-3", "DR-1.5", "DR-1.6", "DR-2"),
    "telemetry": ("OBS-1",),
    "backup": ("DR-1.1", "DR-1.2", "DR-1.3", "DR-1.4"),
    "secrets": ("SEC-2",),
    "tracing": ("OBS-3", "OBS-2"),
}
"""Sections or ids of the catalogue that each made-up scenario is tagged with."""

_SAID_SINCE = {"tracing": ("then it can be followed into the other region",)}
"""Sentences that scenarios have got after they were drilled."""


def write(place: Path, page: str) -> Path:
    """The page of this name; answers its path."""
    if page == TRACE:
        return trace(place, nights(place / "runs"))
    if page == HISTORY:
        return history_report.render(place / "history.html", history.of(nights(place / "runs")))
    return report.render(samples.write(place, _drills(page)))


def nights(runs: Path) -> tuple[RunRecord, ...]:
    """Two weeks of them."""
    runs.mkdir()
    for night in range(_NIGHTS):
        start_s = samples.START_S + (night - _NIGHTS + 1) * _DAY_S
        name = f"{moment(start_s)[:10].replace('-', '')}T080000Z-twin-{night:04x}"
        drills = _night(night)
        for drill in drills:
            drill.requirements = _requirements(drill.id)
        samples.write(runs, drills, name=name, start_s=start_s)
    return tracing.read_runs(runs)


def trace(place: Path, found: tuple[RunRecord, ...]) -> Path:
    """With a state of every kind on it."""
    scenarios = [
        Scenario(
            drill.scenario,
            "F",
            f"{name}.feature",
            _requirements(name),
            (*drill.sentences, *_SAID_SINCE.get(name, ())),
        )
        for name, drill in {drill.id: drill for night in range(_NIGHTS) for drill in _night(night)}.items()
    ]
    scenarios += [
        Scenario(
            "A secret is changed while it is used", "F", "secrets.feature", _requirements("secrets"), ("given one",)
        ),
    ]
    finished_s = found[-1].finished_s
    assert finished_s is not None
    matrix = tracing.trace(catalogue(), scenarios, found, now_s=finished_s + 3600, max_age_days=7)
    assert {row.state for row in matrix.rows} == set(tracing.State), "one of each"
    return trace_report.render(place / "traceability.html", matrix, history.of(found))


def _drills(page: str) -> list[Drill]:
    if page == PASSED:
        return [samples.cutover(), samples.rollback()]
    if page == UNDECIDED:
        return [samples.undecided(), samples.cutover()]
    if page == NIGHTLY:
        night = _night(_NIGHTS - 1)
        for drill in night:
            drill.rows = _ROWS
        return night
    return [samples.cutover(), samples.rollback(), samples.undecided(), samples.broken(), samples.hostile()]


def _night(number: int) -> list[Drill]:
    """What was drilled: one that flickers, one that broke of late, one that gets slower, and one that was left out."""
    slower = 3.0 if number >= _NIGHTS - 2 else 0.0
    rollback, way_back = samples.rollback(), samples.broken()
    took = 7.8 + 0.3 * (number % 4)
    rollback.judgements[0] = samples.judged(
        "rollback.time", "the last bad answer comes at most 120 s after the first", "at_most", 120.0,
        Interval(took, took + 0.2), requirements=("DEP-2.3",),
    )  # fmt: skip
    took = 8.1 if number == _NIGHTS - 1 else 3.1 + 0.2 * (number % 3)
    way_back.judgements = [
        samples.judged(
            "rollback.by_hand", "the last bad answer comes at most 5 s after an operator asks", "at_most", 5.0,
            Interval(took, took + 0.4), requirements=("DEP-2.4",),
        ),
        samples.judged("rollback.lost", "no acknowledged event is lost", "at_most", 0, Interval(0, 0), "events"),
    ]  # fmt: skip
    way_back.requirements = ("DEP-2.4",)
    way_back.description = "An operator who asks for the old release has it back within seconds."
    base = 38.0 + slower + 0.4 * (number % 3)
    drills = [samples.cutover(), rollback, way_back, samples.failover(Interval(base, base + 0.3))]
    telemetry = samples.undecided()
    if number % 5 == 3 or number == _NIGHTS - 1:
        del telemetry.judgements[1:]
    else:
        agree = samples.judged("slo.agree", "servers and clients agree within 2 %", "at_most", 0.02,
                               Interval(0.001, 0.004), "ratio", requirements=("OBS-1.1",))  # fmt: skip
        telemetry.judgements = [agree]
    drills.append(telemetry)
    if number == 0:
        backup = samples.cutover()
        backup.id, backup.scenario = "backup", "The newest backup is restored beside the live database"
        traced = samples.cutover()
        traced.id, traced.scenario = "tracing", "A request can be followed through every service"
        drills += [backup, traced]
    return drills


def _requirements(name: str) -> tuple[str, ...]:
    ids = [requirement.id for section in catalogue().sections for requirement in section.requirements]
    return tuple(id_ for id_ in ids if any(id_ == tag or id_.startswith(f"{tag}.") for tag in _TAGS[name]))
