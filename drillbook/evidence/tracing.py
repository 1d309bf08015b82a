"""Traceability: each requirement, the scenarios that prove it, and what they last showed, over all run folders."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from drillbook.domain.scenarios import is_record_of
from drillbook.domain.titles import slug
from drillbook.domain.verdict import WORST_FIRST, Verdict
from drillbook.evidence import folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from drillbook.evidence.record import Check, DrillRecord, RunRecord
    from drillbook.evidence.requirements import Catalogue, Control, Requirement
    from drillbook.evidence.scenarios import Scenario

DAY_S = 86_400.0
_AHEAD_S = 300.0
"""What a clock elsewhere may be ahead of ours; evidence from further in the future has no age."""


class State(StrEnum):
    """What is known of a requirement; only `PROVED` is proved. In the order in which one hides another."""

    BROKEN = "broken"
    UNDECIDED = "undecided"
    CHANGED = "changed since"
    STALE = "stale"
    NEVER_DRILLED = "never drilled"
    NO_SCENARIO = "no scenario"
    PROVED = "proved"

    @property
    def proved(self) -> bool:
        """Whether a running system was seen to keep the promise, and lately."""
        return self is State.PROVED


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the last drill of a scenario showed of one requirement.

    Attributes:
        run: In which it was.
        drill: It.
        verdict: About this requirement.
        checks: That are about it.
        at_s: When it ended, in seconds since the epoch; None when its record does not say.
        age_s: Seconds from then to now; None when unknown or in the future.
    """

    run: RunRecord
    drill: DrillRecord
    verdict: Verdict
    checks: tuple[Check, ...]
    at_s: float | None
    age_s: float | None


@dataclass(frozen=True, slots=True)
class Proof:
    """A scenario and its last evidence.

    Attributes:
        scenario: It.
        evidence: None when it was never drilled, or not since it names this requirement.
        state: What follows.
    """

    scenario: Scenario
    evidence: Evidence | None
    state: State


@dataclass(frozen=True, slots=True)
class Row:
    """A requirement and everything about it.

    Attributes:
        requirement: It.
        proofs: One for each scenario that names it.
    """

    requirement: Requirement
    proofs: tuple[Proof, ...]

    @property
    def state(self) -> State:
        """The worst of its scenarios': one that has not lately passed leaves the promise unproved."""
        states = {proof.state for proof in self.proofs} or {State.NO_SCENARIO}
        return next(state for state in State if state in states)


@dataclass(frozen=True, slots=True)
class Matrix:
    """All requirements.

    Attributes:
        catalogue: Which there are.
        rows: One for each.
        now_s: When this was asked, in seconds since the epoch.
        max_age_days: Older evidence is stale.
        runs: Everything that was read, oldest first.
        unclaimed: Names of drills in the runs that no scenario has any more.
        unknown: Ids that scenarios name and the catalogue lacks.
    """

    catalogue: Catalogue
    rows: tuple[Row, ...]
    now_s: float
    max_age_days: float
    runs: tuple[RunRecord, ...]
    unclaimed: tuple[str, ...]
    unknown: tuple[str, ...]

    @property
    def proved(self) -> bool:
        """Whether every requirement is, and no scenario claims one that does not exist."""
        return not self.unknown and all(row.state.proved for row in self.rows)

    def counts(self) -> dict[State, int]:
        """How many requirements are in each state."""
        return {state: sum(row.state is state for row in self.rows) for state in State}

    def answering(self, control: Control) -> tuple[Row, ...]:
        """The requirements whose proof is evidence for a control."""
        return tuple(row for row in self.rows if control in row.requirement.controls)


def read_runs(runs: Path, environment: str = "") -> tuple[RunRecord, ...]:
    """The records of all run folders, oldest first, without their load.

    Args:
        runs: Where the folders are; none there is no run, not an error.
        environment: Only runs in this one; empty for all.
    """
    paths = sorted(runs.iterdir()) if runs.is_dir() else []
    records = [folder.read(path, load=False) for path in paths if path.is_dir() and not path.name.startswith(".")]
    kept = [run for run in records if not environment or run.environment.get("name") == environment]
    return tuple(sorted(kept, key=lambda run: (run.began_s or 0.0, run.run_id)))


