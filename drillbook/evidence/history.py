"""What many runs tell together: verdicts and figures over nights, streaks, what flickers and what got worse."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from drillbook.domain import streak
from drillbook.domain.scenarios import is_record_of
from drillbook.domain.verdict import Verdict, judge, merge
from drillbook.domain.wording import moment

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from drillbook.domain.interval import Interval
    from drillbook.domain.verdict import Objective
    from drillbook.evidence.record import Check, DrillRecord, RunRecord

RECOVERY = frozenset({"DR-1.5", "DR-1.6", "DEP-2.3"})
"""Promises about how fast something is back and how much is lost, for which a number of drills is asked for."""

_RECENT = 20
"""Drills of one scenario in which flickering is looked for."""
_FLIPS = 2
"""There and back."""
_BEFORE_A_DRIFT = 5
"""Figures that there must be before the newest two can be called worse than all of them: by chance, 1 in 21."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One measurement of an objective.

    Attributes:
        run: Place of its run among those looked at.
        interval: None when nothing was measured.
        verdict: Of its check, by the objective as it was then and as it is now; no PASS where its drill proved nothing.
    """

    run: int
    interval: Interval | None
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Series:
    """One objective of one scenario over all runs in one environment.

    Attributes:
        scenario: Name.
        environment: Name.
        objective: As it was in the newest run.
        figures: Oldest first.
    """

    scenario: str
    environment: str
    objective: Objective
    figures: tuple[Figure, ...]

    @property
    def in_a_row(self) -> int:
        """How many of the newest passed without another between them."""
        return _in_a_row([figure.verdict for figure in self.figures])

    @property
    def worst(self) -> float | None:
        """The worst bound of the newest that passed in a row; None when there are none."""
        bounds = [_worse(self.objective, f.interval) for f in self.figures[-self.in_a_row :] if f.interval is not None]
        if not self.in_a_row or not bounds:
            return None
        return max(bounds) if self.objective.direction == "at_most" else min(bounds)

    @property
    def drifted(self) -> int:
        """Than how many earlier figures the newest two are both worse, all intervals apart; 0 when they are not."""
        if len(self.figures) < _BEFORE_A_DRIFT + 2:
            return 0
        *before, last_but_one, last = [figure.interval for figure in self.figures]
        if last is None or last_but_one is None or any(interval is None for interval in before):
            return 0
        known = [interval for interval in before if interval is not None]
        if self.objective.direction == "at_most":
            apart = min(last.low, last_but_one.low) > max(interval.high for interval in known)
        else:
            apart = max(last.high, last_but_one.high) < min(interval.low for interval in known)
        return len(known) if apart else 0

    @property
    def by_chance(self) -> float:
        """How likely two are the worst of all if nothing has changed."""
        return 1 / math.comb(len(self.figures), 2) if len(self.figures) > 1 else 1.0


@dataclass(frozen=True, slots=True)
class Past:
    """One scenario over all runs in one environment.

    Attributes:
        scenario: Name.
        environment: Name.
        verdicts: One for each run; None where it was not drilled.
        requirements: Of the newest drill.
        since: The run from which on all drills were of the same sentences as the newest: those before passed, or did
            not, something else.
    """

    scenario: str
    environment: str
    verdicts: tuple[Verdict | None, ...]
    requirements: tuple[str, ...]
    since: int = 0

    @property
    def drilled(self) -> tuple[Verdict, ...]:
        """The verdicts that there are."""
        return tuple(verdict for verdict in self.verdicts if verdict is not None)

    @property
    def alike(self) -> tuple[Verdict, ...]:
        """Those of the drills that were of the same sentences as the newest."""
        return tuple(verdict for verdict in self.verdicts[self.since :] if verdict is not None)

    @property
    def in_a_row(self) -> int:
        """How many of the newest alike passed; an INCONCLUSIVE one ends it as a FAIL does."""
        return _in_a_row(self.alike)

    @property
    def passed(self) -> int:
        """How many drills did; an INCONCLUSIVE one did not."""
        return sum(verdict is Verdict.PASS for verdict in self.drilled)

    @property
    def shown_share(self) -> float:
        """The share of drills that pass, as far as those in a row show it."""
        return streak.shown_share(self.in_a_row)

    @property
    def shown_by_all(self) -> float:
        """The share of drills that pass, as far as all that are alike show it."""
        return streak.shown_share_of(self.alike.count(Verdict.PASS), len(self.alike))

    @property
    def broke_at(self) -> int | None:
        """The run since which it has not passed; None when it did in the newest, or never has."""
        places = [place for place, verdict in enumerate(self.verdicts) if verdict is not None]
        last_pass = max((place for place in places if self.verdicts[place] is Verdict.PASS), default=None)
        return None if last_pass is None else next((place for place in places if place > last_pass), None)

    @property
    def flips(self) -> int:
        """How often the verdict changed among the newest drills."""
        return sum(earlier is not later for earlier, later in pairwise(self.drilled[-_RECENT:]))

    @property
    def flaky(self) -> bool:
        """Whether it changed and changed back."""
        return self.flips >= _FLIPS

    @property
    def regressed(self) -> int:
        """After how many passes in a row the newest drills do not pass; 0 when they do, or never did."""
        passes = [verdict is Verdict.PASS for verdict in self.drilled]
        while passes and not passes[-1]:
            passes.pop()
        return (
            _in_a_row([Verdict.PASS if p else Verdict.FAIL for p in passes]) if len(passes) < len(self.drilled) else 0
        )


@dataclass(frozen=True, slots=True)
class History:
    """Many runs.

    Attributes:
        runs: Oldest first.
        pasts: Of every scenario.
        series: Of every objective.
    """

    runs: tuple[RunRecord, ...]
    pasts: tuple[Past, ...]
    series: tuple[Series, ...]

    @property
    def environments(self) -> tuple[str, ...]:
        """In which there were runs."""
        return tuple(sorted({_environment(run) for run in self.runs}))

    def named(self, one: Past | Series) -> str:
        """A scenario's name, with its environment where there are several."""
        return one.scenario if len(self.environments) < 2 else f"{one.scenario}, in {one.environment}"  # noqa: PLR2004

    @property
    def recovery(self) -> tuple[Series, ...]:
        """Objectives about time to recover and data lost."""
        about = (s for s in self.series if RECOVERY & {*s.objective.requirements})
        return tuple(s for s in about if s.objective.unit == "s" or s.objective.id.startswith("data.lost"))

    @property
    def findings(self) -> tuple[str, ...]:
        """What somebody should look into, in sentences."""
        found = [
            f"{self.named(past)}: passed {_times(past.regressed)}, and is now {past.drilled[-1]}: "
            f"no pass since {moment(self.runs[past.broke_at].began_s)}"
            for past in self.pasts
            if past.broke_at is not None
        ]
        found += [
            f"{self.named(past)}: has not passed in any of its drills ({len(past.drilled)})"
            for past in self.pasts
            if not past.passed
        ]
        found += [
            f"{self.named(past)}: its verdict changed {past.flips} times in {min(len(past.drilled), _RECENT)} drills"
            for past in self.pasts
            if past.flaky
        ]
        found += [
            f"{self.named(s)}: {s.objective.statement}: the newest two figures are worse than each of the {s.drifted} "
            f"before them (by chance: {s.by_chance * 100:.1f} %)"
            for s in self.series
            if s.drifted
        ]
        return tuple(found)


