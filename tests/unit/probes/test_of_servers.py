"""The objectives as the servers count them, on a Prometheus of a few lines."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from functools import partial

import pytest

from drillbook.domain.measurement import Window
from drillbook.domain.promql import label_names, narrowed, over, total
from drillbook.domain.verdict import Objective, Verdict, judge
from drillbook.ports import Sample, Unreachable
from probes import reconcile, slo

WINDOW = Window(100.0, 160.0)
SERIES = slo.ServiceSeries(
    requests="requests", failures="failures", in_time="in_time", fast="fast", timed="timed", in_flight="in_flight",
    up="up", writes="writes",
)  # fmt: skip


class Prometheus:
    """Answers from values at the window's start and end, and from resets, by selector and series."""

    def __init__(self) -> None:
        self.first: dict[str, dict[str, float]] = {}
        self.last: dict[str, dict[str, float]] = {}
        self.resets: dict[str, int] = {}
        self.scrapes: dict[str, float] = {}
        self.labels: dict[str, dict[str, str]] = {}
        self.away = False

    def counts(self, selector: str, *, first: dict[str, float], last: dict[str, float], resets: int = 0) -> Prometheus:
        self.first[selector], self.last[selector], self.resets[selector] = first, last, resets
        return self

    def query(self, promql: str, *, at_s: float | None = None) -> list[Sample]:
        assert at_s is not None, "a judgement is of its window, not of now"
        if self.away:
            raise Unreachable("Prometheus did not answer")
        if "sum_over_time" in promql:
            return [Sample({"instance": f"{host}:80"}, count, at_s) for host, count in self.scrapes.items()]
        selector = re.sub(r"^\w+\((\w+)\[\d+ms\]\).*", r"\1", promql)
        if promql.startswith("resets"):
            return [Sample({}, 1.0, at_s)] * self.resets.get(selector, 0)
        assert promql.startswith("last_over_time"), "a scrape that just failed hides a series from it"
        values = self.last if at_s == WINDOW.end_s else self.first
        found = values.get(selector, {}).items()
        return [Sample({"instance": name, **self.labels.get(name, {})}, value, at_s) for name, value in found]


def verdict(measurement, limit: float = 0.999) -> Verdict:
    return judge(Objective("slo", "", "at_least", limit, "ratio"), measurement).verdict


@pytest.mark.parametrize(
    ("first", "last", "grown"),
    [
        pytest.param({"a": 10.0}, {"a": 30.0}, 20, id="a counter that was there"),
        pytest.param({}, {"a": 90.0}, 90, id="a counter first scraped at 90 began in the window"),
        pytest.param({"a": 10.0, "b": 5.0}, {"a": 30.0, "b": 6.0, "c": 7.0}, 28, id="pods that came and went"),
    ],
)
def test_growth_is_last_minus_first(first, last, grown) -> None:
    found = slo.growth(Prometheus().counts("requests", first=first, last=last), "requests", WINDOW)
    assert (found.count, found.doubts) == (grown, ())


def test_a_counter_that_fell_back_is_a_doubt() -> None:
    prometheus = Prometheus().counts("requests", first={"a": 10.0}, last={"a": 12.0}, resets=1)
    assert "fell back" in slo.growth(prometheus, "requests", WINDOW).doubts[0]


def test_a_counter_that_is_lower_than_at_the_start_fell_back_though_prometheus_saw_no_reset() -> None:
    """It was restarted between its last scrape before the window and its first one in it."""
    prometheus = Prometheus().counts("failures", first={"a": 500.0, "b": 0.0}, last={"a": 240.0, "b": 1.0})
    found = slo.growth(prometheus, "failures", WINDOW)
    assert found.doubts == ("1 series of failures fell back: a process was restarted, and its count is lost",)


