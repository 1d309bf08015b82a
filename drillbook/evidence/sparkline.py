"""The figures of one objective over all runs, small enough for a line of a table."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from drillbook.domain.wording import quantity
from drillbook.evidence import svg

if TYPE_CHECKING:
    from markupsafe import Markup

    from drillbook.evidence.history import Figure, Series

WIDTH, HEIGHT = 260.0, 40.0
MOST_RUNS = 120
"""That have two pixels each; the older ones count, and are not drawn."""

_PAD = 4.0
_WIDEST = 9.0
_THIN = 2.0
_DRAWABLE = 1e300
_FAR = 4.0
"""A limit that many times the figures' room away is told and not drawn: beside it the figures would be flat."""


def plot(series: Series, runs: int) -> Markup:
    """A bar for each of the newest runs from the lower to the upper bound; the limit as a line where it is near.

    Args:
        series: What is drawn.
        runs: How many there were in all, drilled or not.
    """
    objective = series.objective
    first = max(runs - MOST_RUNS, 0)
    figures = [figure for figure in series.figures if figure.run >= first]
    bounds = [b for f in figures if f.interval for b in (f.interval.low, f.interval.high) if abs(b) < _DRAWABLE]
    if not bounds:
        return svg.figure(WIDTH, HEIGHT, "nothing was measured", "spark", [])
    low, high = min(*bounds, bounds[0]), max(*bounds, bounds[0])
    near = abs(objective.limit) < _DRAWABLE and _is_near(objective.limit, low, high)
    if near:
        low, high = min(low, objective.limit), max(high, objective.limit)
    room = (high - low) or abs(high) or 1.0
    y = svg.Scale(low - 0.1 * room, high + 0.1 * room, HEIGHT - _PAD, _PAD)
    step = (WIDTH - 2 * _PAD) / max(runs - first, 1)
    parts = [svg.line(0, HEIGHT - 1, WIDTH, HEIGHT - 1, "grid")]
    if near:
        parts.append(svg.line(0, y(objective.limit), WIDTH, y(objective.limit), "limit-line"))
    parts += [_bar(each, y, _PAD + (each.run - first + 0.5) * step, min(0.7 * step, _WIDEST)) for each in figures]
    side = "at most" if objective.direction == "at_most" else "at least"
    words = (
        f"{len(figures)} measurements between {quantity(min(bounds), objective.unit)} and "
        f"{quantity(max(bounds), objective.unit)}, limit {side} {quantity(objective.limit, objective.unit)}"
    )
    return svg.figure(WIDTH, HEIGHT, words, "spark", parts)


def _bar(figure: Figure, y: svg.Scale, middle: float, width: float) -> Markup:
    if figure.interval is None:
        return svg.text(middle, HEIGHT - 4, "?", "tick", text_anchor="middle")
    top, bottom = y(min(figure.interval.high, _DRAWABLE)), y(max(figure.interval.low, -_DRAWABLE))
    if bottom - top < _THIN:
        centre = (top + bottom) / 2
        top, bottom = centre - _THIN / 2, centre + _THIN / 2
    return svg.box(middle - width / 2, top, width, bottom - top, f"bar bar-{figure.verdict.lower()}")


def _is_near(limit: float, low: float, high: float) -> bool:
    room = max(high - low, 0.05 * max(abs(low), abs(high)))
    return math.isclose(limit, low) or min(abs(limit - low), abs(limit - high)) <= _FAR * room
