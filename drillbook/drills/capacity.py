"""Looks for the highest rate that still meets what is promised: one load after the other, each with its own record."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from drillbook.domain import plan
from drillbook.domain.guard import Burn
from drillbook.domain.performance import Promise
from drillbook.domain.rate_search import Search
from drillbook.domain.shape import steady
from drillbook.drills import performance
from drillbook.drills.seen import NotOffered, NotReady
from drillbook.drivers.live import LiveRecord
from drillbook.run.folder import write_json
from drillbook.run.monitor import counted
from probes import capacity
from probes.capacity import Begun, Record, Step
from probes.recording import recording

if TYPE_CHECKING:
    from pathlib import Path

    from drillbook.domain.measurement import Window
    from drillbook.domain.performance import Performance
    from drillbook.domain.rate_search import Next
    from drillbook.drills.drill import Drill
    from drillbook.run.load import Load

_SPARE = 1.1
"""Requests beyond those that decide when none fails."""
_LONGER = 3.0
"""So many times as long the rate that was found is held at the end."""
_GIVEN_UP = Burn(0.5, 2.0)
"""Users who were answered like this for so long need no more of it to decide."""
_PACE_S = 0.1
_ENDS_LATE_S = 20.0
_KEYS_READ_BACK_HZ = 200.0


@dataclass(frozen=True, slots=True)
class _Held:
    """What one rate was held with."""

    window: Window
    given_up: bool


def search(drill: Drill, promise: Promise) -> None:
    """Hold one rate after the other, from the usual one on; what each did is kept beside it.

    Args:
        drill: Whose.
        promise: What a rate has to meet.

    Raises:
        NotReady: When the environment does not allow a search.
    """
    allowed, clock = performance.settings(drill), drill.session.clock
    usual_hz = performance.usual_hz(drill)
    if usual_hz > allowed.most_hz:
        raise NotOffered(
            f"the usual load is {usual_hz:g} requests a second, and performance.most allows {allowed.most_hz:g}"
        )
    record = Record(Search(usual_hz, allowed.most_hz), promise)
    write_json(drill.folder / capacity.FILE, record.as_document())
    began_s = clock.now()
    tried: list[capacity.Tried] = []
    while (wanted := record.search.next(tried)) is not None:
        if clock.now() - began_s + _length_s(allowed, promise, wanted) > allowed.longest_s:
            record = replace(record, ended=f"performance.longest ({allowed.longest_s:g} s) ended the search")
            break
        # What was acknowledged at a rate is judged though it raises, be it the first.
        number = len(tried) + 1
        begun = Begun(_folder(number), wanted.rate_hz)
        write_json(drill.folder / capacity.FILE, replace(record, begun=begun).as_document())
        step = _hold(drill, allowed, promise, wanted, number=number)
        record = replace(record, steps=(*record.steps, step))
        write_json(drill.folder / capacity.FILE, record.as_document())
        tried.append(_tell(drill, step, promise))
    write_json(drill.folder / capacity.FILE, record.as_document())
    found = record.search.found(tried)
    text = f"{found.met_hz:.0f} requests a second met what is promised, and {found.failed_hz:.0f} did not"
    drill.timeline.record(
        "note", f"{text}; {found.why_open or record.ended or 'that is close enough'}", activity="search"
    )


def promised(drill: Drill, availability: float, latency_share: float, latency_s: float) -> Promise:
    """The stricter of what a sentence and the environment promise."""
    objectives = drill.objectives
    return Promise(
        max(availability, objectives.availability), min(latency_s, objectives.latency_s),
        max(latency_share, objectives.latency_share),
    )  # fmt: skip


def _length_s(allowed: Performance, promise: Promise, wanted: Next) -> float:
    """How long a rate is held to be judged: until a platform that fails nothing has shown that."""
    needed = max(
        plan.requests_for_share(promise.availability, performance.CONFIDENCE),
        plan.requests_for_quantile(promise.latency_share, performance.CONFIDENCE),
    )
    return max(allowed.step_s, _SPARE * needed / wanted.rate_hz) * (_LONGER if wanted.longer else 1.0)


def _folder(number: int) -> str:
    return f"steps/{number:02d}"


def _hold(drill: Drill, allowed: Performance, promise: Promise, wanted: Next, *, number: int) -> Step:
    shape = steady(wanted.rate_hz, allowed.settle_s + _length_s(allowed, promise, wanted))
    folder = _folder(number)
    drill.read_back_s = performance.READ_BACK_S + shape.due_by(shape.length_s) / 2 / _KEYS_READ_BACK_HZ
    load = drill.start_load(drill.folder / folder / "load", shape, mark=f"-{number}")
    drill.timeline.record(
        "note", f"{wanted.rate_hz:.0f} requests a second for {shape.length_s:.0f} s", activity="hold", step=number
    )
    held = _let_pass(drill, load, drill.folder / folder, allowed.settle_s, shape.length_s)
    drill.end_load()
    window = held.window
    return Step(folder, wanted.rate_hz, wanted.longer, window.start_s, window.end_s, held.given_up)


def _let_pass(drill: Drill, load: Load, folder: Path, settle_s: float, length_s: float) -> _Held:
    """Until it is over, or users are answered so badly that it is given up at once."""
    clock, live = drill.session.clock, LiveRecord(load.output / "live.jsonl")
    answers: list[tuple[float, int, int]] = []
    give_up_s = clock.now() + length_s + _ENDS_LATE_S
    while load.phase == "running" and clock.now() < give_up_s:
        answers += [counted(line) for line in live()]
        if _GIVEN_UP.exceeded(answers, clock.now()):
            ended_s = clock.now()
            load.ask_to_stop()
            load.wait_passed(deadline_s=_ENDS_LATE_S)
            return _Held(replace(_window(folder, 0.0, length_s), end_s=ended_s), given_up=True)
        clock.sleep(_PACE_S)
    load.wait_passed(deadline_s=_ENDS_LATE_S)
    return _Held(_window(folder, settle_s, length_s), given_up=False)


def _window(folder: Path, from_s: float, to_s: float) -> Window:
    window = recording(folder).of_shape(from_s, to_s)
    if window is None:
        raise NotReady("the load has ended, and never said when it began; see its log")
    return window


def _tell(drill: Drill, step: Step, promise: Promise) -> capacity.Tried:
    found = capacity.judgements(drill.folder, step, promise)
    tried = capacity.tried(step, found)
    reasons = "; ".join(f"{judgement.objective.statement}: {judgement.reason}" for judgement in found)
    drill.timeline.record(
        "observed", f"{tried.verdict} at {step.rate_hz:.0f} requests a second: {reasons}", activity="held",
        rate_hz=step.rate_hz, verdict=str(tried.verdict), starved=tried.starved, given_up=step.given_up,
    )  # fmt: skip
    return tried
