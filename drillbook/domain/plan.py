"""Whether a planned load can decide an objective at all; pure arithmetic, before anything is touched."""

from __future__ import annotations

import math
from dataclasses import dataclass

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Feasibility:
    """Whether an objective can be decided.

    Attributes:
        objective: In words.
        decidable: Whether a system without a fault would pass.
        has: What the plan gives, in `unit`.
        needs: What it would have to give at least.
        unit: `requests` or `s`.
        remedy: What to do where it cannot be.
    """

    objective: str
    decidable: bool
    has: float
    needs: float
    unit: str
    remedy: str = "raise load.rate"


def requests_for_share(share: float, confidence: float = CONFIDENCE) -> int:
    """Requests without a failure that show a share of good ones of at least `share`.

    The exact one-sided binomial bound for no failures (Clopper and Pearson 1934): share^n <= 1 - confidence.
    """
    return math.ceil(math.log(1 - confidence) / math.log(share))


def requests_for_quantile(share: float, confidence: float = CONFIDENCE) -> int:
    """Requests of which none may exceed the limit so that `share` of all keep it; the same bound."""
    return requests_for_share(share, confidence)


def share(name: str, objective: float, requests: float) -> Feasibility:
    """An objective on a share of requests."""
    needs = requests_for_share(objective)
    return Feasibility(name, requests >= needs, requests, needs, "requests")


def outage(name: str, objective_s: float, rate_hz: float) -> Feasibility:
    """An objective on the longest outage: two samples must be able to lie within it."""
    gap_s = 2 / rate_hz
    return Feasibility(name, gap_s <= objective_s, gap_s, objective_s, "s")


def drain(limit_s: float, timeout_s: float, scrape_s: float) -> Feasibility:
    """A limit for an old slot to be without work: its last request may take its whole time, and is seen by a scrape."""
    seen_s = timeout_s + scrape_s
    name = (
        f"an old slot drained within {limit_s:g} s, with requests of up to {timeout_s:g} s and a scrape every "
        f"{scrape_s:g} s"
    )
    remedy = "have Prometheus scrape the slots more often (metrics.scrape_interval)"
    return Feasibility(name, seen_s <= limit_s, seen_s, limit_s, "s", remedy)
