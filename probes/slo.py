"""Service level indicators as the servers counted them, from Prometheus.

Counters are read as they stand, and subtracted: `increase()` answers 0 for a counter that is first scraped at 90, and
extrapolates where nothing was. The rule, for each series of a selector:

- its last value in the window minus its value at the start, which a scrape that failed just then does not hide;
- a series that was not there at the start began in the window, at 0: the whole of its last value counts;
- a series that ended in the window counts with the last value that was scraped;
- a series that fell back (its process was restarted in place) makes the sum unknown, which is a doubt, also where it
  did so between its last scrape before the window and its first one in it.

Failures are those requests whose labels say so: of requests without such a label nobody can tell whether they failed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from drillbook.domain.interval import Interval
from drillbook.domain.measurement import Measurement
from drillbook.domain.promql import narrowed, over
from drillbook.domain.statistics import share
from drillbook.ports import Unreachable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from drillbook.domain.measurement import Window
    from drillbook.ports import Metrics, Sample

_BEFORE_SCRAPES = 3
"""The value at a window's start is the last of so many scrapes: one may have failed."""
_SCRAPED_SHARE = 0.8
"""Of the scrapes due, so many have to have worked for a series to count as complete."""


@dataclass(frozen=True, slots=True)
class ServiceSeries:
    """Where Prometheus keeps what the service counts; selectors without slot and version.

    Attributes:
        requests: Counter of answered requests.
        failures: The same, of those that the service failed.
        in_time: Histogram bucket that ends at the latency objective; counts those within it.
        fast: Likewise, of what the watch of a release does not take for slow.
        timed: The histogram's count: all that the bucket is a share of.
        in_flight: Gauge of requests being answered.
        up: Prometheus' own series of the service's targets.
        writes: Counter of write requests, which nobody makes but the load.
        slot_label: Label that holds the slot.
        version_label: Label that holds the release.
        target_label: Label of `up` that holds `address:port`.
        scrape_interval_s: Seconds between two scrapes.
        failure_labels: Labels of requests that tell which of them the service failed.
    """

    requests: str
    failures: str
    in_time: str
    fast: str
    timed: str
    in_flight: str
    up: str
    writes: str
    slot_label: str = "slot"
    version_label: str = "version"
    target_label: str = "instance"
    scrape_interval_s: float = 1.0
    failure_labels: tuple[str, ...] = ()

    def of(self, selector: str, *, slot: str | None = None, version: str | None = None) -> str:
        """A selector narrowed to a slot, a release or both."""
        labels = {self.slot_label: slot, self.version_label: version}
        return narrowed(selector, {label: value for label, value in labels.items() if value is not None})


@dataclass(frozen=True, slots=True)
class Growth:
    """By how much counters grew in a window.

    Attributes:
        count: The sum; NaN when nothing is known.
        doubts: Reasons not to trust it.
    """

    count: float
    doubts: tuple[str, ...] = ()


def growth(
    metrics: Metrics,
    selector: str,
    window: Window,
    *,
    scrape_interval_s: float = 1.0,
    may_be_absent: bool = False,
    told_by: Sequence[str] = (),
) -> Growth:
    """By how much the counters of a selector grew in a window, by the rule above; never raises.

    Args:
        metrics: Prometheus.
        selector: Which counters.
        window: When; its end at least two scrapes ago.
        scrape_interval_s: Seconds between two scrapes.
        may_be_absent: Whether no series at all means 0, as for an error that never occurred.
        told_by: Labels that tell failures; what was counted without one of them is a doubt.
    """
    before_s = _BEFORE_SCRAPES * scrape_interval_s
    try:
        first = _by_series(metrics.query(over("last_over_time", selector, before_s), at_s=window.start_s))
        last = _by_series(metrics.query(over("last_over_time", selector, window.length_s), at_s=window.end_s))
        resets = metrics.query(f"{over('resets', selector, before_s + window.length_s)} > 0", at_s=window.end_s)
    except Unreachable as error:
        return Growth(math.nan, (str(error),))
    if not last:
        return Growth(0.0) if may_be_absent else Growth(math.nan, (f"Prometheus has no series of {selector}",))
    grown = {key: value - first.get(key, 0.0) for key, value in last.items()}
    if any(math.isnan(value) for value in grown.values()):
        return Growth(math.nan, (f"Prometheus answered NaN for {selector}",))
    doubts: list[str] = []
    if fell := max(len(resets), sum(value < 0 for value in grown.values())):
        doubts.append(f"{fell} series of {selector} fell back: a process was restarted, and its count is lost")
    counted = [dict(key) for key, value in grown.items() if value > 0]
    doubts += [_untold(selector, label, lacking) for label in told_by if (lacking := _without(label, counted))]
    return Growth(sum(max(value, 0.0) for value in grown.values()), tuple(doubts))


