"""Elements of SVG as strings: escaped, numbers short and the same on every machine. Colours live in the style sheet."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from markupsafe import Markup, escape

from drillbook.domain.wording import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_NOTHING = Markup()


def element(name: str, /, *children: str, **attributes: str | float) -> Markup:
    """One element; attributes are written with `-` for `_` and without a trailing `_`."""
    written = "".join(f' {key.rstrip("_").replace("_", "-")}="{_value(value)}"' for key, value in attributes.items())
    inside = _NOTHING.join(children)
    return Markup(f"<{name}{written}>{inside}</{name}>" if children else f"<{name}{written}/>")  # noqa: S704 -- escaped


def text(x: float, y: float, words: str, class_: str, **attributes: str | float) -> Markup:
    """Text at a point."""
    return element("text", escape(one_line(words)), x=x, y=y, class_=class_, **attributes)


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> Markup:
    """A straight line."""
    return element("path", d=f"M{number(x1)} {number(y1)}L{number(x2)} {number(y2)}", class_=class_)


def box(x: float, y: float, width: float, height: float, class_: str, **attributes: str | float) -> Markup:
    """A rectangle, never of negative size."""
    return element("rect", x=x, y=y, width=max(width, 0.0), height=max(height, 0.0), class_=class_, **attributes)


def stairs(xs: Sequence[float], upper: Sequence[float], lower: Sequence[float], class_: str) -> Markup:
    """The area between two staircases; `xs` has one more entry than each of them."""
    if not upper:
        return _NOTHING
    edges = [number(x) for x in xs]
    forth = _steps(edges, [number(y) for y in upper])
    back = _steps(edges[::-1], [number(y) for y in reversed(lower)])
    return element("path", d=f"M{edges[0]} {number(upper[0])}{forth}V{number(lower[-1])}{back}Z", class_=class_)


def _steps(edges: Sequence[str], heights: Sequence[str]) -> str:
    """From the first edge to the last, with a turn wherever the height changes."""
    turns = (f"H{edges[i]}V{heights[i]}" for i in range(1, len(heights)) if heights[i] != heights[i - 1])
    return f"{''.join(turns)}H{edges[-1]}"


def trace(points: Iterable[tuple[float, float]], class_: str) -> Markup:
    """A line through points, broken where one is NaN; a lone point becomes a dot."""
    pieces: list[list[tuple[float, float]]] = [[]]
    for x, y in points:
        if math.isnan(y):
            pieces.append([])
        else:
            pieces[-1].append((x, y))
    path = "".join(
        "M" + "L".join(f"{number(x)} {number(y)}" for x, y in piece) + ("h.01" if len(piece) == 1 else "")
        for piece in pieces
        if piece
    )
    return element("path", d=path, class_=class_) if path else _NOTHING


def figure(width: float, height: float, title: str, class_: str, parts: Iterable[str]) -> Markup:
    """A whole drawing with its text alternative."""
    return element(
        "svg", *parts, xmlns="http://www.w3.org/2000/svg", viewBox=f"0 0 {number(width)} {number(height)}",
        width=width, height=height, class_=class_, role="img", aria_label=one_line(title),
    )  # fmt: skip


def number(value: float) -> str:
    """At most two decimals, no `-0`."""
    shown = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if shown in {"-0", ""} else shown


def text_width(words: str, size: float) -> float:
    """About how wide a text is; on the safe side for common fonts."""
    return 0.58 * size * len(words)


@dataclass(frozen=True, slots=True)
class Scale:
    """Maps values to places in a drawing.

    Attributes:
        low: Value at `start`.
        high: Value at `end`; above `low`.
        start: Place.
        end: Place; may be before `start`, as for an axis that points up.
        logarithmic: Whether equal ratios take equal room.
    """

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool = False

    def __call__(self, value: float) -> float:
        """The place of a value, held inside; NaN stays NaN."""
        if math.isnan(value):
            return value
        value = min(max(value, self.low), self.high)
        if self.logarithmic:
            share = math.log(value / self.low) / math.log(self.high / self.low)
        else:
            share = (value - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)


def ticks(low: float, high: float, most: int) -> list[float]:
    """Round values inside a range, at most about so many."""
    if not low < high:
        return [low]
    rough = (high - low) / max(most, 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next((factor * power for factor in (1.0, 2.0, 5.0) if factor * power >= rough), 10 * power)
    first = math.ceil(low / step - 1e-9)
    return [index * step for index in range(first, math.floor(high / step + 1e-9) + 1)]


def _value(value: str | float) -> str:
    return number(value) if isinstance(value, int | float) else str(escape(one_line(value)))
