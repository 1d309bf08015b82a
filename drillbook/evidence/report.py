"""The report: one HTML file that stands on its own, made from a run's folder and nothing else."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

from drillbook.domain.measurement import Window
from drillbook.domain.verdict import WORST_FIRST, Verdict
from drillbook.evidence import bins, deviations, folder, intervals, lanes, pages, recoveries, stages, timeplot, traffic
from drillbook.evidence.reading import replace

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from markupsafe import Markup

    from drillbook.domain.traffic import Origin
    from drillbook.evidence.bins import Tally
    from drillbook.evidence.lanes import Marker
    from drillbook.evidence.record import DrillRecord, Event, Query, RunRecord
    from drillbook.evidence.recoveries import Breakdown
    from drillbook.evidence.stages import Stage
    from drillbook.evidence.timeplot import Layout, Plot
    from drillbook.evidence.traffic import Traffic

_BINS = 240
"""In a wide plot; a narrow one has half of them."""
_LEAST_BINS = 24
_REQUESTS_A_BIN = 8
"""On average at least, so that a close-up shows rates and not single requests."""
_CLOSE_UP_BELOW = 0.35
"""Share of a drill within which all failures lie, so that a closer look shows more."""

_MOST_ANSWERS = 400
"""Raw answers of Prometheus in one page: with them it is about a megabyte larger. All of them are in the folder."""
_LEAST_ANSWERS = 5
"""Of each drill, however many there are."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """A plot over time in both its sizes.

    Attributes:
        title: Its caption.
        wide: For screens and paper.
        narrow: For phones.
    """

    title: str
    wide: Markup
    narrow: Markup


@dataclass(frozen=True, slots=True)
class DrillView:
    """A drill with everything that was computed for its pages.

    Attributes:
        number: From 1.
        record: What was read.
        zero_s: What its times are counted from.
        drawings: Its plots.
        colours: Of each release in them.
        tallies: The figures beside them.
        timeline: Every event with its number in the plot; notes have none.
        stages: Of its way back, with a bar each.
        breakdowns: What a recovery's time went into.
        intervals: A plot for each check.
        queries: What Prometheus was asked, as far as the page has room: first what the checks rest on.
    """

    number: int
    record: DrillRecord
    zero_s: float
    drawings: tuple[Drawing, ...]
    colours: dict[Origin, str]
    tallies: tuple[Tally, ...]
    timeline: tuple[tuple[Marker | None, Event], ...]
    stages: tuple[tuple[Stage, Markup], ...]
    breakdowns: tuple[Breakdown, ...]
    intervals: tuple[Markup, ...]
    queries: tuple[Query, ...]

    @property
    def queries_left_out(self) -> int:
        """Questions whose answers are in the folder only."""
        return self.record.queries_left_out + len(self.record.queries) - len(self.queries)

    @property
    def stalls_s(self) -> float:
        """Seconds for which the meter itself was held up."""
        return sum(stall.length_s for stall in self.record.traffic.stalls) if self.record.traffic else 0.0


def render(run_dir: Path, into: Path | None = None) -> Path:
    """Write `report.html` into a run's folder; answers its path. The same run gives the same bytes.

    Args:
        run_dir: The run's.
        into: Another folder to write to, when it is not the run's own.

    Raises:
        NotARun: When there is no such folder.
    """
    return replace((into or run_dir) / "report.html", page(folder.read(run_dir)).encode())


def page(run: RunRecord) -> str:
    """The report as HTML."""
    requirements = run.requirements()
    drills = views(run)
    return (
        pages.templates()
        .get_template("report.html.j2")
        .render(
            run=run,
            summary=summary(run),
            drills=drills,
            worst_first=worst_first(drills),
            deviations=deviations.of(run),
            proved=[name for name, verdict in requirements.items() if verdict is Verdict.PASS],
            unproved=unproved(requirements),
            remarks=[note for note in run.notes if not note.withholds],
            style=pages.style("style.css"),
        )
    )


def views(run: RunRecord) -> list[DrillView]:
    """Its drills with everything that is drawn and counted of them."""
    answers = max(_LEAST_ANSWERS, _MOST_ANSWERS // max(len(run.drills), 1))
    return [_view(number, drill, answers) for number, drill in enumerate(run.drills, start=1)]


def worst_first(drills: Sequence[DrillView]) -> list[DrillView]:
    """Drills as whoever decides has to know of them."""
    return sorted(drills, key=lambda view: WORST_FIRST.index(view.record.verdict))


def unproved(requirements: Mapping[str, Verdict]) -> list[tuple[str, Verdict]]:
    """Those that the run did not prove, the broken ones first."""
    return [(name, verdict) for worst in WORST_FIRST[:-1] for name, verdict in requirements.items() if verdict is worst]


def summary(run: RunRecord) -> str:
    """The verdict in one sentence."""
    total = len(run.drills)
    counts = {verdict: sum(drill.verdict is verdict for drill in run.drills) for verdict in Verdict}
    if run.verdict is Verdict.PASS:
        return f"{_drills(total)} ran, and every promise was shown to be kept."
    if counts[Verdict.FAIL]:
        also = f", and {counts[Verdict.INCONCLUSIVE]} could not decide" if counts[Verdict.INCONCLUSIVE] else ""
        return f"{counts[Verdict.FAIL]} of {_drills(total)} saw a promise broken{also}."
    if run.verdict is Verdict.FAIL:
        return f"The run recorded a failure that none of its {_drills(total)} shows."
    if counts[Verdict.INCONCLUSIVE]:
        undecided = f"{counts[Verdict.INCONCLUSIVE]} of {_drills(total)} could not decide"
        return f"{undecided}: no promise was seen broken, and not all were shown to be kept."
    if not total:
        return "No drill left a record: nothing was shown."
    return "Every drill passed, and the record of the run is not whole: it cannot be relied on."


def _drills(count: int) -> str:
    return f"{count} drill" if count == 1 else f"{count} drills"


def _view(number: int, drill: DrillRecord, answers: int) -> DrillView:
    markers = lanes.numbered(drill.events)
    seen = drill.traffic
    window = _window(drill, seen)
    zero_s = drill.started_s if drill.started_s is not None else window.start_s
    colours = timeplot.palette(seen.origins) if seen is not None else {}
    by_number = iter(markers)
    timeline = tuple((None if event.kind == "note" else next(by_number), event) for event in drill.events)
    way_back = stages.of(drill)
    return DrillView(
        number=number,
        record=drill,
        zero_s=zero_s,
        drawings=tuple(_drawings(drill, seen, window, zero_s=zero_s, markers=markers, colours=colours)),
        colours=colours,
        tallies=bins.tallies(seen) if seen is not None else (),
        timeline=timeline,
        stages=tuple(zip(way_back, stages.bars(way_back), strict=True)),
        breakdowns=recoveries.of(drill),
        intervals=tuple(intervals.plot(check) for check in drill.checks),
        queries=_queries(drill, answers),
    )


def _queries(drill: DrillRecord, most: int) -> tuple[Query, ...]:
    rested_on = {file for check in drill.checks for file in check.recorded.measurement.evidence}
    first = sorted(drill.queries, key=lambda query: query.file not in rested_on)[:most]
    return tuple(query for query in drill.queries if query in first)


def _drawings(
    drill: DrillRecord,
    seen: Traffic | None,
    window: Window,
    *,
    zero_s: float,
    markers: Sequence[Marker],
    colours: dict[Origin, str],
) -> list[Drawing]:
    if seen is None and not markers:
        return []
    title = f"{drill.scenario}: actions, requests and latency over time"
    stalls = () if seen is None else seen.stalls
    plot = timeplot.Plot(title, window, zero_s, markers, None, stalls, _latency_limit_s(drill))
    found = [_both("Over the whole drill", plot, seen, _BINS, colours)]
    close = _close_up(seen, window)
    if seen is not None and close is not None:
        most = min(_BINS, max(_LEAST_BINS, traffic.due_within(seen, close) // _REQUESTS_A_BIN))
        found.append(_both("Close-up of the failures", timeplot.closer(plot, close), seen, most, colours))
    return found


def _both(title: str, plot: Plot, seen: Traffic | None, most: int, colours: dict[Origin, str]) -> Drawing:
    def drawn(layout: Layout, most: int) -> Markup:
        cut = None if seen is None else bins.binned(seen, plot.window, most)
        return timeplot.draw(dataclasses.replace(plot, bins=cut), layout, colours)

    return Drawing(title, drawn(timeplot.WIDE, most), drawn(timeplot.NARROW, max(_LEAST_BINS, most // 2)))


def _window(drill: DrillRecord, seen: Traffic | None) -> Window:
    """From the first thing that is known of the drill to the last; hours that nothing is known of stay out."""
    times = [event.t_s for event in drill.events]
    loaded = seen.window if seen is not None else None
    if loaded is not None:
        times += [loaded.start_s, loaded.end_s]
    times += [t for t in (drill.started_s, drill.finished_s) if t is not None]
    return Window(min(times), max(times)) if times else Window(0.0, 0.0)


def _close_up(seen: Traffic | None, whole: Window) -> Window | None:
    failed = None if seen is None else traffic.failed_within(seen)
    if failed is None or failed.length_s > _CLOSE_UP_BELOW * whole.length_s:
        return None
    room_s = max(0.2 * failed.length_s, 0.5)
    return Window(max(failed.start_s - room_s, whole.start_s), min(failed.end_s + room_s, whole.end_s))


def _latency_limit_s(drill: DrillRecord) -> float | None:
    """The tightest promise about latency in seconds."""
    limits = [
        check.recorded.objective.limit
        for check in drill.checks
        if check.recorded.objective.unit == "s"
        and "latency" in check.recorded.objective.id
        and check.recorded.objective.limit > 0
    ]
    return min(limits, default=None)