def test_what_the_windows_start_is_read_from_is_looked_through_for_restarts_as_well() -> None:
    asked = {}
    prometheus = Prometheus().counts("requests", first={"a": 1.0}, last={"a": 2.0})
    query = prometheus.query
    prometheus.query = lambda promql, at_s: asked.update({promql: at_s}) or query(promql, at_s=at_s)
    slo.growth(prometheus, "requests", WINDOW, scrape_interval_s=15.0)
    assert asked == {
        "last_over_time(requests[45000ms])": WINDOW.start_s,
        "last_over_time(requests[60000ms])": WINDOW.end_s,
        "resets(requests[105000ms]) > 0": WINDOW.end_s,
    }


def test_no_series_is_no_zero_unless_it_may_be_absent() -> None:
    assert math.isnan(slo.growth(Prometheus(), "requests", WINDOW).count)
    assert slo.growth(Prometheus(), "failures", WINDOW, may_be_absent=True).count == 0


def test_nan_is_no_number() -> None:
    prometheus = Prometheus().counts("requests", first={}, last={"a": math.nan})
    found = slo.growth(prometheus, "requests", WINDOW)
    assert math.isnan(found.count)
    assert "NaN" in found.doubts[0]


@pytest.mark.parametrize(
    ("requests", "failed", "expected"),
    [
        (10_000, 0, Verdict.PASS),
        (10_000, 200, Verdict.FAIL),
        (500, 0, Verdict.INCONCLUSIVE),  # too few to show 99.9 %
        (10_000, 10, Verdict.INCONCLUSIVE),
    ],
)
def test_availability_is_judged_as_an_interval(requests, failed, expected) -> None:
    prometheus = Prometheus().counts("requests", first={"a": 0.0}, last={"a": float(requests)})
    prometheus.counts("failures", first={}, last={"a": float(failed)})
    assert verdict(slo.availability(prometheus, SERIES, WINDOW)) is expected


def test_latency_is_the_share_in_the_bucket() -> None:
    prometheus = Prometheus().counts("timed", first={"a": 0.0}, last={"a": 10_000.0})
    prometheus.counts("in_time", first={"a": 0.0}, last={"a": 9_999.0})
    assert verdict(slo.within_latency(prometheus, SERIES, WINDOW), 0.99) is Verdict.PASS
    prometheus.counts("in_time", first={"a": 0.0}, last={"a": 9_000.0})
    assert verdict(slo.within_latency(prometheus, SERIES, WINDOW), 0.99) is Verdict.FAIL


@pytest.mark.parametrize("measure", [slo.availability, slo.within_latency])
def test_a_prometheus_that_is_away_proves_nothing(measure) -> None:
    prometheus = Prometheus()
    prometheus.away = True
    measured = measure(prometheus, SERIES, WINDOW)
    assert (measured.interval, measured.doubts) == (None, ("Prometheus did not answer",))


def test_the_budget_is_of_the_windows_own_requests() -> None:
    prometheus = Prometheus().counts("requests", first={"a": 0.0}, last={"a": 10_000.0})
    prometheus.counts("failures", first={}, last={"a": 5.0})
    spent = slo.budget_spent(prometheus, SERIES, WINDOW, objective=0.999)
    assert spent.interval.low == pytest.approx(0.5)


TOLD_BY_CODE = replace(SERIES, failure_labels=("code",))
MEASURES = [slo.availability, partial(slo.budget_spent, objective=0.999)]


def told(measure, labels, **counts):
    """How a measure takes 4,000 requests of a pod whose series have these labels, and no series of failures."""
    prometheus = Prometheus().counts("requests", first={"a": 0.0}, last={"a": 4_000.0}, **counts)
    prometheus.labels = {"a": labels}
    return measure(prometheus, TOLD_BY_CODE, WINDOW)


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("labels", [{"status": "500"}, {}, {"code": ""}], ids=str)
def test_requests_without_the_label_that_tells_failures_prove_nothing(measure, labels) -> None:
    (doubt,) = told(measure, labels).doubts
    assert doubt == (
        "1 series of requests lacks the label code, by which metrics.failures tells failures: one that failed would "
        "not be counted as such"
    )


