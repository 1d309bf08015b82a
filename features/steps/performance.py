"""Load of a certain shape, and how the platform bears it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_bdd import parsers, then, when

from drillbook.domain.shape import ramp, spike, steady
from drillbook.drills import capacity as capacity_drill
from drillbook.drills import performance
from features.sentences import promised_anyway
from probes import capacity, integrity, latency, schedule

if TYPE_CHECKING:
    from drillbook.drills.drill import Drill


@when(
    parsers.parse(
        "the load leaps to {factor:g} times the usual for {for_s:g} s, "
        "with {around_s:g} s of the usual before and after"
    )
)
def _(drill: Drill, factor: float, for_s: float, around_s: float) -> None:
    usual_hz = performance.usual_hz(drill)
    performance.bear(drill, spike(usual_hz, factor * usual_hz, for_s, around_s))


@when(
    parsers.parse(
        "the load rises from the usual to {factor:g} times the usual within {within_s:g} s, and stays for {hold_s:g} s"
    )
)
def _(drill: Drill, factor: float, within_s: float, hold_s: float) -> None:
    usual_hz = performance.usual_hz(drill)
    performance.bear(drill, ramp(usual_hz, factor * usual_hz, within_s, hold_s))


@when(
    parsers.parse(
        "the load is raised from the usual until less than {percent:g} % of requests are answered well, "
        "or less than {in_time:g} % within {limit_s:g} s"
    )
)
def _(drill: Drill, percent: float, in_time: float, limit_s: float) -> None:
    capacity_drill.search(drill, capacity_drill.promised(drill, percent / 100, in_time / 100, limit_s))


@then(parsers.parse("the highest rate that meets both is known within a factor of {factor:g}"))
def _(drill: Drill, factor: float) -> None:
    statement = f"the highest rate that meets the promise is known within a factor of {factor:g}"
    drill.check("capacity.known", statement, "at_most", factor, capacity.closeness(drill.folder))


@then(parsers.parse("it is at least {factor:g} times the usual"))
def _(drill: Drill, factor: float) -> None:
    least_hz = factor * performance.usual_hz(drill)
    statement = f"{factor:g} times the usual load meets the promise"
    drill.check("capacity.rate", statement, "at_least", least_hz, capacity.highest_rate(drill.folder))


@then("every event that was acknowledged at any rate is there, once and unchanged")
@promised_anyway
def _(drill: Drill) -> None:
    for rate in capacity.rates(drill.folder):
        lost = integrity.acknowledged_events_lost(drill.folder / rate.folder)
        statement = f"no event acknowledged at {rate.rate_hz:.0f} requests a second is lost or altered"
        drill.check(f"data.lost.{rate.folder}", statement, "at_most", 0, lost)
        doubled = integrity.events_duplicated(drill.folder / rate.folder)
        drill.check(f"data.duplicated.{rate.folder}", "no event is stored twice", "at_most", 0, doubled)


@when(parsers.parse("the load stays at the usual for {minutes:g} min"))
def _(drill: Drill, minutes: float) -> None:
    performance.bear(drill, steady(performance.usual_hz(drill), minutes * 60))


@then(parsers.parse("the load was sent as planned: {percent:g} % within {within_ms:g} ms of when it was due"))
def _(drill: Drill, percent: float, within_ms: float) -> None:
    least = percent / 100
    measured = schedule.sent_in_time(drill.folder, drill.seen.window, within_s=within_ms / 1000, least=least)
    statement = f"{least:.2%} of requests are sent within {within_ms:g} ms of when they are due"
    drill.check("load.sent", statement, "at_least", least, measured)


@then(parsers.parse("{percent:g} % of requests were answered within {limit_s:g} s while the load was highest"))
def _(drill: Drill, percent: float, limit_s: float) -> None:
    share, limit_s = performance.promised(drill, percent, limit_s)
    measured = latency.latency_quantile(drill.folder, performance.highest(drill), q=share)
    statement = f"{share:.2%} of requests within {limit_s:g} s while the load is highest"
    drill.check("load.latency_highest", statement, "at_most", limit_s, measured)


@then(parsers.parse("{percent:g} % of requests were answered within {limit_s:g} s from {after_s:g} s after that on"))
def _(drill: Drill, percent: float, limit_s: float, after_s: float) -> None:
    share, limit_s = performance.promised(drill, percent, limit_s)
    measured = latency.latency_quantile(drill.folder, performance.after_highest(drill, after_s), q=share)
    statement = f"{share:.2%} of requests within {limit_s:g} s from {after_s:g} s after the load was highest"
    drill.check("load.latency_after", statement, "at_most", limit_s, measured)


@then(
    parsers.parse(
        "half of the requests of the last {part_s:g} s took at most {factor:g} times as long as half of the first"
    )
)
def _(drill: Drill, part_s: float, factor: float) -> None:
    first, last = performance.first_and_last(drill, part_s)
    measured = latency.latency_growth(drill.folder, first, last, q=0.5)
    statement = f"half of the requests of the last {part_s:g} s take at most {factor:g} times as long as at first"
    drill.check("load.latency_growth", statement, "at_most", factor, measured)
