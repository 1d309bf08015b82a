"""The platform as a drill finds it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_bdd import given, parsers, then

from probes import story

if TYPE_CHECKING:
    from drillbook.drills.drill import Drill


@given(parsers.parse("release {version} is live and healthy, and the other slot is empty"))
def _(drill: Drill, version: str) -> None:
    drill.start_from(version)


@then("each container of the live release asks for processor and memory, and has a limit of both")
def _(drill: Drill) -> None:
    measured = story.containers_unbounded(drill.seen.events, drill.seen.window)
    statement = "no container of the live release lacks a request or a limit"
    drill.check("release.bounded", statement, "at_most", 0, measured)