def unscraped(
    metrics: Metrics, series: ServiceSeries, slot: str, addresses: Sequence[str], window: Window
) -> tuple[str, ...]:
    """Doubts about a slot's targets: each pod that was ready has to have been scraped all along the window."""
    counting = over("sum_over_time", series.up, window.length_s)
    try:
        counted = metrics.query(f"sum by ({series.target_label}) ({counting})", at_s=window.end_s)
    except Unreachable as error:
        return (str(error),)
    scrapes = {sample.labels.get(series.target_label, "").rpartition(":")[0]: sample.value for sample in counted}
    due = window.length_s / series.scrape_interval_s
    return tuple(
        f"Prometheus scraped {scrapes.get(address, 0):.0f} of {due:.0f} times the target {address} of slot {slot}"
        for address in addresses
        if not scrapes.get(address, 0) >= _SCRAPED_SHARE * due - 1
    )


def availability(
    metrics: Metrics, series: ServiceSeries, window: Window, *, slot: str | None = None, doubts: Sequence[str] = ()
) -> Measurement:
    """Share of requests that the servers did not fail."""
    counted = partial(growth, metrics, scrape_interval_s=series.scrape_interval_s)
    requests = counted(series.of(series.requests, slot=slot), window, told_by=series.failure_labels)
    failed = counted(series.of(series.failures, slot=slot), window, may_be_absent=True)
    return _share("share of requests answered without a server error", requests, failed, window, doubts)


def within_latency(
    metrics: Metrics, series: ServiceSeries, window: Window, *, slot: str | None = None, doubts: Sequence[str] = ()
) -> Measurement:
    """Share of requests answered within the latency objective, exact because a bucket ends there."""
    counted = partial(growth, metrics, scrape_interval_s=series.scrape_interval_s)
    timed = counted(series.of(series.timed, slot=slot), window)
    in_time = counted(series.of(series.in_time, slot=slot), window)
    late = Growth(max(timed.count - in_time.count, 0.0), in_time.doubts)
    return _share("share of requests answered within the latency objective", timed, late, window, doubts)


def budget_spent(
    metrics: Metrics, series: ServiceSeries, window: Window, *, objective: float, doubts: Sequence[str] = ()
) -> Measurement:
    """How much of the window's error budget the failed requests used up: 1 is all of it.

    The budget is `1 - objective` of the requests of the window itself; it is a count, not an estimate.
    """
    counted = partial(growth, metrics, scrape_interval_s=series.scrape_interval_s)
    requests = counted(series.requests, window, told_by=series.failure_labels)
    failed = counted(series.failures, window, may_be_absent=True)
    found = (*requests.doubts, *failed.doubts, *doubts)
    name = f"share of the window's error budget spent, of {1 - objective:.2%} of its requests"
    budget = (1 - objective) * requests.count
    if math.isnan(requests.count) or math.isnan(failed.count) or budget <= 0:
        return Measurement(name, None, "ratio", 0, window, "prometheus", found)
    spent = Interval.exactly(failed.count / budget)
    return Measurement(name, spent, "ratio", int(requests.count), window, "prometheus", found)


def _share(name: str, requests: Growth, bad: Growth, window: Window, doubts: Sequence[str]) -> Measurement:
    found = tuple(dict.fromkeys((*requests.doubts, *bad.doubts, *doubts)))
    if math.isnan(requests.count) or math.isnan(bad.count) or requests.count <= 0:
        none = () if found else ("no request was counted",)
        return Measurement(name, None, "ratio", 0, window, "prometheus", (*found, *none))
    total = round(requests.count)
    good = total - min(round(bad.count), total)
    return Measurement(name, share(good, total), "ratio", total, window, "prometheus", found)


def _without(label: str, counted: Sequence[Mapping[str, str]]) -> int:
    """How many series lack a label; an empty one is none to Prometheus."""
    return sum(not labels.get(label) for labels in counted)


def _untold(selector: str, label: str, lacking: int) -> str:
    return (
        f"{lacking} series of {selector} {'lacks' if lacking == 1 else 'lack'} the label {label}, by which "
        "metrics.failures tells failures: one that failed would not be counted as such"
    )


def _by_series(samples: Sequence[Sample]) -> Mapping[frozenset[tuple[str, str]], float]:
    return {
        frozenset((name, value) for name, value in sample.labels.items() if name != "__name__"): sample.value
        for sample in samples
    }
