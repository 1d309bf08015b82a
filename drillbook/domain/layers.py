"""Which layer kept users waiting: database, pooler, gateway or DNS, from probes that ran at the same time.

Each layer's probe goes through that layer and all below it, so the deepest layer whose probe fails is the one to mend:
time is put down to it. Time in which users were not served though every layer was well goes to `elsewhere`: the
application that warms up, or connections that clients held on to.

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
from drillbook.domain.outage import outages

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from drillbook.domain.requests import Flags, Requests

ELSEWHERE = "elsewhere"


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


def _within(stretches: Sequence[Window], moment_s: float) -> bool:
    return any(stretch.start_s <= moment_s <= stretch.end_s for stretch in stretches)
