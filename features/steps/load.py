"""The users, and what they saw."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_bdd import given, parsers, then

from drillbook.domain.traffic import Connection
from features.sentences import promised_anyway
from probes.downtime import downtime, failed_requests
from probes.integrity import acknowledged_events_lost, events_duplicated
from probes.latency import latency_quantile

if TYPE_CHECKING:
    from drillbook.drills.drill import Drill


@given("analysts and collectors are on the platform, metered on new and on reused connections")
def _(drill: Drill) -> None:
    drill.put_load_on()


@then("no request failed, was answered wrongly or went unsent")
def _(drill: Drill) -> None:
    for connection in Connection:
        measured = failed_requests(drill.folder, drill.seen.window, connection)
        statement = f"no request failed on {connection} connections"
        drill.check(f"release.failed_requests.{connection}", statement, "at_most", 0, measured)


@then(parsers.parse("no outage was longer than {limit_s:g} s"))
def _(drill: Drill, limit_s: float) -> None:
    limit_s = min(limit_s, drill.objectives.outage_s)
    for connection in Connection:
        measured = downtime(drill.folder, drill.seen.window, connection)
        statement = f"no outage was longer than {limit_s:g} s on {connection} connections"
        drill.check(f"release.downtime.{connection}", statement, "at_most", limit_s, measured)


@then(parsers.parse("{percent:g} % of requests were answered within {limit_s:g} s"))
def _(drill: Drill, percent: float, limit_s: float) -> None:
    share = max(percent / 100, drill.objectives.latency_share)
    limit_s = min(limit_s, drill.objectives.latency_s)
    measured = latency_quantile(drill.folder, drill.seen.window, q=share)
    drill.check("release.latency", f"{share:.2%} of requests within {limit_s:g} s", "at_most", limit_s, measured)


@then("every acknowledged event is there, once and unchanged")
@promised_anyway
def _(drill: Drill) -> None:
    lost = acknowledged_events_lost(drill.folder)
    drill.check("data.lost", "no acknowledged event is lost or altered", "at_most", 0, lost)
    doubled = events_duplicated(drill.folder)
    drill.check("data.duplicated", "no event is stored twice", "at_most", 0, doubled)


@then(parsers.parse("every event that release {release} acknowledged is there, once and unchanged"))
@promised_anyway
def _(drill: Drill, release: str) -> None:
    version = drill.platform.version_of(release)
    lost = acknowledged_events_lost(drill.folder, version)
    drill.check("data.lost_of_release", f"no event of release {version} is lost or altered", "at_most", 0, lost)
    doubled = events_duplicated(drill.folder)
    drill.check("data.duplicated", "no event is stored twice", "at_most", 0, doubled)
