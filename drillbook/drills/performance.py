"""What the sentences about performance do: a load of a certain shape comes and passes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drillbook.domain import plan
from drillbook.domain.measurement import Window
from drillbook.drills.seen import NotOffered, NotReady
from probes.recording import recording

if TYPE_CHECKING:
    from drillbook.domain.performance import Performance
    from drillbook.domain.shape import Shape
    from drillbook.drills.drill import Drill

READ_BACK_S = 30.0
"""For the look-up of a load's writes, beside what each of them takes."""

CONFIDENCE = 0.975
"""One side of the intervals of 95 %."""

_PASSES_LATE_S = 30.0
_KEYS_READ_BACK_HZ = 200.0
"""Half of what a load looks up a second where nothing is in its way."""


def usual_hz(drill: Drill) -> float:
    """Metered requests a second, of both kinds of connection, that the environment calls its load."""
    return 2 * drill.platform.environment.load.rate_hz


def bear(drill: Drill, shape: Shape) -> None:
    """Users come and go in this shape; returns once they have left and their writes are looked up.

    Raises:
        NotReady: When the environment does not allow so much, or so few requests would decide nothing.
    """
    _refuse_too_much(drill, shape)
    _refuse_too_little(drill, shape)
    drill.read_back_s += shape.due_by(shape.length_s) / 2 / _KEYS_READ_BACK_HZ
    drill.put_load_on(shape)
    drill.load.wait_passed(deadline_s=shape.length_s + _PASSES_LATE_S)
    window = recording(drill.folder).of_shape(0.0, shape.length_s)
    if window is None:
        raise NotReady("the load has ended, and never said when it began; see its log")
    drill.seen.window = window
    drill.end_load()


def promised(drill: Drill, percent: float, limit_s: float) -> tuple[float, float]:
    """The stricter of what a sentence and the environment promise of latency: a share, and its limit in seconds."""
    return max(percent / 100, drill.objectives.latency_share), min(limit_s, drill.objectives.latency_s)


def highest(drill: Drill) -> Window:
    """While the load was highest.

    Raises:
        NotReady: When it had no shape, or never began.
    """
    load = recording(drill.folder)
    window = None if load.shape is None else load.of_shape(*load.shape.highest)
    if window is None:
        raise NotReady("the load had no shape, so nothing was highest")
    return window


def after_highest(drill: Drill, after_s: float) -> Window:
    """From so long after that until the load's end.

    Raises:
        NotReady: As `highest`, and when the load ended before.
    """
    start_s, end_s = highest(drill).end_s + after_s, drill.seen.window.end_s
    if start_s >= end_s:
        raise NotReady(f"the load ended within {after_s:g} s of when it was highest")
    return Window(start_s, end_s)


def first_and_last(drill: Drill, part_s: float) -> tuple[Window, Window]:
    """The first and the last seconds of the load.

    Raises:
        NotReady: When it was too short for both.
    """
    whole = drill.seen.window
    if whole.length_s < 2 * part_s:
        raise NotReady(f"the load lasted {whole.length_s:.0f} s, too short for {part_s:g} s at either end")
    return Window(whole.start_s, whole.start_s + part_s), Window(whole.end_s - part_s, whole.end_s)


def settings(drill: Drill) -> Performance:
    """What the environment allows.

    Raises:
        NotReady: When it does not say.
    """
    environment = drill.platform.environment
    if environment.performance is None:
        raise NotOffered(
            f"not proved here: the environment {environment.name} does not say how much load it may be given; see "
            "performance.most"
        )
    return environment.performance


def _refuse_too_much(drill: Drill, shape: Shape) -> None:
    allowed = settings(drill)
    if shape.highest_hz > allowed.most_hz:
        raise NotOffered(
            f"the load comes to {shape.highest_hz:g} requests a second, and performance.most allows {allowed.most_hz:g}"
        )
    if shape.length_s > allowed.longest_s:
        raise NotOffered(f"the load lasts {shape.length_s:g} s, and performance.longest allows {allowed.longest_s:g} s")


def _refuse_too_little(drill: Drill, shape: Shape) -> None:
    """Where the rate is highest alone, the promise of latency has to be decidable."""
    share = drill.objectives.latency_share
    from_s, to_s = shape.highest
    due, needed = shape.due_by(to_s) - shape.due_by(from_s), plan.requests_for_quantile(share, CONFIDENCE)
    if due < needed:
        raise NotOffered(
            f"{due:.0f} requests are due while the load is highest, and {needed} are needed to show that "
            f"{share:.1%} are answered in time: raise load.rate, or let it last"
        )
