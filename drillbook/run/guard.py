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
    if refusal := refused_at_any_time(environment, plan, expected_s):
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


def refused_at_any_time(environment: Environment, plan: Plan, expected_s: float) -> str:
    """Why a run that takes so many seconds is refused whoever asks and whenever; empty when it is not for that."""
    settings = environment.guard
    try:
        if must_stop(environment):
            return f"the stop file {settings.stop_file} is there; delete it when drills may run again"
    except Unreachable as error:
        return str(error)
    if beyond := _beyond_reach(environment, plan):
        return beyond
    if expected_s <= settings.max_duration_s:
        return ""
    return (
        f"the drills would take about {expected_s:.0f} s, and guard.max_duration allows {settings.max_duration_s:.0f} "
        "s; name fewer by --only, or allow more"
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


def _beyond_reach(environment: Environment, plan: Plan) -> str:
    settings, file = environment.guard, environment.file.name
    outside = set(plan.namespaces) - set(settings.namespaces)
    if outside:
        return (
            f"the drills would change namespace {', '.join(sorted(outside))}, which guard.namespaces in {file} does "
            "not list"
        )
    elsewhere = set(plan.regions) - set(settings.regions or environment.regions)
    if elsewhere:
        return f"the drills would change {', '.join(sorted(elsewhere))}, which guard.regions in {file} leaves out"
    for drill in plan.drills:
        allowed = settings.share_of(resilience=drill.resilience)
        if drill.pods_share > allowed:
            return (
                f"{drill.scenario!r} takes away {drill.pods_share:.0%} of the pods, and guard.pods_share in {file} "
                f"allows {allowed:.0%}"
            )
    return ""


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
