"""The service's Prometheus metrics; version, slot and region stand on each of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

if TYPE_CHECKING:
    from analytics.config import Settings

LATENCY_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.3, 0.5, 1.0, 2.5)
"""0.3 s is the latency objective: a bucket has to end there for the share within it to be exact."""

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4

_OWN = ("version", "slot", "region")
_EXPECTED = {
    ("POST", "/v1/events"): (200, 201, 409, 422, 500, 503),
    ("GET", "/v1/events/{key:path}"): (200, 404, 500, 503),
    ("GET", "/v1/aggregates"): (200, 422, 500, 503),
    ("POST", "/v1/scores"): (200, 422, 500, 503),
}


class Metrics:
    """All metrics of one process."""

    def __init__(self, settings: Settings) -> None:
        """Every series that can be foreseen starts at 0: one that begins at 7 hides its first seven from `increase`."""
        own = {"version": settings.release.version, "slot": settings.slot, "region": settings.region}
        self._own = tuple(own[name] for name in _OWN)
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._requests = Counter(
            "http_requests", "Requests answered.", ("method", "route", "code", *_OWN), registry=self._registry
        )
        self._duration = Histogram(
            "http_request_duration_seconds",
            "Time from a request's arrival to the end of its answer.",
            ("method", "route", *_OWN),
            registry=self._registry,
            buckets=LATENCY_BUCKETS_S,
        )
        self.in_progress = Gauge(
            "http_requests_in_progress", "API requests being answered.", _OWN, registry=self._registry
        ).labels(*self._own)
        self.ingested = Counter(
            "analytics_events_ingested", "New events committed.", _OWN, registry=self._registry
        ).labels(*self._own)
        self.freshness = Gauge(
            "analytics_query_freshness_seconds",
            "Age of the newest stored event when the last aggregate was answered.",
            _OWN,
            registry=self._registry,
        ).labels(*self._own)
        self._counters: dict[tuple[str, str, int], Counter] = {}
        self._histograms: dict[tuple[str, str], Histogram] = {}
        for (method, route), codes in _EXPECTED.items():
            self._histogram(method, route)
            for code in codes:
                self._counter(method, route, code)

    def record(self, method: str, route: str, code: int, duration_s: float) -> None:
        """Count one answered request."""
        self._counter(method, route, code).inc()
        self._histogram(method, route).observe(duration_s)

    def expose(self) -> bytes:
        """Everything in Prometheus' text format."""
        return generate_latest(self._registry)

    # The library looks a child up behind a lock and a tuple of strings; these two are on the path of every request.
    def _counter(self, method: str, route: str, code: int) -> Counter:
        child = self._counters.get((method, route, code))
        if child is None:
            child = self._requests.labels(method, route, str(code), *self._own)
            self._counters[method, route, code] = child
        return child

    def _histogram(self, method: str, route: str) -> Histogram:
        child = self._histograms.get((method, route))
        if child is None:
            child = self._duration.labels(method, route, *self._own)
            self._histograms[method, route] = child
        return child
