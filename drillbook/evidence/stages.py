"""A way back in its stages, from what the timeline and the load recorded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from drillbook.evidence import svg
from drillbook.evidence.reading import number_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from markupsafe import Markup

    from drillbook.evidence.record import DrillRecord, Event
    from drillbook.evidence.traffic import Traffic

_BAR_WIDTH, _BAR_HEIGHT = 260.0, 14.0


@dataclass(frozen=True, slots=True)
class Stage:
    """A part of the way.

    Attributes:
        name: `detect`, `decide`, `switch`, `drained`, or `first bad to last bad answer` for the whole.
        told: From what to what, in words.
        start_s: Seconds since the epoch.
        end_s: Likewise, not before the start.
    """

    name: str
    told: str
    start_s: float
    end_s: float

    @property
    def length_s(self) -> float:
        """Seconds."""
        return self.end_s - self.start_s


def of(drill: DrillRecord) -> tuple[Stage, ...]:
    """The stages that the record has; none when nothing was rolled back."""
    decided = _last(drill.events, "decided", lambda e: "roll back" in (e.activity, e.data.get("ruling")))
    if decided is None:
        return ()
    found: list[Stage] = []
    detected = _last([e for e in drill.events if e.t_s <= decided.t_s], "detected", lambda _: True)
    first_bad_s = None if detected is None else number_of(detected.data.get("first_bad_s"))
    if detected is not None:
        if first_bad_s is not None and first_bad_s <= detected.t_s:
            found.append(Stage("detect", "window with the first bad answer → found bad", first_bad_s, detected.t_s))
        found.append(Stage("decide", "found bad → way back decided", detected.t_s, decided.t_s))
    after = [e for e in drill.events if e.t_s >= decided.t_s]
    back = next((e for e in after if e.kind == "recovered" and e.activity == "roll back"), None)
    if back is not None:
        found.append(
            Stage("switch", "way back decided → all new traffic seen at the old release", decided.t_s, back.t_s)
        )
        drained = next((e for e in after if _is_drained(e) and e.t_s >= back.t_s), None)
        if drained is not None:
            told = "traffic at the old release → the bad one has finished what it had"
            found.append(Stage("drained", told, back.t_s, drained.t_s))
    whole = _failures_since(drill.traffic, first_bad_s)
    if whole is not None:
        found.append(Stage("whole", "first bad answer → last bad answer, as users saw it", *whole))
    return tuple(found)


def bars(stages: Sequence[Stage]) -> list[Markup]:
    """One small drawing for each stage, all on one scale."""
    if not stages:
        return []
    start, end = min(s.start_s for s in stages), max(s.end_s for s in stages)
    x = svg.Scale(start, max(end, start + 1e-6), 1, _BAR_WIDTH - 1)
    return [
        svg.figure(
            _BAR_WIDTH, _BAR_HEIGHT, f"{stage.name}: {stage.start_s - start:.2f} s to {stage.end_s - start:.2f} s",
            "stage-bar",
            [
                svg.line(0, _BAR_HEIGHT / 2, _BAR_WIDTH, _BAR_HEIGHT / 2, "grid"),
                svg.box(x(stage.start_s), 3, max(x(stage.end_s) - x(stage.start_s), 2.5), _BAR_HEIGHT - 6,
                        "stage-whole" if stage.name == "whole" else "stage"),
            ],
        )
        for stage in stages
    ]  # fmt: skip


def _is_drained(event: Event) -> bool:
    return event.activity == "drain old slot" and event.kind == "observed" and event.data.get("holds") is not False


def _last(events: Sequence[Event], kind: str, fits: Callable[[Event], bool]) -> Event | None:
    return next((event for event in reversed(events) if event.kind == kind and fits(event)), None)


def _failures_since(traffic: Traffic | None, first_bad_s: float | None) -> tuple[float, float] | None:
    """When the first failed request from there on was due, and when the last one ended."""
    if traffic is None or first_bad_s is None:
        return None
    bad = ~traffic.ok & (traffic.due_s + np.nan_to_num(traffic.latency_s) >= first_bad_s)
    if not bad.any():
        return None
    ends_s = traffic.due_s[bad] + np.nan_to_num(traffic.latency_s[bad])
    return float(traffic.due_s[bad].min()), float(ends_s.max())
