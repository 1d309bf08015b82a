"""Three verdicts, how they are reached and how they merge."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Literal

from drillbook.domain.wording import quantity, span

if TYPE_CHECKING:
    from collections.abc import Iterable

    from drillbook.domain.measurement import Measurement


class Verdict(StrEnum):
    """PASS is the only success; FAIL outranks INCONCLUSIVE."""

    PASS = "PASS"  # noqa: S105 - a verdict, not a password
    FAIL = "FAIL"
    INCONCLUSIVE = "INCONCLUSIVE"

    @property
    def exit_code(self) -> int:
        """0, 1 or 75 (EX_TEMPFAIL of sysexits.h, which pipelines can tell from a failure)."""
        return {Verdict.PASS: 0, Verdict.FAIL: 1, Verdict.INCONCLUSIVE: 75}[self]


WORST_FIRST = (Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.PASS)
"""The order in which people have to know of them."""


Direction = Literal["at_most", "at_least"]


@dataclass(frozen=True, slots=True)
class Objective:
    """What must hold for one measured quantity.

    Attributes:
        id: Stable name, for example `release.downtime.new_connections`.
        statement: The promise in words, for the report.
        direction: On which side of the limit the good values lie.
        limit: The limit itself, inclusive, in `unit`.
        unit: `s`, `ratio`, `requests`, `events`, `1` ...
        requirements: Ids of the promises that it answers for, for example `DEP-2.3`.
    """

    id: str
    statement: str
    direction: Direction
    limit: float
    unit: str
    requirements: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Judgement:
    """One objective held against one measurement.

    Attributes:
        objective: What was promised.
        measurement: What was seen.
        verdict: The outcome.
        reason: One sentence that names what decided it.
    """

    objective: Objective
    measurement: Measurement
    verdict: Verdict
    reason: str


def judge(objective: Objective, measurement: Measurement) -> Judgement:
    """PASS when the whole interval meets the objective, FAIL when none of it does.

    Anything else is INCONCLUSIVE: no interval, no samples, a doubt about the data, a unit that
    differs, or an interval that straddles the limit.
    """
    verdict, reason = _decide(objective, measurement)
    return Judgement(objective, measurement, verdict, reason)


def merge(verdicts: Iterable[Verdict]) -> Verdict:
    """The verdict of a whole: FAIL before INCONCLUSIVE before PASS; nothing judged proves nothing."""
    seen = set(verdicts)
    if Verdict.FAIL in seen:
        return Verdict.FAIL
    if Verdict.INCONCLUSIVE in seen or not seen:
        return Verdict.INCONCLUSIVE
    return Verdict.PASS


def _decide(objective: Objective, measurement: Measurement) -> tuple[Verdict, str]:
    if measurement.unit != objective.unit:
        return (
            Verdict.INCONCLUSIVE,
            f"measured in {measurement.unit!r} where the objective is in {objective.unit!r}",
        )
    if measurement.doubts:
        return Verdict.INCONCLUSIVE, "; ".join(measurement.doubts)
    if measurement.interval is None or measurement.samples == 0:
        return Verdict.INCONCLUSIVE, f"no data from {measurement.source}"
    low, high = measurement.interval.low, measurement.interval.high
    seen = f"measured {span(measurement.interval, objective.unit)}"
    limit = f"{objective.direction.replace('_', ' ')} {quantity(objective.limit, objective.unit)}"
    worst, best = (high, low) if objective.direction == "at_most" else (low, high)
    if _meets(objective, worst):
        return Verdict.PASS, f"{seen}, promised {limit}"
    if not _meets(objective, best):
        return Verdict.FAIL, f"{seen}, promised {limit}"
    return Verdict.INCONCLUSIVE, f"{seen}, which straddles the promised {limit}"


def _meets(objective: Objective, value: float) -> bool:
    return value <= objective.limit if objective.direction == "at_most" else value >= objective.limit
