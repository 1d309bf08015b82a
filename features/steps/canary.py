"""Releases that are tried on a few users first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_bdd import parsers, then, when

from drillbook.domain.measurement import Window
from drillbook.drills import release as release_drill
from drillbook.run.planning import FLAWED
from probes import story
from probes.canary import unfounded_decisions
from probes.serving import version_serving_after

if TYPE_CHECKING:
    from drillbook.drills.drill import Drill


@when(parsers.re(r"release (?P<version>\d\S*) is tried as a canary"))
def _(drill: Drill, version: str) -> None:
    release_drill.try_as_canary(drill, version)


@when(parsers.re(rf"{FLAWED} is tried as a canary"))
def _(drill: Drill, flaw: str) -> None:
    release_drill.try_as_canary(drill, flaw)


@then("it was promoted in steps to all of the traffic")
def _(drill: Drill) -> None:
    steps = len(drill.platform.environment.strategy.canary.steps)
    weights = story.weights_promoted(drill.seen.events, _until_decided(drill))
    drill.check("canary.promoted", f"it gets all of the traffic in {steps} steps", "at_least", steps, weights)


@then(parsers.parse("it was found worse, and all traffic was sent back to release {release}"))
def _(drill: Drill, release: str) -> None:
    version = drill.platform.version_of(release)
    drill.expect("release_canary")
    aborted = story.canaries_aborted(drill.seen.events, _until_decided(drill))
    drill.check("canary.aborted", f"the canary is aborted, back to {version}", "at_least", 1, aborted)


@then("it was not aborted")
def _(drill: Drill) -> None:
    aborted = story.canaries_aborted(drill.seen.events, _until_decided(drill))
    drill.check("canary.false_abort", "a canary that is no worse is not aborted", "at_most", 0, aborted)


@then("it was held at its first weight and never promoted, since nothing could be decided")
def _(drill: Drill) -> None:
    drill.expect("release_canary")
    undecided = story.canaries_undecided(drill.seen.events, _until_decided(drill))
    drill.check("canary.undecided", "what cannot be decided ends undecided", "at_least", 1, undecided)
    weights = story.weights_declared(drill.seen.events, _until_decided(drill))
    drill.check("canary.held", "it never has more than its first weight", "at_most", 1, weights)


@then("every decision follows from its users' answers")
def _(drill: Drill) -> None:
    plan = drill.platform.environment.strategy.canary
    found = unfounded_decisions(drill.folder, drill.seen.events, plan, _until_decided(drill))
    drill.check("canary.founded", "no decision but what the answers lead to", "at_most", 0, found)


@then(parsers.parse("release {release} answered all requests from {limit_s:g} s after its promotion on"))
def _(drill: Drill, release: str, limit_s: float) -> None:
    version = drill.platform.version_of(release)
    limit_s = min(limit_s, drill.objectives.switch_s)
    measured = version_serving_after(drill.folder, drill.seen.since("shift-traffic", "injected"), version)
    drill.check("release.switch", f"all traffic on {version} within {limit_s:g} s", "at_most", limit_s, measured)


def _until_decided(drill: Drill) -> Window:
    """A canary without users has no load whose window there is."""
    decided_s = story.moment(drill.seen.events, "release_canary", "decided")
    return Window(drill.started_s, drill.session.clock.now() if decided_s is None else decided_s)