@pytest.mark.parametrize("measure", MEASURES)
def test_no_series_of_failures_is_none_where_the_requests_have_the_label(measure) -> None:
    assert told(measure, {"code": "200"}).doubts == ()


def test_a_series_that_counted_nothing_in_the_window_hides_no_failure() -> None:
    prometheus = Prometheus().counts("requests", first={"a": 0.0, "old": 7.0}, last={"a": 4_000.0, "old": 7.0})
    prometheus.labels = {"a": {"code": "200"}}
    assert verdict(slo.availability(prometheus, TOLD_BY_CODE, WINDOW)) is Verdict.PASS


def test_where_nothing_was_requested_that_is_all_that_is_doubted() -> None:
    assert slo.availability(Prometheus(), TOLD_BY_CODE, WINDOW).doubts == ("Prometheus has no series of requests",)


@pytest.mark.parametrize(
    ("matchers", "labels"),
    [
        ('code=~"5.."', ("code",)),
        ('code=~"5..",method!="GET", code!="501" ', ("code", "method")),
        ("state='a=\"b\"'", ("state",)),
        (r'error="a \"quoted=\" b",kind!~`c="d"`', ("error", "kind")),
        ('"http.status"=~"5..",__name__="requests_total"', ("http.status",)),
        ("", ()),
    ],
)
def test_the_labels_of_matchers(matchers, labels) -> None:
    assert label_names(matchers) == labels


def test_a_pod_that_was_not_scraped_all_along_is_a_doubt() -> None:
    prometheus = Prometheus()
    prometheus.scrapes = {"10.0.0.1": 60.0, "10.0.0.2": 20.0}
    doubts = slo.unscraped(prometheus, SERIES, "green", ["10.0.0.1", "10.0.0.2", "10.0.0.3"], WINDOW)
    assert doubts == (
        "Prometheus scraped 20 of 60 times the target 10.0.0.2 of slot green",
        "Prometheus scraped 0 of 60 times the target 10.0.0.3 of slot green",
    )
    prometheus.counts("requests", first={"a": 0.0}, last={"a": 10_000.0})
    assert verdict(slo.availability(prometheus, SERIES, WINDOW, doubts=doubts)) is Verdict.INCONCLUSIVE


@pytest.mark.parametrize(("answered", "share"), [(1000, 0.0), (980, 20 / 980), (0, None)])
def test_servers_and_clients_are_compared_by_writes(answered, share) -> None:
    prometheus = Prometheus().counts("writes", first={"a": 0.0}, last={"a": 1000.0})
    found = reconcile.disagreement(prometheus, SERIES, WINDOW, answered_writes=answered, tolerance=0.05)
    assert (found.interval.low if found.interval else None) == (pytest.approx(share) if share is not None else None)


@pytest.mark.parametrize(("tolerance", "expected"), [(0.03, Verdict.PASS), (0.02, Verdict.INCONCLUSIVE)])
def test_more_disagreement_than_is_allowed_is_a_doubt_and_no_failure(tolerance, expected) -> None:
    prometheus = Prometheus().counts("writes", first={"a": 0.0}, last={"a": 1000.0})
    found = reconcile.disagreement(prometheus, SERIES, WINDOW, answered_writes=980, tolerance=tolerance)
    objective = Objective("slo.agreement", "servers and clients agree", "at_most", tolerance, "ratio")
    assert judge(objective, found).verdict is expected


def test_selectors_are_narrowed_and_quoted() -> None:
    assert narrowed("up", {"slot": "blue"}) == 'up{slot="blue"}'
    assert narrowed('up{job="a"}', {"slot": 'b"}x'}) == 'up{job="a",slot="b\\"}x"}'
    assert narrowed("up{}", {"slot": "blue"}) == 'up{slot="blue"}'
    assert narrowed("up", {}) == "up"
    assert over("resets", "up", 1.5) == "resets(up[1500ms])"
    assert total("up") == "sum(up)"
    assert total("up", by=("code", "http.status")) == 'sum by (code, "http.status") (up)'
