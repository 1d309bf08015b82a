"""Load from within the cluster, and what its workers saw."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_bdd import parsers, then, when

from drillbook.drills import performance
from drillbook.drills import workers as workers_drill
from probes import workers

if TYPE_CHECKING:
    from drillbook.drills.drill import Drill


@when(parsers.parse("{count:d} workers in the cluster send {rate_hz:g} requests a second between them for {for_s:g} s"))
def _(drill: Drill, count: int, rate_hz: float, for_s: float) -> None:
    workers_drill.send(drill, count, rate_hz, for_s)


@then(parsers.parse("every worker sent its share: {percent:g} % within {within_ms:g} ms of when it was due"))
def _(drill: Drill, percent: float, within_ms: float) -> None:
    least = percent / 100
    measured = workers.sent_in_time(drill.folder, within_s=within_ms / 1000, least=least)
    statement = f"{least:.2%} of the workers' requests are sent within {within_ms:g} ms of when they are due"
    drill.check("workers.sent", statement, "at_least", least, measured)


@then(parsers.parse("the workers' clocks were within {limit_s:g} s of the run's"))
def _(drill: Drill, limit_s: float) -> None:
    statement = f"the workers' clocks are within {limit_s:g} s of the run's"
    drill.check("workers.clocks", statement, "at_most", limit_s, workers.clocks(drill.folder))


@then("no request of the workers failed, was answered wrongly or went unsent")
def _(drill: Drill) -> None:
    failed = workers.failed_requests(drill.folder)
    drill.check("workers.failed_requests", "no request of the workers failed", "at_most", 0, failed)


@then(parsers.parse("{percent:g} % of the workers' requests were answered within {limit_s:g} s"))
def _(drill: Drill, percent: float, limit_s: float) -> None:
    share, limit_s = performance.promised(drill, percent, limit_s)
    measured = workers.latency_quantile(drill.folder, q=share)
    statement = f"{share:.2%} of the workers' requests within {limit_s:g} s"
    drill.check("workers.latency", statement, "at_most", limit_s, measured)


@then("every event that the workers had acknowledged is there, once and unchanged")
def _(drill: Drill) -> None:
    lost = workers.events_lost(drill.folder)
    drill.check("data.lost_of_workers", "no acknowledged event of a worker is lost or altered", "at_most", 0, lost)
    doubled = workers.events_duplicated(drill.folder)
    drill.check("data.duplicated_of_workers", "no event of a worker is stored twice", "at_most", 0, doubled)
