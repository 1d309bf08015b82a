"""The small plot beside each objective: where its limit is, and where the true value lies."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from markupsafe import Markup

from drillbook.domain.wording import quantity, span
from drillbook.evidence import svg

if TYPE_CHECKING:
    from drillbook.domain.interval import Interval
    from drillbook.evidence.record import Check

WIDTH, HEIGHT = 200.0, 36.0
_PAD = 10.0
_MIDDLE = 13.0
_THIN = 3.0
"""Pixels that an interval takes at least, so that an exact value is seen."""

_LONGEST_LABEL = 28
_DRAWABLE = 1e300
"""Larger values count as infinite here, since room around them would be."""


def plot(check: Check) -> Markup:
    """The limit as a line with its good side shaded, the interval as a bar with caps, an arrow where it has no end."""
    objective, measurement = check.recorded.objective, check.recorded.measurement
    interval = measurement.interval
    if interval is None or measurement.unit != objective.unit:
        return Markup()
    scale = _scale(interval, objective.limit)
    limit = scale(objective.limit)
    at_most = objective.direction == "at_most"
    good = (0.0, limit) if at_most else (limit, WIDTH - limit)
    low, high = _shown(scale, interval)
    verdict = f"bar-{check.verdict.lower()}"
    label = quantity(objective.limit, objective.unit)[:_LONGEST_LABEL]
    half = svg.text_width(label, 10) / 2
    parts = [
        svg.box(good[0], _MIDDLE - 9, good[1], 18, "good-side"),
        svg.line(0, _MIDDLE, WIDTH, _MIDDLE, "axis"),
        svg.box(low, _MIDDLE - 4, high - low, 8, f"bar {verdict}", rx=1.5),
        *_ends(interval, low, high, verdict),
        svg.line(limit, _MIDDLE - 11, limit, _MIDDLE + 11, "limit"),
        svg.text(min(max(limit, half), WIDTH - half), HEIGHT - 2, label, "tick", text_anchor="middle"),
    ]
    side = "at most" if at_most else "at least"
    words = f"measured {span(interval, measurement.unit)}, limit {side} {label}: {check.verdict}"
    return svg.figure(WIDTH, HEIGHT, words, "interval", parts)


def _ends(interval: Interval, low: float, high: float, verdict: str) -> list[Markup]:
    ends: list[Markup] = []
    for place, bound, way in ((low, interval.low, -1), (high, interval.high, 1)):
        if math.isinf(bound):
            tip = f"M{svg.number(place)} {svg.number(_MIDDLE - 7)}l{8 * way} 7l{-8 * way} 7Z"
            ends.append(svg.element("path", d=tip, class_=f"bar {verdict}"))
        else:
            ends.append(svg.line(place, _MIDDLE - 7, place, _MIDDLE + 7, f"cap {verdict}"))
    return ends


def _shown(scale: svg.Scale, interval: Interval) -> tuple[float, float]:
    low, high = scale(interval.low), scale(interval.high)
    if high - low < _THIN:
        middle = (low + high) / 2
        return middle - _THIN / 2, middle + _THIN / 2
    return low, high


def _scale(interval: Interval, limit: float) -> svg.Scale:
    """Everything finite with some room around it; from 0 where nothing is negative and 0 is not far."""
    finite = [value for value in (interval.low, interval.high, limit) if abs(value) < _DRAWABLE] or [0.0]
    low, high = min(finite), max(finite)
    room = (high - low) or abs(high) or 1.0
    start = low - 0.25 * room
    if low >= 0 and start <= 0.25 * room:
        start = min(0.0, low)
    return svg.Scale(start, high + 0.25 * room, _PAD, WIDTH - _PAD)
