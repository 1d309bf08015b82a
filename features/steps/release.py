"""Releases, and who answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_bdd import parsers, then, when

from drillbook.drills import release as release_drill
from drillbook.run.planning import FLAWED
from probes import story
from probes.serving import answers_by_others, bad_version_exposure, version_serving_after

if TYPE_CHECKING:
    from drillbook.drills.drill import Drill


@when(parsers.re(r"release (?P<version>\d\S*) is cut over"))
def _(drill: Drill, version: str) -> None:
    release_drill.cut_over(drill, version)


@when(parsers.re(rf"{FLAWED} is cut over"))
def _(drill: Drill, flaw: str) -> None:
    release_drill.cut_over_flawed(drill, flaw)


@when(parsers.re(r"release (?P<version>\d\S*) is cut over and, after (?P<after_s>\S+) s, taken back by an operator"))
def _(drill: Drill, version: str, after_s: str) -> None:
    release_drill.cut_over_and_order_back(drill, version, float(after_s))


@when(
    parsers.re(
        r"release (?P<version>\d\S*) is rolled out in place and, after (?P<after_s>\S+) s, rolled back by an operator"
    )
)
def _(drill: Drill, version: str, after_s: str) -> None:
    release_drill.update_in_place(drill, version, float(after_s))


@then("its validation failed, and the cutover ended there")
def _(drill: Drill) -> None:
    drill.expect("validate_release")
    found = story.wrong_answers_found(drill.seen.events, drill.seen.window)
    drill.check("release.validation_finds", "the validation finds an answer that is wrong", "at_least", 1, found)
    switches = story.switches(drill.seen.events, drill.seen.window)
    drill.check("release.no_switch", "a release that fails its validation gets no traffic", "at_most", 0, switches)


@then(parsers.parse("release {release} answered no request of the public"))
def _(drill: Drill, release: str) -> None:
    version = drill.platform.version_of(release)
    others = answers_by_others(drill.folder, drill.seen.window, drill.seen.live)
    drill.check("release.no_answers", f"release {version} answered no request", "at_most", 0, others)


@then(parsers.parse("release {release} answered all requests from {limit_s:g} s after the switch on"))
def _(drill: Drill, release: str, limit_s: float) -> None:
    version = drill.platform.version_of(release)
    limit_s = min(limit_s, drill.objectives.switch_s)
    measured = version_serving_after(drill.folder, drill.seen.since("switch-traffic", "injected"), version)
    drill.check("release.switch", f"all traffic on {version} within {limit_s:g} s", "at_most", limit_s, measured)


@then(parsers.parse("release {release} answered all requests from {limit_s:g} s after its roll-out's order on"))
def _(drill: Drill, release: str, limit_s: float) -> None:
    version = drill.platform.version_of(release)
    measured = version_serving_after(drill.folder, drill.seen.while_updated, version)
    drill.check("release.rolled_out", f"all traffic on {version} within {limit_s:g} s", "at_most", limit_s, measured)


@then(parsers.parse("release {release} was drained within {limit_s:g} s of the switch and is kept warm"))
def _(drill: Drill, release: str, limit_s: float) -> None:
    version = drill.platform.version_of(release)
    drained = story.drained_after(drill.seen.events, drill.seen.window)
    drill.check("release.drain", f"release {version} drained within {limit_s:g} s", "at_most", limit_s, drained)
    warm = story.warm_share(drill.seen.events, drill.seen.window)
    drill.check("release.warm", f"release {version} is kept warm", "at_least", 1, warm)


@then(parsers.parse("it was found bad, and traffic was sent back to release {release}"))
def _(drill: Drill, release: str) -> None:
    version = drill.platform.version_of(release)
    drill.expect("watch_release")
    decided = story.rollbacks_decided(drill.seen.events, drill.seen.window)
    statement = f"the watch finds it bad and sends traffic back to {version}"
    drill.check("release.detected", statement, "at_least", 1, decided)


@then(parsers.parse("its users had bad answers for at most {limit_s:g} s"))
def _(drill: Drill, limit_s: float) -> None:
    limit_s = min(limit_s, drill.objectives.rollback_s)
    reached_s = story.reached_s(drill.seen.events)
    measured = bad_version_exposure(
        drill.folder, drill.seen.window, drill.release,
        flaw=story.found_bad_for(drill.seen.events),
        reached_s=drill.seen.window.start_s if reached_s is None else reached_s,
    )  # fmt: skip
    statement = f"the last bad answer comes at most {limit_s:g} s after the first"
    drill.check("release.rollback", statement, "at_most", limit_s, measured)
    drill.tell_stages()


@then(parsers.parse("release {release} answered all requests from {limit_s:g} s after the way back on"))
def _(drill: Drill, release: str, limit_s: float) -> None:
    version = drill.platform.version_of(release)
    measured = version_serving_after(drill.folder, drill.seen.since("roll_back", "injected"), version)
    drill.check("release.way_back", f"all traffic on {version} within {limit_s:g} s", "at_most", limit_s, measured)


@then(parsers.parse("release {release} answered all requests from {limit_s:g} s after the operator's order on"))
def _(drill: Drill, release: str, limit_s: float) -> None:
    version = drill.platform.version_of(release)
    limit_s = min(limit_s, drill.objectives.rollback_s)
    measured = version_serving_after(drill.folder, drill.seen.since("roll_back", "decided"), version)
    statement = f"all traffic is back on {version} within {limit_s:g} s of the order"
    drill.check("release.rollback", statement, "at_most", limit_s, measured)
    drill.tell_stages()
