"""What a search for the highest rate has found, computed from the rows of each rate that was held."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, cast

from drillbook.domain.interval import Interval
from drillbook.domain.measurement import Measurement, Window
from drillbook.domain.performance import Promise
from drillbook.domain.rate_search import Search, Tried
from drillbook.domain.verdict import Objective, Verdict, judge, merge
from probes.availability import availability
from probes.latency import latency_quantile
from probes.schedule import sent_in_time

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from drillbook.domain.verdict import Judgement

FILE = "capacity.json"
_SENT_WITHIN_S = 0.02
_SENT_SHARE = 0.99


@dataclass(frozen=True, slots=True)
class Step:
    """One rate that was held.

    Attributes:
        folder: Where its load's record is, relative to the drill's.
        rate_hz: Metered requests a second, of both kinds of connection together.
        longer: Whether it was held for longer, to see that it lasts.
        start_s: From when it is judged: seconds since the epoch, steady clock.
        end_s: Until when.
        given_up: Whether it was ended before its time, since users were answered badly beyond doubt.
    """

    folder: str
    rate_hz: float
    longer: bool
    start_s: float
    end_s: float
    given_up: bool = False

    @property
    def window(self) -> Window:
        """When it is judged."""
        return Window(self.start_s, self.end_s)


@dataclass(frozen=True, slots=True)
class Begun:
    """One rate that was begun; what was acknowledged at it counts, however it ended.

    Attributes:
        folder: As of a step.
        rate_hz: Likewise.
    """

    folder: str
    rate_hz: float


@dataclass(frozen=True, slots=True)
class Record:
    """A search as it went.

    Attributes:
        search: How it looked.
        promise: What a rate had to meet.
        steps: What it held.
        ended: Why it ended before it had found; empty when it was not.
        begun: The rate that is held now, or at which it broke off; None between two.
    """

    search: Search
    promise: Promise
    steps: tuple[Step, ...] = ()
    ended: str = ""
    begun: Begun | None = None

    def as_document(self) -> dict[str, Any]:
        """JSON-compatible."""
        return asdict(self)

    @classmethod
    def of(cls, drill_dir: Path) -> Record:
        """As the drill has kept it.

        Raises:
            FileNotFoundError: When it did not search.
        """
        document = cast("Mapping[str, Any]", json.loads((drill_dir / FILE).read_text(encoding="utf-8")))
        steps = tuple(Step(**step) for step in document["steps"])
        begun = Begun(**document["begun"]) if document.get("begun") else None
        return cls(Search(**document["search"]), Promise(**document["promise"]), steps, str(document["ended"]), begun)


def rates(drill_dir: Path) -> list[Begun]:
    """All that users were there at, the one at which it broke off included unless its load was never begun.

    Raises:
        FileNotFoundError: When it did not search.
    """
    record = Record.of(drill_dir)
    held = [Begun(step.folder, step.rate_hz) for step in record.steps]
    began = record.begun is not None and (drill_dir / record.begun.folder / "load" / "plan.json").exists()
    return [*held, record.begun] if record.begun is not None and began else held


def judgements(drill_dir: Path, step: Step, promise: Promise) -> list[Judgement]:
    """What one rate had to meet: that the load was sent at all, first, then availability and latency."""
    folder, window = drill_dir / step.folder, step.window
    sent = Objective("step.sent", f"{_SENT_SHARE:.0%} are sent in time", "at_least", _SENT_SHARE, "ratio")
    answered = Objective(
        "step.availability", f"{promise.availability:.3%} are answered well", "at_least", promise.availability, "ratio"
    )
    in_time = Objective(
        "step.latency", f"{promise.latency_share:.2%} within {promise.latency_s:g} s", "at_most", promise.latency_s, "s"
    )
    return [
        judge(sent, sent_in_time(folder, window, within_s=_SENT_WITHIN_S, least=_SENT_SHARE)),
        judge(answered, availability(folder, window)),
        judge(in_time, latency_quantile(folder, window, q=promise.latency_share)),
    ]


def tried(step: Step, found: Sequence[Judgement]) -> Tried:
    """One rate's verdict; nothing that was not sent as planned speaks for the platform or against it."""
    starved = found[0].verdict is not Verdict.PASS
    verdict = Verdict.INCONCLUSIVE if starved else merge(judgement.verdict for judgement in found[1:])
    return Tried(step.rate_hz, verdict, starved, step.longer)


def highest_rate(drill_dir: Path) -> Measurement:
    """The highest rate that meets the promise: from the highest that did to the lowest that did not."""
    record = Record.of(drill_dir)
    found = record.search.found(_all_tried(drill_dir, record))
    # A rate that the platform met stands, whatever could not be found out about higher ones; but a search that the
    # machine of the load ended has found that machine's limit, and is no word about the platform.
    doubts = (found.why_open,) if "machine that makes the load" in found.why_open else ()
    return _measured(record, "highest rate that meets the promise", found.met_hz, found.failed_hz, "requests/s", doubts)


def closeness(drill_dir: Path) -> Measurement:
    """By what factor the lowest rate that failed is above the highest that met it; doubtful without such a pair."""
    record = Record.of(drill_dir)
    found = record.search.found(_all_tried(drill_dir, record))
    known = found.met_hz > 0 and math.isfinite(found.failed_hz)
    factor = found.failed_hz / found.met_hz if known else math.inf
    doubts = tuple(filter(None, (found.why_open, record.ended)))
    if not known and not doubts:
        doubts = (
            f"no rate down to {min(step.rate_hz for step in record.steps):.0f} requests a second met the promise",
        )
    return _measured(
        record,
        "factor from the highest rate that met the promise to the lowest that did not",
        factor,
        factor,
        "1",
        doubts,
    )


def _all_tried(drill_dir: Path, record: Record) -> list[Tried]:
    return [tried(step, judgements(drill_dir, step, record.promise)) for step in record.steps]


def _measured(record: Record, name: str, low: float, high: float, unit: str, doubts: tuple[str, ...]) -> Measurement:  # noqa: PLR0917 - what a measurement consists of
    steps = record.steps
    window = Window(steps[0].start_s, steps[-1].end_s) if steps else Window(0.0, 0.0)
    return Measurement(name, Interval(low, high), unit, len(steps), window, "meter", doubts, ())
