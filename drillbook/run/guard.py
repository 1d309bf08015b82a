"""What may be done to an environment, before anything is touched; a guard that cannot be evaluated refuses."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

from drillbook.ports import Unreachable
from drillbook.run import approval as approvals

if TYPE_CHECKING:
    from drillbook.domain.environment import Environment
    from drillbook.domain.guard import Plan


class Refused(Exception):
    """The guard does not allow the run; the text says why and what would be needed."""


def check(
    environment: Environment,
    plan: Plan,
    *,
    now_s: float,
    expected_s: float,
    production_allowed: bool,
    approval: Path | None = None,
) -> float:
    """Before anything is touched; answers until when the run is approved, in seconds since the epoch.

    Args:
        environment: Where.
        plan: What the run means to do.
        now_s: Seconds since the epoch.
        expected_s: How long it takes, in seconds.
        production_allowed: Whether the person who calls says that production is meant.
        approval: File with somebody's word for this plan.

    Raises:
        Refused: When the environment's guard does not allow it.
    """
    settings = environment.guard
    try:
        stopped = must_stop(environment)
    except Unreachable as error:
        raise Refused(str(error)) from error
    if stopped:
        raise Refused(f"the stop file {settings.stop_file} is there; delete it when drills may run again")
    _check_reach(environment, plan)
    if refusal := too_long(environment, expected_s):
        raise Refused(refusal)
    if settings.windows and not any(hours.hold(now_s, now_s + expected_s) for hours in settings.windows):
        allowed = "; ".join(str(hours) for hours in settings.windows)
        raise Refused(f"drills may run here only within guard.windows ({allowed}), and these take {expected_s:.0f} s")
    if environment.tier != "production":
        return math.inf
    _check_production(environment, plan, production_allowed=production_allowed)
    if approval is None:
        raise Refused(
            f"{environment.name} is a production environment: have the plan {plan.sha256[:12]}... approved with "
            "`drillbook approve`, and give its file by --approval"
        )
    try:
        given = approvals.read(approval)
        approvals.check(given, plan.sha256, settings.approvers, now_s, now_s + expected_s)
    except approvals.NotApproved as error:
        raise Refused(str(error)) from error
    return given.not_after_s


def too_long(environment: Environment, expected_s: float) -> str:
    """Why drills that take so many seconds are refused; empty when they are not for that."""
    allowed_s = environment.guard.max_duration_s
    if expected_s <= allowed_s:
        return ""
    return (
        f"the drills would take about {expected_s:.0f} s, and guard.max_duration allows {allowed_s:.0f} s; name fewer "
        "by --only, or allow more"
    )


def must_stop(environment: Environment) -> bool:
    """Whether the environment's stop file has appeared.

    Raises:
        Unreachable: When nobody could put it there, or it cannot be looked for.
    """
    if not environment.guard.stop_file:
        return False
    path = Path(environment.guard.stop_file)
    try:
        path.lstat()
    except FileNotFoundError as error:
        if path.parent.is_dir():
            return False
        raise Unreachable(
            f"the stop file {path} can appear nowhere: there is no directory {path.parent}; make or mount it, or "
            f"change guard.stop_file in {environment.file.name}"
        ) from error
    except OSError as error:
        raise Unreachable(f"nobody can tell whether the stop file {path} is there: {error.strerror}") from error
    return True


def _check_reach(environment: Environment, plan: Plan) -> None:
    settings, file = environment.guard, environment.file.name
    outside = set(plan.namespaces) - set(settings.namespaces)
    if outside:
        raise Refused(
            f"the drills would change namespace {', '.join(sorted(outside))}, which guard.namespaces in {file} does "
            "not list"
        )
    elsewhere = set(plan.regions) - set(settings.regions or environment.regions)
    if elsewhere:
        raise Refused(
            f"the drills would change {', '.join(sorted(elsewhere))}, which guard.regions in {file} leaves out"
        )
    for drill in plan.drills:
        allowed = settings.share_of(resilience=drill.resilience)
        if drill.pods_share > allowed:
            raise Refused(
                f"{drill.scenario!r} takes away {drill.pods_share:.0%} of the pods, and guard.pods_share in {file} "
                f"allows {allowed:.0%}"
            )


def _check_production(environment: Environment, plan: Plan, *, production_allowed: bool) -> None:
    settings, file = environment.guard, environment.file.name
    if not production_allowed:
        raise Refused(
            f"{environment.name} is a production environment: drills there need the flag --production-allowed, an "
            "approval (--approval FILE) and an allowed window"
        )
    if not settings.windows:
        raise Refused(f"{environment.name} is a production environment, and {file} allows no hours: set guard.windows")
    unnamed = [d for d in plan.drills if d.destructive and not {d.scenario, d.feature} & set(settings.destructive)]
    if unnamed:
        raise Refused(
            f"{unnamed[0].scenario!r} is destructive; in production guard.destructive in {file} has to name it, or its "
            f"feature {unnamed[0].feature!r}"
        )
