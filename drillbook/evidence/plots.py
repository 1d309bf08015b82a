"""Pictures as inline SVG, by pure functions over numbers: no script, no font and no library travels with a report."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape, quoteattr

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from drillbook.evidence.folder import Check, Event
    from drillbook.evidence.traffic import Series, Traffic

_WIDTH, _LEFT, _RIGHT = 960, 56, 12
_RATE_TOP, _RATE_HEIGHT = 44, 150
_SLOW_TOP, _SLOW_HEIGHT = 232, 110
_HEIGHT = 372
_CLASSES = ("v0", "v1", "v2", "v3")
_STRIP = 220


def timeline(traffic: Traffic, events: Sequence[Event], name: str) -> str:
    """Requests by release above, their 99th percentile below, events as numbered lines through both."""
    bins = len(traffic.series[0].good_hz)
    span = traffic.bin_s * bins
    step = (_WIDTH - _LEFT - _RIGHT) / bins

    def x(t_s: float) -> float:
        return _LEFT + min(max((t_s - traffic.start_s) / span, 0.0), 1.0) * (_WIDTH - _LEFT - _RIGHT)

    named = [series for series in traffic.series if series.version]
    top_hz = _nice(max(float(sum(s.good_hz + s.bad_hz for s in traffic.series).max()), 1.0))
    slow = [float(np.nanmax(s.p99_s)) for s in named if not np.isnan(s.p99_s).all()]
    top_s = _nice(max(slow, default=0.1))
    parts = [
        f'<svg class="plot" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label={quoteattr(name)}>',
        *(f'<rect class="stall" x="{x(a):.1f}" y="{_RATE_TOP}" width="{max(x(b) - x(a), 1):.1f}" '
          f'height="{_SLOW_TOP + _SLOW_HEIGHT - _RATE_TOP}"/>' for a, b in traffic.stalls[:400]),
        *_axis(_RATE_TOP, _RATE_HEIGHT, top_hz, "requests/s"),
        *_axis(_SLOW_TOP, _SLOW_HEIGHT, top_s * 1000, "p99, ms"),
        *_seconds(span, x, traffic.start_s),
        *_areas(traffic.series, top_hz, step),
    ]  # fmt: skip
    for series in named:
        parts.append(_line(series, top_s, step, _CLASSES[named.index(series) % len(_CLASSES)]))
    for number, event in enumerate(events, start=1):
        at = x(event.t_s)
        level = 14 if number % 2 else 30
        parts.append(
            f'<g class="event {escape(event.kind)}"><line x1="{at:.1f}" x2="{at:.1f}" y1="{level + 4}" '
            f'y2="{_SLOW_TOP + _SLOW_HEIGHT}"/><text x="{at:.1f}" y="{level}">{number}</text></g>'
        )
    return "".join([*parts, "</svg>"])


def interval(check: Check) -> str:
    """The measured interval as a bar against its limit as a line."""
    if check.low is None or check.high is None or not math.isfinite(check.limit):
        return ""
    ends = [value for value in (check.low, check.high, check.limit) if math.isfinite(value)]
    low, high = min(ends), max(ends)
    margin = (high - low) * 0.15 or abs(high) * 0.2 or 1.0
    low, high = low - margin, high + margin

    def x(value: float) -> float:
        return (min(max(value, low), high) - low) / (high - low) * _STRIP

    left, right = x(check.low), x(check.high)
    label = f"measured {check.low:g} to {check.high:g}, limit {check.limit:g} {check.unit}"
    return (
        f'<svg class="strip {check.verdict.lower()}" viewBox="0 0 {_STRIP} 18" role="img" aria-label={quoteattr(label)}>'
        f'<line class="base" x1="0" x2="{_STRIP}" y1="9" y2="9"/>'
        f'<rect x="{left:.1f}" y="5" width="{max(right - left, 3):.1f}" height="8"/>'
        f'<line class="limit" x1="{x(check.limit):.1f}" x2="{x(check.limit):.1f}" y1="0" y2="18"/></svg>'
    )


def legend_class(number: int) -> str:
    """The colour class of the release of this number."""
    return _CLASSES[number % len(_CLASSES)]


def _areas(all_series: Sequence[Series], top_hz: float, step: float) -> Iterable[str]:
    """Good answers stacked by release, failures on top, hatched."""
    floor = np.zeros_like(all_series[0].good_hz)
    named = [series for series in all_series if series.version]
    for number, series in enumerate(named):
        yield _area(floor, floor + series.good_hz, top_hz, step, legend_class(number))
        floor = floor + series.good_hz
    bad = np.sum([series.bad_hz for series in all_series], axis=0)
    for number in np.flatnonzero(bad):
        x = _LEFT + float(number) * step
        height = max(float(bad[number]) / top_hz * _RATE_HEIGHT, 4.0)
        y = _RATE_TOP + _RATE_HEIGHT - float(floor[number]) / top_hz * _RATE_HEIGHT - height
        yield f'<rect class="bad" x="{x:.1f}" y="{max(y, _RATE_TOP):.1f}" width="{max(step, 1.5):.1f}" height="{height:.1f}"/>'


def _area(floor: np.ndarray, ceiling: np.ndarray, top: float, step: float, style: str) -> str:
    def y(value: float) -> float:
        return _RATE_TOP + _RATE_HEIGHT - value / top * _RATE_HEIGHT

    upper = [f"{_LEFT + n * step:.1f},{y(float(v)):.1f}" for n, v in enumerate(ceiling)]
    lower = [f"{_LEFT + n * step:.1f},{y(float(v)):.1f}" for n, v in reversed(list(enumerate(floor)))]
    return f'<polygon class="{style}" points="{" ".join([*upper, *lower])}"/>'


def _line(series: Series, top_s: float, step: float, style: str) -> str:
    pieces: list[str] = []
    drawing = False
    for number, value in enumerate(series.p99_s):
        if math.isnan(value):
            drawing = False
            continue
        y = _SLOW_TOP + _SLOW_HEIGHT - min(float(value) / top_s, 1.0) * _SLOW_HEIGHT
        pieces.append(f"{'L' if drawing else 'M'}{_LEFT + (number + 0.5) * step:.1f},{y:.1f}")
        drawing = True
    return f'<path class="p99 {style}" d="{"".join(pieces)}"/>'


def _axis(top: int, height: int, highest: float, name: str) -> Iterable[str]:
    for share in (0.0, 0.5, 1.0):
        y = top + height * (1 - share)
        yield f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield f'<text class="tick" x="{_LEFT - 6}" y="{y + 4:.1f}">{highest * share:g}</text>'
    yield f'<text class="name" x="{_LEFT}" y="{top - 4}">{name}</text>'


def _seconds(span: float, x: Callable[[float], float], start_s: float) -> Iterable[str]:
    gap = next(gap for gap in (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600, math.inf) if span / gap <= 12)
    number = 0
    while number * gap <= span and math.isfinite(gap):
        at = x(start_s + number * gap)
        yield f'<text class="second" x="{at:.1f}" y="{_HEIGHT - 12}">{number * gap:g} s</text>'
        number += 1


def _nice(value: float) -> float:
    """The next round number above."""
    power = 10 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 2.5, 5, 10) if step * power >= value)
