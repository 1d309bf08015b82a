"""Which layer kept users waiting: database, pooler, gateway, application or DNS, from probes made at the same time.

Time is put down to the first layer, from the deepest up, whose probe fails. The gateway is asked what it answers by
itself, and the application through it, so that either can be told from the other; those of a region count while the
name leads there. Time in which users were not served though every layer was well goes to `elsewhere`: connections that
clients held on to, or a layer that nobody probes.

A layer is certainly down from when an outage had certainly begun to the start of its last failed probe, possibly from
the start of the last good probe before to the finish of the first good one after. Where no probe came through for
longer than `silent_s` it is possibly down as well; a shorter outage between two good probes goes unseen.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from drillbook.domain.interval import Interval
from drillbook.domain.measurement import Window
from drillbook.domain.outage import joined, outages

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from drillbook.domain.requests import Flags, Requests

ELSEWHERE = "elsewhere"

ORDER = ("database", "pooler", "gateway", "application", "dns")
"""Kinds of layers from the deepest up; a region's gateway is `gateway us-east-1`."""


@dataclass(frozen=True, slots=True)
class View:
    """When one layer, or the users, were without service.

    Attributes:
        certain: Certainly.
        possible: Possibly, which includes the certain.
    """

    certain: tuple[Window, ...]
    possible: tuple[Window, ...]


def view(requests: Requests, bad: Flags, doubtful: Flags, window: Window, silent_s: float) -> View:
    """What one layer's probe saw in a window.

    Args:
        requests: Its rows.
        bad: Which failed.
        doubtful: Which of them the probe may have failed itself.
        window: When.
        silent_s: A longer stretch without a good answer may have been an outage, in seconds.
    """
    certain = [_clipped(it.begun_by_s, it.last_failed_s, window) for it in outages(requests, bad, bad & doubtful)]
    possible = [_clipped(it.last_good_s, it.good_again_s, window) for it in outages(requests, bad)]
    possible += [_clipped(*gap, window) for gap in _gaps(requests, bad, silent_s)]
    return View(tuple(it for it in certain if it is not None), tuple(it for it in possible if it is not None))


def led(answers: Sequence[tuple[float, float, frozenset[str]]], region: str, *, off_by_s: float) -> View:
    """When the name led users to a region: certainly, and possibly.

    Args:
        answers: Each with when it was asked for and when it came, and the regions of its addresses; none for one that
            failed, and what users then do is not known.
        region: Which one.
        off_by_s: Users' own answers may be older or newer by so much, in seconds.
    """
    if not answers:
        return View((), (Window(-math.inf, math.inf),))
    certain: list[Window] = []
    possible: list[Window] = []
    before = (-math.inf, -math.inf, answers[0][2])
    after = (math.inf, math.inf, answers[-1][2])
    for this, following in pairwise([before, *answers, after]):
        if this[2] == following[2] == frozenset({region}):
            certain.append(Window(this[1], max(this[1], following[1])))
        if region in this[2] | following[2] or not (this[2] and following[2]):
            possible.append(Window(this[0] - off_by_s, max(this[0], following[1]) + off_by_s))
    held = [Window(it.start_s + off_by_s, it.end_s - off_by_s) for it in joined(certain) if it.length_s > 2 * off_by_s]
    return View(tuple(held), tuple(joined(possible)))


def while_led(seen: View, there: View) -> View:
    """Of when a region's layer was down, that in which users were led there."""
    return View(_both(seen.certain, there.certain), _both(seen.possible, there.possible))


def unserved(users: View, window: Window) -> Interval:
    """Seconds of the window for which users were not served."""
    within = (window,)
    low, high = (
        sum(it.length_s for it in joined(_both(stretches, within))) for stretches in (users.certain, users.possible)
    )
    return Interval(low, max(low, high))


def well_meanwhile(layer: View, below: View, window: Window) -> Interval:
    """Seconds for which a layer was well while what it rests on was down.

    Args:
        layer: When it was down.
        below: When the other one was.
        window: Within which.
    """
    low, high = (
        sum(it.length_s for it in _without(joined(_both(down, (window,))), joined(unwell)))
        for down, unwell in ((below.certain, layer.possible), (below.possible, layer.certain))
    )
    return Interval(low, max(low, high))


