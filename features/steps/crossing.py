"""Sessions and jobs that are under way while the platform goes to the other region and comes back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_bdd import given, then, when

from drillbook.domain.measurement import Window
from drillbook.drills import crossing as crossing_drill
from drillbook.drills import recovery
from probes import crossing

if TYPE_CHECKING:
    from drillbook.domain.interval import Interval
    from drillbook.drills.drill import Drill


@given("people have sessions of both regions, and jobs are sent to both all the time")
def _(drill: Drill) -> None:
    crossing_drill.begin(drill)


@when("the database and the public go to the other region as planned, and both come back")
def _(drill: Drill) -> None:
    crossing_drill.go_and_come_back(drill)


@then("every session is honoured by the other region while it has the public")
def _(drill: Drill) -> None:
    _, away = recovery.regions(drill)
    _check_honoured(drill, away, crossing_drill.window_away(drill))


@then("every session is honoured by the primary region once it has the database again")
def _(drill: Drill) -> None:
    home, _ = recovery.regions(drill)
    _check_honoured(drill, home, crossing_drill.window_home(drill))


@then("no session that was forged, or is over, is honoured by either of them")
def _(drill: Drill) -> None:
    windows = (crossing_drill.window_away(drill), crossing_drill.window_home(drill))
    measured = crossing.bad_sessions_honoured(drill.folder, recovery.regions(drill), windows)
    drill.check("state.sessions.bad", "no session that was forged or is over is honoured", "at_most", 0, measured)


@then("every job in flight at the switch is finished by the other region")
def _(drill: Drill) -> None:
    home, away = recovery.regions(drill)
    _check_finished(drill, home, away, crossing_drill.switch(drill))


@then("every job in flight at the way back is finished by the primary region")
def _(drill: Drill) -> None:
    home, away = recovery.regions(drill)
    _check_finished(drill, away, home, crossing_drill.way_back(drill))


@then("each of those jobs is stored once, as it was sent, and is answered the same when it is sent again")
def _(drill: Drill) -> None:
    keys, regions = crossing_drill.jobs_in_flight(drill), recovery.regions(drill)
    window = Window(crossing_drill.switch(drill).low, crossing_drill.way_back(drill).high)
    stored = crossing.jobs_wrongly_kept(drill.folder, keys, regions, window)
    drill.check("state.jobs.stored", "every job in flight is stored once, as it was sent", "at_most", 0, stored)
    answered = crossing.jobs_answered_otherwise(drill.folder, keys, regions, window)
    drill.check("state.jobs.answered", "no job is answered otherwise when it is sent again", "at_most", 0, answered)


def _check_honoured(drill: Drill, region: str, window: Window) -> None:
    measured = crossing.sessions_not_honoured(drill.folder, region, window)
    statement = f"{region} honours every session, whichever region opened it"
    drill.check(f"state.sessions.{region}", statement, "at_most", 0, measured)


def _check_finished(drill: Drill, left: str, region: str, switch: Interval) -> None:
    measured = crossing.jobs_unfinished(drill.folder, left, region, switch)
    statement = f"{region} finishes every job that was in flight when {left} was left"
    drill.check(f"state.jobs.finished.{region}", statement, "at_most", 0, measured)
