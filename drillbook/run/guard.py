"""What may be done to an environment; a guard that cannot be evaluated refuses."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from drillbook.domain.environment import Environment


class Refused(Exception):
    """The guard does not allow the run; the text says why and what would be needed."""


def check(environment: Environment, *, expected_s: float, production_allowed: bool) -> None:
    """Before anything is touched.

    Raises:
        Refused: When the environment's guard does not allow it.
    """
    if environment.tier == "production" and not production_allowed:
        raise Refused(
            f"{environment.name} is a production environment: drills there need the flag --production-allowed"
        )
    slots = {environment.releases.namespace, environment.router.namespace}
    outside = slots - set(environment.guard.namespaces)
    if outside:
        raise Refused(
            f"the drills would change namespace {', '.join(sorted(outside))}, which guard.namespaces in "
            f"{environment.file.name} does not list"
        )
    if expected_s > environment.guard.max_duration_s:
        raise Refused(
            f"the drills would take about {expected_s:.0f} s, and guard.max_duration allows "
            f"{environment.guard.max_duration_s:.0f} s"
        )
    if must_stop(environment):
        raise Refused(f"the stop file {environment.guard.stop_file} is there; delete it when drills may run again")


def must_stop(environment: Environment) -> bool:
    """Whether the environment's stop file has appeared."""
    return bool(environment.guard.stop_file) and Path(environment.guard.stop_file).exists()