def share(found: Mapping[str, Interval], kind: str) -> Interval | None:
    """What part of the time that a layer explains is put down to a kind of layer, from 0 to 1; None when none does.

    What no layer explains is judged by itself: connections that users hold on to are in it, and how long those last is
    chance.

    Args:
        found: What `attribution` says.
        kind: One of `ORDER`; it stands for every region's.
    """
    of_kind = [it for name, it in found.items() if name.partition(" ")[0] == kind]
    others = [it for name, it in found.items() if name.partition(" ")[0] not in {kind, ELSEWHERE}]
    low, high = sum(it.low for it in of_kind), sum(it.high for it in of_kind)
    others_low, others_high = sum(it.low for it in others), sum(it.high for it in others)
    if high + others_high == 0.0:
        return None
    return Interval(low / (low + others_high) if low else 0.0, high / (high + others_low) if high else 0.0)


def attribution(users: View, layers: Mapping[str, View], window: Window) -> dict[str, Interval]:
    """Seconds for which users were not served, by the layer that it is put down to.

    Args:
        users: What the meter saw on the clients' real path.
        layers: What each layer's probe saw, from the deepest up.
        window: When.
    """
    low = dict.fromkeys([*layers, ELSEWHERE], 0.0)
    high = dict(low)
    everybody = [users, *layers.values()]
    edges = sorted({window.start_s, window.end_s, *_edges(everybody, window)})
    for start_s, end_s in pairwise(edges):
        moment_s = (start_s + end_s) / 2
        certain, possible = _blamed(users, layers, moment_s)
        for name in possible:
            high[name] += end_s - start_s
        if certain is not None:
            low[certain] += end_s - start_s
    return {name: Interval(low[name], max(low[name], high[name])) for name in low}


def _blamed(users: View, layers: Mapping[str, View], moment_s: float) -> tuple[str | None, list[str]]:
    """The layer that it certainly was at a moment, if one, and all that it may have been."""
    if not _within(users.possible, moment_s):
        return None, []
    possible: list[str] = []
    for name, seen in layers.items():
        if _within(seen.possible, moment_s):
            possible.append(name)
        if _within(seen.certain, moment_s):
            break
    else:
        possible.append(ELSEWHERE)
    only = possible[0] if len(possible) == 1 and _within(users.certain, moment_s) else None
    return only, possible


def _gaps(requests: Requests, bad: Flags, silent_s: float) -> Iterable[tuple[float, float]]:
    """From the start of each good request to the first finish of one sent after it, where that is long."""
    sent_s, done_s = requests.sent_s[~bad], requests.done_s[~bad]
    order = np.argsort(sent_s, kind="stable")
    starts = np.concatenate(([-math.inf], sent_s[order]))
    finishes = np.append(done_s[order], math.inf)
    again_s = np.minimum.accumulate(finishes[::-1])[::-1]
    long = again_s - starts > silent_s
    return zip(starts[long].tolist(), again_s[long].tolist(), strict=True)


def _clipped(start_s: float, end_s: float, window: Window) -> Window | None:
    start_s, end_s = max(start_s, window.start_s), min(end_s, window.end_s)
    return Window(start_s, end_s) if start_s < end_s else None


def _edges(views: Sequence[View], window: Window) -> Iterable[float]:
    for seen in views:
        for stretch in (*seen.certain, *seen.possible):
            yield from (edge for edge in (stretch.start_s, stretch.end_s) if window.start_s <= edge <= window.end_s)


def _both(some: Iterable[Window], others: Sequence[Window]) -> tuple[Window, ...]:
    """Where both are."""
    found = [_clipped(it.start_s, it.end_s, other) for it in some for other in others]
    return tuple(it for it in found if it is not None)


def _without(some: Sequence[Window], others: Sequence[Window]) -> list[Window]:
    """What is left of the ones; both are in order and without overlap."""
    left = list(some)
    for other in others:
        parts = [_clipped(*part, it) for it in left for part in ((-math.inf, other.start_s), (other.end_s, math.inf))]
        left = [it for it in parts if it is not None]
    return left


def _within(stretches: Sequence[Window], moment_s: float) -> bool:
    return any(stretch.start_s <= moment_s <= stretch.end_s for stretch in stretches)
