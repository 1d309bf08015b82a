"""Regions, their databases, and what a recovery costs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_bdd import given, parsers, then, when

from drillbook import recovery_drill
from drillbook.domain.traffic import Connection
from probes.recovery import writes_down

if TYPE_CHECKING:
    from drillbook.drill import Drill


@given("the primary region has the database, and the other region's standby streams from it")
def _(drill: Drill) -> None:
    recovery_drill.start(drill)


@when("the database is switched over to the other region, and back")
def _(drill: Drill) -> None:
    recovery_drill.switch_over(drill)


@then(parsers.parse("for at most {limit_s:g} s in all nothing could be written while it was switched over"))
def _(drill: Drill, limit_s: float) -> None:
    limit_s = min(limit_s, drill.objectives.switchover_s)
    for connection in Connection:
        measured = writes_down(drill.folder, drill.seen.since("switch-over", "intent"), connection)
        statement = f"a planned switch takes writes away for at most {limit_s:g} s on {connection} connections"
        drill.check(f"recovery.switchover.{connection}", statement, "at_most", limit_s, measured)


@then(parsers.parse("for at most {limit_s:g} s in all nothing could be written while it was switched back"))
def _(drill: Drill, limit_s: float) -> None:
    limit_s = min(limit_s, drill.objectives.switchover_s)
    for connection in Connection:
        measured = writes_down(drill.folder, recovery_drill.window_of_way_back(drill), connection)
        statement = f"the way back takes writes away for at most {limit_s:g} s on {connection} connections"
        drill.check(f"recovery.way_back.{connection}", statement, "at_most", limit_s, measured)