def trace(
    catalogue: Catalogue,
    scenarios: Iterable[Scenario],
    runs: Sequence[RunRecord],
    *,
    now_s: float,
    max_age_days: float,
    held_to_its_limits: Callable[[RunRecord], bool] = lambda _run: True,
) -> Matrix:
    """The matrix. The runs that decide are read again with their load: a PASS whose raw data is damaged is none.

    Args:
        catalogue: The requirements.
        scenarios: That may prove them.
        runs: Oldest first, without their load.
        now_s: In seconds since the epoch.
        max_age_days: Older evidence is stale.
        held_to_its_limits: Whether a run was held to what its environment promises now.
    """
    scenarios = tuple(scenarios)
    known = catalogue.by_id()
    whole: dict[Path, RunRecord] = {}

    def proof(scenario: Scenario, requirement: Requirement) -> Proof:
        evidence = _last(scenario, requirement.id, runs, whole, now_s)
        as_now = evidence is None or held_to_its_limits(evidence.run)
        return Proof(scenario, evidence, _state(scenario, evidence, max_age_days, as_now=as_now))

    rows = tuple(
        Row(requirement, tuple(proof(s, requirement) for s in scenarios if requirement.id in s.requirements))
        for requirement in catalogue.requirements
    )
    names = {scenario.name for scenario in scenarios}
    drilled = {drill.scenario: None for run in runs for drill in run.drills}
    claimed = {id_: None for scenario in scenarios for id_ in scenario.requirements}
    return Matrix(
        catalogue, rows, now_s, max_age_days, tuple(runs),
        unclaimed=tuple(name for name in drilled if name not in names),
        unknown=tuple(id_ for id_ in claimed if id_ not in known),
    )  # fmt: skip


def _last(
    scenario: Scenario, id_: str, runs: Sequence[RunRecord], whole: dict[Path, RunRecord], now_s: float
) -> Evidence | None:
    """Of the run with the scenario's last drill that was about this requirement.

    Where that run has several, as two scenarios of one name left them in older versions, the worst counts.
    """
    found = [
        (drill.heard_of_s or run.finished_s or run.began_s or 0.0, place)
        for place, run in enumerate(runs)
        for drill in run.drills
        if _is_about(drill, scenario, id_)
    ]
    if not found:
        return None
    run = runs[max(found)[1]]
    if run.path not in whole:
        whole[run.path] = folder.read(run.path)
    read = whole[run.path]
    about = [drill for drill in read.drills if _is_about(drill, scenario, id_)]
    drill = min(about, key=lambda drill: WORST_FIRST.index(read.proof_of(id_, drill)))
    at_s = drill.finished_s or drill.started_s or run.started_s
    age_s = None if at_s is None or at_s > now_s + _AHEAD_S else max(now_s - at_s, 0.0)
    checks = tuple(check for check in drill.checks if id_ in check.recorded.objective.requirements)
    return Evidence(read, drill, read.proof_of(id_, drill), checks, at_s, age_s)


def _is_about(drill: DrillRecord, scenario: Scenario, id_: str) -> bool:
    """One whose own record is lost counts by its folder's name, and as about all that its scenario is."""
    if drill.recorded is None and not drill.requirements:
        return scenario.name == drill.scenario or slug(scenario.name) == drill.id == drill.scenario
    return drill.scenario == scenario.name and id_ in drill.requirements


def _state(scenario: Scenario, evidence: Evidence | None, max_age_days: float, *, as_now: bool) -> State:
    if evidence is None:
        return State.NEVER_DRILLED
    if evidence.verdict is Verdict.FAIL:
        return State.BROKEN
    if not (as_now and _is_of(scenario, evidence)):
        return State.CHANGED
    if evidence.age_s is None or evidence.age_s > max_age_days * DAY_S:
        return State.STALE
    return State.PROVED if evidence.verdict is Verdict.PASS else State.UNDECIDED


def _is_of(scenario: Scenario, evidence: Evidence) -> bool:
    """Whether it is of what the scenario says now; a record without sentences proves none."""
    spoken, passed = evidence.drill.sentences, evidence.verdict is Verdict.PASS
    return (bool(spoken) or not passed) and is_record_of(scenario.sentences, spoken, whole=passed)
