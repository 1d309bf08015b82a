"""The service level objectives, as the platform's own Prometheus counts them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_bdd import parsers, then

from probes import slo
from probes.reconcile import disagreement

if TYPE_CHECKING:
    from drillbook.drills.drill import Drill


@then(parsers.parse("Prometheus counted at least {percent:g} % of requests without a server error"))
def _(drill: Drill, percent: float) -> None:
    least = max(percent / 100, drill.objectives.availability)
    platform, window = drill.platform, drill.seen.window_of_servers
    measured = slo.availability(platform.metrics, platform.series, window, doubts=drill.seen.unscraped())
    drill.check("slo.availability", f"{least:.2%} of requests without a server error", "at_least", least, measured)
    spent = slo.budget_spent(platform.metrics, platform.series, window, objective=least, doubts=drill.seen.unscraped())
    drill.check("slo.budget", "the release spends no more than its window's error budget", "at_most", 1, spent)


@then(parsers.parse("Prometheus counted at least {percent:g} % of requests within {limit_s:g} s"))
def _(drill: Drill, percent: float, limit_s: float) -> None:
    least = max(percent / 100, drill.objectives.latency_share)
    limit_s = drill.latency_counted(limit_s)
    platform, window = drill.platform, drill.seen.window_of_servers
    measured = slo.within_latency(platform.metrics, platform.series, window, doubts=drill.seen.unscraped())
    drill.check("slo.latency", f"{least:.2%} of requests within {limit_s:g} s", "at_least", least, measured)


@then(parsers.parse("Prometheus and the clients agree on the writes within {percent:g} %"))
def _(drill: Drill, percent: float) -> None:
    most = min(percent / 100, drill.objectives.agreement)
    platform, window = drill.platform, drill.seen.window_of_servers
    writes = drill.seen.answered_writes()
    measured = disagreement(platform.metrics, platform.series, window, answered_writes=writes, tolerance=most)
    drill.check("slo.agreement", f"servers and clients agree within {most:.1%}", "at_most", most, measured)
