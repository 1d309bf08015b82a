"""The platform as a drill finds it."""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING

from pytest_bdd import given, parsers, then

from probes import story

if TYPE_CHECKING:
    from drillbook.drills.drill import Drill


@given(parsers.parse("release {release} is live and healthy, and the other slot is empty"))
def _(drill: Drill, release: str) -> None:
    drill.start_from(release)


@then("each container of the live release asks for processor and memory, and has a limit of both")
def _(drill: Drill) -> None:
    measured = story.containers_unbounded(drill.seen.events, drill.seen.window)
    statement = "no container of the live release lacks a request or a limit"
    drill.check("release.bounded", statement, "at_most", 0, measured)


@then(parsers.parse("the primary region is {home}, and the other one {away}"))
def _(drill: Drill, home: str, away: str) -> None:
    where = drill.platform.environment
    named = [where.primary.name, *(region.name for region in where.others)]
    found = f"regions that are not so called (the primary one is {' and another '.join(named)})"
    wrong = sum(pair[0] != pair[1] for pair in zip_longest(named, (home, away)))
    measured = drill.counted(found, wrong, "regions", "the environment file")
    drill.check("environment.regions", f"the regions are {home} and {away}", "at_most", 0, measured)
