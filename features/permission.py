"""Whether a run may begin: what it means to do, whether the guard allows that, and whether it could show anything."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from drillbook.run import guard, planning
from features import opening, scenarios

if TYPE_CHECKING:
    from collections.abc import Sequence

    from drillbook.domain.environment import Environment
    from drillbook.domain.guard import Plan


def plan(environment: Environment, only: Sequence[str]) -> Plan:
    """What a run that is asked for these means to do.

    Raises:
        PlanError: When nobody can tell.
    """
    return planning.run_plan(
        environment, planning.chosen(planning.drills(scenarios.FEATURES), environment, only), scenarios.FEATURES
    )


def allowed(
    config: pytest.Config, environment: Environment, only: Sequence[str], collected: Sequence[tuple[str, str]]
) -> float:
    """Ask the guard; answers until when the run is approved, in seconds since the epoch.

    Raises:
        PlanError: When nobody can tell what would be done.
        Refused: When the guard does not allow it.
    """
    approval = config.getoption("--approval")
    drills = planning.chosen(planning.drills(scenarios.FEATURES), environment, only)
    missing = planning.unplanned(drills, collected)
    if missing:
        raise guard.Refused(f"the plan lacks {'; '.join(missing)}, so nobody can tell whether that is allowed")
    return guard.check(
        environment,
        plan(environment, only),
        now_s=time.time(),
        expected_s=planning.expected_s(drills, Path(config.getoption("--runs") or opening.RUNS)),
        production_allowed=config.getoption("--production-allowed"),
        approval=Path(approval) if approval else None,
    )


def refuse_what_cannot_be_decided(
    environment: Environment, only: Sequence[str], collected: Sequence[tuple[str, str]]
) -> None:
    """A load too thin to show what is promised would end INCONCLUSIVE after minutes; say so before it starts."""
    drills = planning.chosen(planning.drills(scenarios.FEATURES), environment, only)
    meant = [drill for drill in drills if (drill.feature, drill.scenario) in collected]
    undecidable = [line for line in planning.feasibility(environment, meant) if not line.decidable]
    if undecidable:
        lines = [f"{line.objective}: has {line.has:g} {line.unit}, needs {line.needs:g}" for line in undecidable]
        todo = "; ".join(dict.fromkeys(line.remedy for line in undecidable))
        raise pytest.UsageError(f"the load of {environment.name} cannot decide {'; '.join(lines)}; {todo}")
