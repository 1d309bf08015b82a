"""What a scenario about a release does: the experiment that deploys it, and how long that may take."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drillbook.drills.drill import EXPERIMENT_DEADLINE_S
from drillbook.drills.seen import NotOffered

if TYPE_CHECKING:
    from drillbook.drills.drill import Drill

_SCRAPES_WAITED_FOR = 4.5
"""By a release: until Prometheus has seen its pods, and until an old slot is known to be without work."""


def cut_over(drill: Drill, release: str) -> None:
    """The experiment `cutover` with a release."""
    drill.release = drill.let_stay = drill.platform.version_of(release)
    drill.run_experiment("cutover", deadline_s=within_s(drill), release=release)


def cut_over_flawed(drill: Drill, flaw: str) -> None:
    """The same with a release that is bad on purpose.

    Raises:
        NotOffered: When the environment has none with this flaw.
    """
    _check_offered(drill, flaw)
    cut_over(drill, flaw)


def try_as_canary(drill: Drill, release: str) -> None:
    """The experiment `canary` with a release, good or bad.

    Raises:
        NotOffered: When the name is no version, and the environment has no release of this name.
    """
    if not release[:1].isdigit():
        _check_offered(drill, release)
    drill.release = drill.platform.version_of(release)
    plan = drill.platform.environment.strategy.canary
    held_s = len(plan.steps) * plan.hold_s
    drill.run_experiment("canary", deadline_s=within_s(drill) + held_s, release=release)


def cut_over_and_order_back(drill: Drill, release: str, after_s: float) -> None:
    """The experiment `rollback`."""
    drill.release = drill.platform.version_of(release)
    drill.run_experiment("rollback", deadline_s=within_s(drill) + after_s, release=release, after_s=f"{after_s:g}")


def update_in_place(drill: Drill, release: str, after_s: float) -> None:
    """The experiment `update_in_place`."""
    drill.release = drill.platform.version_of(release)
    drill.run_experiment(
        "update_in_place", deadline_s=within_s(drill) + after_s, release=release, after_s=f"{after_s:g}"
    )


def within_s(drill: Drill) -> float:
    """Deadline of an experiment with a release, and with whatever its environment makes it wait for, in seconds.

    The release's own deadline counts for its installation and again for its pods; so does that of its way back.
    """
    environment = drill.platform.environment
    scrapes_s = _SCRAPES_WAITED_FOR * environment.metrics.scrape_interval_s
    strategy, released_s = environment.strategy, 4 * environment.releases.deadline_s
    return EXPERIMENT_DEADLINE_S + released_s + strategy.watch_s + strategy.drain_s + scrapes_s


def _check_offered(drill: Drill, flaw: str) -> None:
    if not drill.platform.offers(flaw):
        raise NotOffered(
            f"not proved here: the environment {drill.platform.environment.name} has no release that {flaw}; name "
            "one under releases.overrides"
        )
