"""The actions above a plot: a lane for each, its events as numbered badges, none over another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from drillbook.evidence import svg

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from markupsafe import Markup

    from drillbook.evidence.record import Event

_BADGE = 7.0
_APART = 2 * _BADGE + 1
_FONT = 11.0
_MOST_LANES = 14
_LONGEST_NAME = 40


@dataclass(frozen=True, slots=True)
class Marker:
    """An event with the number by which the table below the plot knows it.

    Attributes:
        number: From 1, in the order of time.
        t_s: Seconds since the epoch.
        kind: As in the timeline.
        activity: What it belongs to; may be empty.
    """

    number: int
    t_s: float
    kind: str
    activity: str


@dataclass(frozen=True, slots=True)
class Lane:
    """One action.

    Attributes:
        label: Its name and, where there is room, its events.
        label_x: Where the label is.
        label_anchor: `start` or `end`.
        badges: Places of the badges with their markers.
        true_xs: Where the events really are.
    """

    label: str
    label_x: float
    label_anchor: str
    badges: tuple[tuple[float, Marker], ...]
    true_xs: tuple[float, ...]

    def draw(self, y: float) -> Markup:
        """Around a height."""
        first, last = self.true_xs[0], self.true_xs[-1]
        parts = [svg.line(first, y, max(last, self.badges[-1][0]), y, "lane")]
        moved = [x for x, (place, _) in zip(self.true_xs, self.badges, strict=True) if abs(place - x) > 1]
        parts += [svg.line(x, y - _BADGE, x, y + _BADGE, "lane") for x in moved]
        for place, marker in self.badges:
            shape = "badge badge-strong" if marker.kind in {"detected", "decided", "recovered"} else "badge"
            parts.append(svg.element("circle", cx=place, cy=y, r=_BADGE, class_=f"{shape} badge-{marker.kind}"))
            parts.append(svg.text(place, y + 3.4, str(marker.number), "badge-number", text_anchor="middle"))
        parts.append(svg.text(self.label_x, y + 3.8, self.label, "lane-label", text_anchor=self.label_anchor))
        return svg.element("g", *parts)


def numbered(events: Iterable[Event]) -> tuple[Marker, ...]:
    """The events worth a mark, in the order of time; notes stay in the table."""
    worth = sorted((event for event in events if event.kind != "note"), key=lambda event: event.t_s)
    return tuple(Marker(number, event.t_s, event.kind, event.activity) for number, event in enumerate(worth, start=1))


def lanes(markers: Sequence[Marker], x: svg.Scale, *, wordy: bool) -> list[Lane]:
    """One for each activity, in the order of their first events; those beyond what fits share the last."""
    grouped: dict[str, list[Marker]] = {}
    for marker in markers:
        name = (marker.activity or marker.kind)[:_LONGEST_NAME]
        if name not in grouped and len(grouped) >= _MOST_LANES:
            name = "others"
        grouped.setdefault(name, []).append(marker)
    return [_lane(name, found, x, wordy=wordy) for name, found in grouped.items()]


def _lane(name: str, markers: Sequence[Marker], x: svg.Scale, *, wordy: bool) -> Lane:
    true_xs = tuple(x(marker.t_s) for marker in markers)
    places = _spread(true_xs, x.start + _BADGE, x.end - _BADGE)
    told = [marker for marker in markers if marker.activity]
    label = f"{name}: {', '.join(f'{m.number} {m.kind}' for m in told)}" if wordy and told else name
    for words in (label, name):
        width = svg.text_width(words, _FONT)
        if places[-1] + _BADGE + 6 + width <= x.end:
            return Lane(words, places[-1] + _BADGE + 6, "start", tuple(zip(places, markers, strict=True)), true_xs)
        if true_xs[0] - _BADGE - 6 - width >= x.start:
            left = min(true_xs[0], places[0]) - _BADGE - 6
            return Lane(words, left, "end", tuple(zip(places, markers, strict=True)), true_xs)
    return Lane(name, x.start + 2, "start", tuple(zip(places, markers, strict=True)), true_xs)


def _spread(xs: Sequence[float], first: float, last: float) -> list[float]:
    """Pushed apart to the right, then back from the edge; as close as it takes when there are too many."""
    apart = min(_APART, (last - first) / max(len(xs) - 1, 1))
    places: list[float] = []
    for x in xs:
        place = max(x, first)
        places.append(max(place, places[-1] + apart) if places else place)
    limit = last
    for index in reversed(range(len(places))):
        places[index] = min(places[index], limit)
        limit = places[index] - apart
    return places
