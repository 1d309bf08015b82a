"""What the workers of a distributed load saw, all together, from what each of them reported."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, cast

from drillbook.domain.interval import Interval
from drillbook.domain.measurement import Measurement, Window
from drillbook.domain.shape import Shape
from drillbook.domain.statistics import share
from drillbook.domain.workers import Report, Whole, whole

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FOLDER = "workers"
FILE = "plan.json"


@dataclass(frozen=True, slots=True)
class Record:
    """What was planned.

    Attributes:
        workers: How many.
        start_s: When the schedule began: seconds since the epoch.
        shape: Of all of them together, as a document.
    """

    workers: int
    start_s: float
    shape: tuple[Mapping[str, Any], ...]

    @property
    def due(self) -> int:
        """Requests of the whole schedule."""
        drawn = Shape.from_document(self.shape)
        # Request k, from 0, is due where the rate has summed up to k + 1/2.
        return math.ceil(drawn.due_by(drawn.length_s) - 0.5)

    @property
    def window(self) -> Window:
        """While the schedule lasted."""
        return Window(self.start_s, self.start_s + Shape.from_document(self.shape).length_s)

    def as_document(self) -> dict[str, Any]:
        """JSON-compatible."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class _Seen:
    record: Record
    whole: Whole
    reports: tuple[Report, ...]


def clocks(drill_dir: Path) -> Measurement:
    """How far a worker's clock may be from the run's, in seconds: what is known of the one that may be furthest.

    Each reports as the last thing that it does; that was after it was last seen at work, and before it was read.
    """
    seen = _seen(drill_dir)
    bounds: list[Interval] = []
    for report in seen.reports:
        kept = _kept(drill_dir, report.worker)
        ahead = Interval(report.now_s - float(kept["read_s"]), report.now_s - float(kept["asked_s"]))
        least = 0.0 if ahead.low <= 0 <= ahead.high else min(abs(ahead.low), abs(ahead.high))
        bounds.append(Interval(least, max(abs(ahead.low), abs(ahead.high))))
    furthest = Interval(max(one.low for one in bounds), max(one.high for one in bounds)) if bounds else None
    return _measured(drill_dir, seen, "distance of the workers' clocks from the run's", furthest, "s", len(bounds))


def sent_in_time(drill_dir: Path, *, within_s: float, least: float) -> Measurement:
    """Share of what all workers had to send that left within `within_s` of when it was due.

    Fewer than `least`, and a worker that is silent, are doubts: nothing is known then of the platform.
    """
    seen = _seen(drill_dir)
    due = seen.whole.sending.count + seen.whole.unsent
    # The first rank whose latency may be above the limit; ranks rise with the latency.
    low, high = 0, seen.whole.sending.count
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if seen.whole.sending.ranked(middle).high <= within_s else (low, middle - 1)
    doubts: tuple[str, ...] = ()
    if due and low < least * due:
        left = f"the workers sent {low} of {due} requests within {within_s * 1000:g} ms of when they were due"
        doubts = (f"{left}: the machines that make the load were the limit",)
    interval = share(low, due) if due else None
    name = f"share of the workers' requests that were sent within {within_s * 1000:g} ms of when they were due"
    return _measured(drill_dir, seen, name, interval, "ratio", due, doubts)


def failed_requests(drill_dir: Path) -> Measurement:
    """How many of all that was due failed; the silent workers' and the doubtful are in the upper bound only."""
    seen = _seen(drill_dir)
    return _measured(drill_dir, seen, "failed requests of the workers", seen.whole.failed, "requests", seen.whole.due)


def latency_quantile(drill_dir: Path, *, q: float) -> Measurement:
    """A quantile of the latency in seconds from the merged histograms, at 95 % confidence and to three digits."""
    seen = _seen(drill_dir)
    reported = seen.whole.due - seen.whole.silent
    interval = seen.whole.latency_quantile(q) if reported > 0 else None
    few = f"{reported} requests are too few for a 95 % interval of the {q:g} quantile"
    doubts = (few,) if interval is None and reported > 0 else ()
    return _measured(drill_dir, seen, f"latency quantile {q:g} of the workers", interval, "s", reported, doubts)


def events_lost(drill_dir: Path) -> Measurement:
    """Acknowledged events of all workers that are gone or altered."""
    seen = _seen(drill_dir)
    lost = Interval(sum(report.lost[0] for report in seen.reports), sum(report.lost[1] for report in seen.reports))
    acknowledged = sum(report.acknowledged for report in seen.reports)
    return _measured(drill_dir, seen, "acknowledged events of the workers lost", lost, "events", acknowledged)


def events_duplicated(drill_dir: Path) -> Measurement:
    """Events of all workers that are there more than once."""
    seen = _seen(drill_dir)
    found = [report.duplicated for report in seen.reports]
    doubled = Interval(sum(low for low, _ in found), sum(high for _, high in found))
    acknowledged = sum(report.acknowledged for report in seen.reports)
    return _measured(drill_dir, seen, "events of the workers stored more than once", doubled, "events", acknowledged)


def _seen(drill_dir: Path) -> _Seen:
    document = _json(drill_dir / FOLDER / FILE)
    record = Record(int(document["workers"]), float(document["start_s"]), tuple(document["shape"]))
    reports: list[Report] = []
    wrong: list[str] = []
    for worker in range(record.workers):
        try:
            kept = _kept(drill_dir, worker)
            if kept["report"]:
                reports.append(Report.from_document(json.loads(kept["report"])))
        except FileNotFoundError:
            continue
        except (ValueError, KeyError) as error:
            wrong.append(f"what worker {worker} reported cannot be read: {error}")
    together = whole(reports, record.workers, record.due)
    return _Seen(record, replace(together, doubts=(*together.doubts, *wrong)), tuple(reports))


def _measured(  # noqa: PLR0917 - what a measurement consists of
    drill_dir: Path,
    seen: _Seen,
    name: str,
    interval: Interval | None,
    unit: str,
    samples: int,
    doubts: tuple[str, ...] = (),
) -> Measurement:
    evidence = tuple(f"drills/{drill_dir.name}/{FOLDER}/{report.worker}.json" for report in seen.reports)
    found = (*seen.whole.doubts, *doubts)
    return Measurement(name, interval, unit, samples, seen.record.window, "workers", found, evidence)


def _kept(drill_dir: Path, worker: int) -> Mapping[str, Any]:
    return _json(drill_dir / FOLDER / f"{worker}.json")


def _json(path: Path) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", json.loads(path.read_text(encoding="utf-8")))
