"""A drill over time: what was done, what the users got, and how long they waited, one under the other on one clock."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from drillbook.domain.traffic import Origin
from drillbook.domain.wording import quantity
from drillbook.evidence import svg
from drillbook.evidence.lanes import Marker, lanes

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from markupsafe import Markup

    from drillbook.domain.measurement import Window
    from drillbook.evidence.bins import Bins
    from drillbook.evidence.traffic import Codes

STRIKING = frozenset({"injected", "detected", "decided", "recovered"})
"""Kinds of events whose lines cross the plots; those of the others stay among the actions."""

_LANE = 20.0
_STRIP = 13.0
_GAP = 30.0
_LEAST_LATENCY_S = 1e-4
_PALETTE = ("blue", "green", "plum", "ochre", "slate")


@dataclass(frozen=True, slots=True)
class Layout:
    """Sizes in pixels.

    Attributes:
        width: Of the drawing.
        left: Room for the axis' labels.
        right: Room at the other side.
        rate_height: Of the plot of requests.
        latency_height: Of the plot of latencies.
        x_ticks: How many labels of time fit.
        wordy: Whether actions are labelled with all their events.
    """

    width: float
    left: float
    right: float
    rate_height: float
    latency_height: float
    x_ticks: int
    wordy: bool


WIDE = Layout(width=1040, left=58, right=14, rate_height=130, latency_height=110, x_ticks=12, wordy=True)
NARROW = Layout(width=350, left=46, right=8, rate_height=100, latency_height=90, x_ticks=4, wordy=False)


@dataclass(frozen=True, slots=True)
class Plot:
    """What is drawn.

    Attributes:
        title: Text alternative.
        window: What is shown, seconds since the epoch.
        zero_s: What counts as 0 on the axis of time.
        markers: Events, numbered.
        bins: Traffic; None when there was none.
        stalls: When the meter itself was held up.
        latency_limit_s: A promise about latency to draw, where there is one.
    """

    title: str
    window: Window
    zero_s: float
    markers: Sequence[Marker]
    bins: Bins | None
    stalls: Sequence[Window] = ()
    latency_limit_s: float | None = None


def palette(origins: Iterable[Origin]) -> dict[Origin, str]:
    """A colour's name for each release: the slot's own where it has one that is free, `none` for no answer."""
    chosen: dict[Origin, str] = {}
    for origin in origins:
        free = [name for name in _PALETTE if name not in chosen.values()]
        if origin == Origin():
            chosen[origin] = "none"
        elif origin.slot in free:
            chosen[origin] = origin.slot
        else:
            spare = [name for name in free if name not in {"blue", "green"}] or free or ["slate"]
            chosen[origin] = spare[0]
    return chosen


def draw(plot: Plot, layout: Layout, colours: dict[Origin, str]) -> Markup:
    """The drawing."""
    x = svg.Scale(plot.window.start_s, max(plot.window.end_s, plot.window.start_s + 1e-3), layout.left,
                  layout.width - layout.right)  # fmt: skip
    inside = [marker for marker in plot.markers if plot.window.start_s <= marker.t_s <= plot.window.end_s]
    rows = lanes(inside, x, wordy=layout.wordy)
    top = 6.0
    parts: list[Markup] = []
    bottom = top + _LANE * len(rows)
    actions = [row.draw(top + _LANE * (index + 0.5)) for index, row in enumerate(rows)]
    plots: list[Markup] = []
    if plot.bins is not None:
        edges = [x(plot.bins.start_s + index * plot.bins.width_s) for index in range(plot.bins.count + 1)]
        rate_top = bottom + _GAP
        plots += _rate(plot.bins, edges, rate_top, layout, colours)
        strip_top = rate_top + layout.rate_height + 6
        plots += _strips(plot.bins, edges, strip_top, layout)
        latency_top = strip_top + _STRIP * len(plot.bins.failures) + _GAP
        plots += _latency(plot, edges, latency_top, layout, colours)
        bottom = latency_top + layout.latency_height
        parts += _stalls(plot, x, rate_top, bottom)
    parts += _clock(plot, x, top, bottom, layout)
    crossing = [marker for marker in inside if marker.kind in STRIKING]
    lines = [svg.line(x(m.t_s), top, x(m.t_s), bottom, f"event event-{m.kind}") for m in crossing]
    return svg.figure(layout.width, bottom + 22, plot.title, "timeplot", [*parts, *plots, *lines, *actions])


def _rate(bins: Bins, edges: list[float], top: float, layout: Layout, colours: dict[Origin, str]) -> list[Markup]:
    """Requests per second by outcome, stacked: right answers first, so that failures stand on top."""
    per_s = 1 / bins.width_s
    total = np.zeros(bins.count)
    for series in bins.origins:
        total += series.ok + series.bad
    highest = max(float(total.max(initial=0)) * per_s, 1.0)
    y = svg.Scale(0, highest * 1.06, top + layout.rate_height, top)
    parts = _grid(y, svg.ticks(0, highest, 3), [f"{value:g}" for value in svg.ticks(0, highest, 3)], layout)
    below = np.zeros(bins.count)
    layers = [(series.ok, f"area area-{colours[series.origin]}") for series in bins.origins if series.ok.any()]
    layers += [
        (series.bad, "area area-silent" if series.origin == Origin() else "area area-bad")
        for series in bins.origins
        if series.bad.any()
    ]
    for counts, class_ in layers:
        above = below + counts * per_s
        for first, last in _runs(counts):
            xs = edges[first : last + 1]
            upper, lower = [y(v) for v in above[first:last]], [y(v) for v in below[first:last]]
            parts.append(svg.stairs(xs, upper, lower, class_))
        below = above
    parts.append(svg.text(layout.left, top - 10, "requests per second, by outcome", "panel"))
    return parts


def _runs(counts: Codes) -> list[tuple[int, int]]:
    """Stretches in which there is something, so that nothing draws no line."""
    busy = np.flatnonzero(np.diff(np.concatenate(([0], (counts > 0).astype(np.int8), [0]))))
    return [(int(first), int(last)) for first, last in busy.reshape(-1, 2)]


def _strips(bins: Bins, edges: list[float], top: float, layout: Layout) -> list[Markup]:
    """One row for each way to connect; a mark, never too thin to be seen, in each bin that has a failure."""
    parts: list[Markup] = []
    for index, (name, counts) in enumerate(bins.failures):
        y = top + index * _STRIP
        parts.append(svg.box(layout.left, y, edges[-1] - layout.left, _STRIP - 3, "strip"))
        parts.append(svg.text(layout.left - 6, y + _STRIP - 5, name, "tick", text_anchor="end"))
        for first, last in _runs(counts):
            width = max(edges[last] - edges[first], 2.5)
            parts.append(svg.box(edges[first], y, width, _STRIP - 3, "failed"))
    return parts


def _latency(plot: Plot, edges: list[float], top: float, layout: Layout, colours: dict[Origin, str]) -> list[Markup]:
    """Median and 99th percentile of the right answers, on a logarithmic axis."""
    bins = plot.bins
    if bins is None:
        return []
    seen = [value for series in bins.origins for value in (series.p50_s, series.p99_s)]
    values = np.concatenate(seen) if seen else np.array([math.nan])
    values = values[np.isfinite(values)]
    lowest = max(float(values.min()), _LEAST_LATENCY_S) if len(values) else 0.001
    highest = max(float(values.max()) if len(values) else 1.0, lowest * 10, plot.latency_limit_s or 0.0)
    y = svg.Scale(lowest / 1.3, highest * 1.3, top + layout.latency_height, top, logarithmic=True)
    marks = _log_ticks(lowest / 1.3, highest * 1.3)
    parts = _grid(y, marks, [quantity(value, "s") for value in marks], layout)
    if plot.latency_limit_s is not None:
        at = y(plot.latency_limit_s)
        parts.append(svg.line(layout.left, at, edges[-1], at, "promise"))
        words = f"promised {quantity(plot.latency_limit_s, 's')}"
        parts.append(svg.text(edges[-1] - 2, at - 4, words, "tick promise-label", text_anchor="end"))
    middles = [(left + right) / 2 for left, right in pairwise(edges)]
    for series in bins.origins:
        colour = colours[series.origin]
        for class_, values_s in (("p99", series.p99_s), ("p50", series.p50_s)):
            points = [(x, y(float(value_s))) for x, value_s in zip(middles, values_s, strict=True)]
            parts.append(svg.trace(points, f"trace {class_} trace-{colour}"))
    parts.append(svg.text(layout.left, top - 10, "latency from due to done: p50 thick, p99 thin", "panel"))
    return parts


def _log_ticks(low: float, high: float) -> list[float]:
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    factors = (1.0,) if high / low > 100 else (1.0, 3.0)  # noqa: PLR2004 -- two decades have room for more
    return [f * 10.0**d for d in decades for f in factors if low <= f * 10.0**d <= high]


def _grid(y: svg.Scale, values: list[float], labels: list[str], layout: Layout) -> list[Markup]:
    parts: list[Markup] = []
    for value, label in zip(values, labels, strict=True):
        at = y(value)
        parts.append(svg.line(layout.left, at, layout.width - layout.right, at, "grid"))
        parts.append(svg.text(layout.left - 6, at + 3.5, label, "tick", text_anchor="end"))
    return parts


def _stalls(plot: Plot, x: svg.Scale, top: float, bottom: float) -> list[Markup]:
    """Shaded, at least a pixel wide; those that touch on paper become one."""
    joined: list[tuple[float, float]] = []
    for stall in plot.stalls:
        if stall.end_s < plot.window.start_s or stall.start_s > plot.window.end_s:
            continue
        left, right = x(stall.start_s), max(x(stall.end_s), x(stall.start_s) + 1.5)
        if joined and left <= joined[-1][1] + 0.5:
            joined[-1] = (joined[-1][0], max(right, joined[-1][1]))
        else:
            joined.append((left, right))
    return [svg.box(left, top, right - left, bottom - top, "stall") for left, right in joined]


def _clock(plot: Plot, x: svg.Scale, top: float, bottom: float, layout: Layout) -> list[Markup]:
    parts: list[Markup] = []
    for offset in svg.ticks(plot.window.start_s - plot.zero_s, plot.window.end_s - plot.zero_s, layout.x_ticks):
        at = x(plot.zero_s + offset)
        parts.append(svg.line(at, top, at, bottom, "grid"))
        parts.append(svg.text(at, bottom + 15, f"{offset + 0.0:.6g} s", "tick", text_anchor="middle"))
    parts.append(svg.line(layout.left, bottom, layout.width - layout.right, bottom, "axis"))
    return parts


def closer(plot: Plot, window: Window) -> Plot:
    """The same drill, only a part of it."""
    return replace(plot, window=window, title=f"{plot.title}; close-up of the failures")
