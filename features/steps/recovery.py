"""Regions, their databases, and what a recovery costs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_bdd import given, parsers, then, when

from drillbook.domain.measurement import Window
from drillbook.domain.traffic import Connection
from drillbook.drills import recovery as recovery_drill
from features.sentences import promised_anyway
from probes import archive, recovery
from probes.communication import untold
from probes.fencing import writes_after_promotion
from probes.integrity import events_duplicated
from probes.recovery import writes_down
from probes.serving import region_serving_after

if TYPE_CHECKING:
    from drillbook.drills.drill import Drill


@given("the primary region has the database, and the other region's standby streams from it")
def _(drill: Drill) -> None:
    recovery_drill.start(drill)


@given("somebody keeps trying to write to the primary database, past every name and pooler")
def _(drill: Drill) -> None:
    recovery_drill.watch_primary(drill)


@given("it is looked all the time how far the archive reaches")
def _(drill: Drill) -> None:
    recovery_drill.watch_archive(drill)


@given("the environment says where everybody whom the runbooks name is told")
def _(drill: Drill) -> None:
    recovery_drill.knows_whom_to_tell(drill)


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


@when("the public is led to the other region as planned, and back")
def _(drill: Drill) -> None:
    recovery_drill.move_traffic(drill)


@then(parsers.parse("whoever asks for the public's name may keep the answer for at most {limit_s:g} s"))
def _(drill: Drill, limit_s: float) -> None:
    measured = recovery.name_kept(drill.seen.events, drill.seen.window)
    drill.check("recovery.ttl", f"the name may be kept for at most {limit_s:g} s", "at_most", limit_s, measured)


@then(parsers.parse("the other region had what it takes to carry everybody within {limit_s:g} s"))
def _(drill: Drill, limit_s: float) -> None:
    measured = recovery.step_took(drill.seen.events, "scale-up-region", drill.seen.window)
    statement = f"the other region has the pods to carry everybody within {limit_s:g} s"
    drill.check("recovery.scale_up", statement, "at_most", limit_s, measured)


@then(
    parsers.re(
        r"new connections were answered by the (?P<which>other|primary) region alone within (?P<s>[0-9]+) s of.*"
    )
)
def _(drill: Drill, which: str, s: str) -> None:
    home, away = recovery_drill.regions(drill)
    region, limit_s = {"other": away, "primary": home}[which], float(s)
    steps = ("move-traffic", "lead-traffic-back")
    window = recovery_drill.led(drill, *(steps if which == "other" else reversed(steps)))
    measured = region_serving_after(drill.folder, window, region, Connection.NEW)
    statement = f"new connections are answered by {region} alone within {limit_s:g} s"
    drill.check(f"recovery.led.{region}", statement, "at_most", limit_s, measured)


@when(parsers.re(r"the primary region (?P<loss>.+), is failed over by itself, and is handed its place back"))
def _(drill: Drill, loss: str) -> None:
    recovery_drill.lose_region(drill, loss)


@when("the primary database loses its server, is failed over by itself, and is handed its place back")
def _(drill: Drill) -> None:
    recovery_drill.lose_database(drill)


@when("the primary database loses its server just before its WAL is archived, is failed over, and handed back")
def _(drill: Drill) -> None:
    recovery_drill.lose_database(drill, "before-archive")


@then(parsers.parse("the loss came when the archive lacked at least {percent:g} % of the most that it ever does"))
def _(drill: Drill, percent: float) -> None:
    recovery_drill.check_moment(drill, percent / 100)


@then(parsers.parse("writes were good again within {hours:g} h of the loss, and stayed so for {sustained_s:g} s"))
def _(drill: Drill, hours: float, sustained_s: float) -> None:
    limit_s = min(hours * 3600, drill.objectives.recovery_time_s)
    happened, until_s = recovery_drill.loss(drill), recovery_drill.watched_until_s(drill)
    for connection in Connection:
        found, measured = recovery.time_to_recover(drill.folder, happened, until_s, connection, sustained_s=sustained_s)
        statement = f"sustained good writes within {limit_s:g} s of the loss on {connection} connections"
        drill.check(f"recovery.time.{connection}", statement, "at_most", limit_s, measured)
        recovery_drill.tell_stages(drill, connection, found)


@then(parsers.parse("of what was acknowledged at most the last {hours:g} h was lost"))
@promised_anyway
def _(drill: Drill, hours: float) -> None:
    limit_s = min(hours * 3600, drill.objectives.recovery_point_s)
    at_loss = recovery.age_of_lost_writes(drill.folder, recovery_drill.loss(drill))
    drill.check("recovery.point", f"at most {limit_s:g} s before the loss are lost", "at_most", limit_s, at_loss)
    # A primary that lives on takes writes until it is fenced; those may be lost as well.
    at_fence = recovery.age_of_lost_writes(drill.folder, recovery_drill.fenced(drill))
    statement = f"at most {limit_s:g} s before the fence are lost"
    drill.check("recovery.point_at_fence", statement, "at_most", limit_s, at_fence)


@then(parsers.parse("at no time did the archive lack anything older than {hours:g} h"))
def _(drill: Drill, hours: float) -> None:
    limit_s = min(hours * 3600, drill.objectives.recovery_point_s)
    statement = f"the archive never lacks anything older than {limit_s:g} s"
    drill.check("archive.age", statement, "at_most", limit_s, archive.worst_age(drill.folder, drill.seen.window))


@then("nothing is missing that was acknowledged once the lost primary was fenced, and no event is there twice")
@promised_anyway
def _(drill: Drill) -> None:
    # What is there twice is so whether or not anybody was fenced.
    drill.check("data.duplicated", "no event is stored twice", "at_most", 0, events_duplicated(drill.folder))
    lost = recovery.writes_lost_after(drill.folder, recovery_drill.fenced(drill))
    drill.check("recovery.lost_since_fence", "no event is lost that came after the fence", "at_most", 0, lost)


@then(parsers.parse("of each step of {told_of} everybody whom its runbook names was told, within {limit_s:g} s"))
def _(drill: Drill, told_of: str, limit_s: float) -> None:
    plan = recovery_drill.communication_plan(drill, told_of)
    measured = untold(drill.seen.events, plan, drill.seen.window, within_s=limit_s)
    statement = f"nobody whom the runbook of {told_of} names is left untold for {limit_s:g} s"
    drill.check("recovery.told", statement, "at_most", 0, measured)


@then("the lost primary took no write once another one was promoted")
def _(drill: Drill) -> None:
    _fenced(drill, "no two primaries take writes", from_outside=False)


@then("the lost primary took no write from outside its region once another one was promoted")
def _(drill: Drill) -> None:
    _fenced(drill, "the lost primary takes no write from outside its region", from_outside=True)


def _fenced(drill: Drill, statement: str, *, from_outside: bool) -> None:
    measured = writes_after_promotion(
        drill.folder,
        recovery_drill.loss(drill),
        recovery_drill.promotion(drill),
        recovery_drill.fenced_until_s(drill),
        from_outside=from_outside,
    )
    drill.check("recovery.split_brain", statement, "at_most", 0, measured)


@then("users were answered by the primary region before the loss, and by the other one once writes were good again")
def _(drill: Drill) -> None:
    home, away = recovery_drill.regions(drill)
    happened, until_s = recovery_drill.loss(drill), recovery_drill.watched_until_s(drill)
    for region, window in (
        (home, Window(drill.seen.window.start_s, happened.low)),
        (away, recovery_drill.served_again(drill, until_s)),
    ):
        others = recovery.answers_from_elsewhere(drill.folder, window, region)
        drill.check(f"recovery.answers.{region}", f"{region} alone answers", "at_most", 0, others)


@then(parsers.parse("for at most {limit_s:g} s in all nothing could be written while the place was handed back"))
def _(drill: Drill, limit_s: float) -> None:
    limit_s = min(limit_s, drill.objectives.switchover_s)
    for connection in Connection:
        measured = writes_down(drill.folder, recovery_drill.window_of_failback(drill), connection)
        statement = f"the failback takes writes away for at most {limit_s:g} s on {connection} connections"
        drill.check(f"recovery.failback.{connection}", statement, "at_most", limit_s, measured)