def of(runs: Iterable[RunRecord]) -> History:
    """Of runs, oldest first; what was drilled in one environment tells nothing of another.

    A drill that a run has kept of the one that it goes on with counts once.
    """
    runs = tuple(runs)
    drills: dict[tuple[str, str], list[tuple[int, DrillRecord]]] = {}
    counted: set[tuple[str, str, float]] = set()
    for number, run in enumerate(runs):
        for drill in run.drills:
            if drill.started_s is not None:
                same = (drill.id, drill.scenario, drill.started_s)
                if run.continues is not None and same in counted:
                    continue
                counted.add(same)
            drills.setdefault((drill.scenario, _environment(run)), []).append((number, drill))
    pasts = tuple(_past(*key, found, len(runs)) for key, found in drills.items())
    series = tuple(one for key, found in drills.items() for one in _series(*key, found))
    return History(runs, pasts, series)


def _environment(run: RunRecord) -> str:
    return run.environment.get("name") or "unknown"


def _past(name: str, environment: str, drills: Sequence[tuple[int, DrillRecord]], runs: int) -> Past:
    verdicts: list[Verdict | None] = [None] * runs
    for number, drill in drills:
        other = verdicts[number]
        verdicts[number] = drill.verdict if other is None else merge((other, drill.verdict))
    newest = drills[-1][1]
    since = max((number + 1 for number, drill in drills if not _alike(drill, newest)), default=0)
    return Past(name, environment, tuple(verdicts), newest.requirements, since)


def _alike(one: DrillRecord, other: DrillRecord) -> bool:
    """Whether both were of the same sentences."""
    shorter, longer = sorted((one, other), key=lambda drill: len(drill.sentences))
    return is_record_of(longer.sentences, shorter.sentences, whole=shorter.verdict is Verdict.PASS)


def _series(name: str, environment: str, drills: Sequence[tuple[int, DrillRecord]]) -> Iterable[Series]:
    """Objectives of the newest drill; figures of another unit are of something else."""
    latest: dict[str, Objective] = {
        check.recorded.objective.id: check.recorded.objective for check in drills[-1][1].checks
    }
    for id_, objective in latest.items():
        figures = tuple(
            _figure(number, drill, check, objective)
            for number, drill in drills
            for check in drill.checks
            if check.recorded.objective.id == id_ and check.recorded.objective.unit == objective.unit
        )
        yield Series(name, environment, objective, figures)


def _figure(number: int, drill: DrillRecord, check: Check, objective: Objective) -> Figure:
    measurement = check.recorded.measurement
    verdicts = [check.verdict, judge(objective, measurement).verdict]
    if drill.doubts:
        verdicts.append(Verdict.INCONCLUSIVE)
    return Figure(number, measurement.interval, merge(verdicts))


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times in a row"


def _worse(objective: Objective, interval: Interval) -> float:
    return interval.high if objective.direction == "at_most" else interval.low


def _in_a_row(verdicts: Sequence[Verdict]) -> int:
    count = 0
    for verdict in reversed(verdicts):
        if verdict is not Verdict.PASS:
            break
        count += 1
    return count
