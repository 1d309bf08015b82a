"""Holds what a run recorded against what its raw data say now; pure comparisons."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from drillbook.domain.verdict import Judgement, Verdict, merge

if TYPE_CHECKING:
    from collections.abc import Sequence

    from drillbook.domain.measurement import Measurement, Window
    from drillbook.domain.verdict import Objective
    from drillbook.evidence.record import Check, DrillRecord, RunRecord

_SAME = 1e-9
"""Relative; other versions of the libraries may add in another order."""
_SAME_MOMENT_S = 1.0
"""What was counted up to "now" was so up to a moment that was written down shortly after."""
_RESTORED = "drill.restored"


@dataclass(frozen=True, slots=True)
class Derived:
    """What one drill's raw data say.

    Attributes:
        judgements: In the order in which the drill made them.
        lacking: Sentences about what cannot be derived, and why.
        differences: Sentences about raw data that contradict one another.
        doubts: Reasons, beside the checks, for which nothing may be proved; recorded or derived.
    """

    judgements: tuple[Judgement, ...]
    lacking: tuple[str, ...] = ()
    differences: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Opinion:
    """One drill judged again.

    Attributes:
        drill: Its id.
        verdict: As derived.
        agreed: How many checks came out as recorded.
        differences: Sentences; each says that what is recorded is not what the raw data say.
        lacking: Sentences about what the folder does not hold.
        remarks: Sentences about what differs rightly.
    """

    drill: str
    verdict: Verdict
    agreed: int
    differences: tuple[str, ...] = ()
    lacking: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rejudged:
    """A run judged again.

    Attributes:
        verdict: As derived.
        drills: Each of them.
        differences: Those of the run as a whole.
    """

    verdict: Verdict
    drills: tuple[Opinion, ...]
    differences: tuple[str, ...] = ()

    @property
    def agreement(self) -> Verdict:
        """PASS when everything was derived and agrees, FAIL when something differs, else nobody can tell."""
        if self.differences or any(opinion.differences for opinion in self.drills):
            return Verdict.FAIL
        lacking = not self.drills or any(opinion.lacking for opinion in self.drills)
        return Verdict.INCONCLUSIVE if lacking else Verdict.PASS


@dataclass(slots=True)
class _Said:
    agreed: int = 0
    differences: list[str] = field(default_factory=list[str])
    lacking: list[str] = field(default_factory=list[str])
    remarks: list[str] = field(default_factory=list[str])


def drill(recorded: DrillRecord, derived: Derived, *, same: bool = True) -> Opinion:
    """Hold a drill's record against what was derived.

    Args:
        recorded: What its folder says.
        derived: What its raw data say.
        same: Whether it was measured as it is now; else nobody can tell what else it is than another measure.
    """
    said = _Said(lacking=list(derived.lacking))
    left = list(derived.judgements)
    verdicts: list[Verdict] = []
    for check in recorded.checks:
        again = _take(left, check.recorded.objective.id)
        if again is None:
            verdicts.append(_unmatched(said, check, complete=not derived.lacking))
        else:
            verdicts.append(_compare(said, check.recorded, again))
    verdicts += [again.verdict for again in left]
    said.differences += [
        f"{again.objective.id}: the raw data say {again.verdict} ({again.reason}), and that was not recorded"
        for again in left
    ]
    if derived.doubts or not verdicts:
        verdicts.append(Verdict.INCONCLUSIVE)
    verdict = merge(verdicts)
    if recorded.recorded is not verdict:
        said.differences.append(f"the drill is recorded as {_told(recorded.recorded)}, and its checks say {verdict}")
    if not same:
        said.lacking += [
            f"other features or probes were used, and so it cannot be told: {one}" for one in said.differences
        ]
        said.differences.clear()
    differences = (*derived.differences, *said.differences)
    return Opinion(recorded.id, verdict, said.agreed, differences, tuple(said.lacking), tuple(said.remarks))


def run(
    recorded: RunRecord, opinions: Sequence[Opinion], *, interrupted: bool, left_changed: bool, signed: Verdict | None
) -> Rejudged:
    """Hold a run's record against what its drills say.

    Args:
        recorded: What its folder says.
        opinions: Its drills, judged again.
        interrupted: Whether it says that it was ended before its time.
        left_changed: Whether it says that something could not be put back.
        signed: The verdict that was signed; None when none was.
    """
    verdicts = [opinion.verdict for opinion in opinions]
    if interrupted or recorded.missing:
        verdicts.append(Verdict.INCONCLUSIVE)
    if left_changed or any(change.stage.open for change in recorded.undo):
        verdicts.append(Verdict.FAIL)
    verdict = merge(verdicts)
    differences = [f"{name} was asked for and left no record" for name in recorded.missing if not interrupted]
    if recorded.recorded is not verdict:
        differences.append(f"the run is recorded as {_told(recorded.recorded)}, and its drills say {verdict}")
    if recorded.exit_code != verdict.exit_code:
        differences.append(f"the run ended with exit code {recorded.exit_code}, and {verdict} is {verdict.exit_code}")
    if signed is not None and signed is not verdict:
        differences.append(f"what was signed says {signed}, and the drills say {verdict}")
    return Rejudged(verdict, tuple(opinions), tuple(differences))


def _take(left: list[Judgement], id_: str) -> Judgement | None:
    """The next derived judgement of an objective; a drill may judge one more than once."""
    for number, judgement in enumerate(left):
        if judgement.objective.id == id_:
            return left.pop(number)
    return None


def _unmatched(said: _Said, check: Check, *, complete: bool) -> Verdict:
    """A recorded check that was not derived can still be judged again by the values that were recorded with it."""
    id_ = check.recorded.objective.id
    if complete:
        said.differences.append(f"{id_}: is recorded, and none of the drill's sentences makes such a check")
    elif check.again.verdict is not check.recorded.verdict:
        said.differences.append(f"{id_}: {check.reason}")
    return check.again.verdict


def _compare(said: _Said, recorded: Judgement, again: Judgement) -> Verdict:
    """What counts for the drill."""
    id_ = recorded.objective.id
    if id_ == _RESTORED and _put_back_since(recorded, again):
        said.remarks.append(f"{id_}: changes that were left when the drill ended have been put back since")
        return recorded.verdict
    found = [*_promise(recorded, again), *_measured(recorded.measurement, again.measurement)]
    if recorded.verdict is not again.verdict:
        found.append(f"recorded as {recorded.verdict}, and it is {again.verdict}: {again.reason}")
    if found:
        said.differences.append(f"{id_}: {'; '.join(found)}")
    else:
        said.agreed += 1
    return again.verdict


def _promise(recorded: Judgement, again: Judgement) -> list[str]:
    one, other = recorded.objective, again.objective
    found: list[str] = []
    if one.direction != other.direction or not _close(one.limit, other.limit) or one.unit != other.unit:
        found.append(f"held against {_limit(one)}, and {_limit(other)} was promised")
    if set(one.requirements) != set(other.requirements):
        found.append(f"answers for {', '.join(one.requirements)}, and is about {', '.join(other.requirements)}")
    return found


def _measured(one: Measurement, other: Measurement) -> list[str]:
    found: list[str] = []
    if not _same_interval(one, other):
        found.append(f"measured {_interval(one)}, and the raw data say {_interval(other)}")
    if one.samples != other.samples:
        found.append(f"{one.samples} samples, and the raw data have {other.samples}")
    if not _same_window(one.window, other.window):
        found.append("measured in another window than the drill's")
    if bool(one.doubts) != bool(other.doubts):
        doubts = "; ".join(one.doubts or other.doubts)
        found.append(f"{'doubted' if one.doubts else 'not doubted'}, other than the raw data give reason for: {doubts}")
    return found


def _put_back_since(recorded: Judgement, again: Judgement) -> bool:
    was, left = recorded.measurement.interval, again.measurement.interval
    return was is not None and left is not None and left.high < was.high


def _same_interval(one: Measurement, other: Measurement) -> bool:
    if one.interval is None or other.interval is None:
        return one.interval is other.interval
    return _close(one.interval.low, other.interval.low) and _close(one.interval.high, other.interval.high)


def _same_window(one: Window, other: Window) -> bool:
    return abs(one.start_s - other.start_s) <= _SAME_MOMENT_S and abs(one.end_s - other.end_s) <= _SAME_MOMENT_S


def _close(one: float, other: float) -> bool:
    return one == other or math.isclose(one, other, rel_tol=_SAME, abs_tol=_SAME)


def _interval(measurement: Measurement) -> str:
    found = measurement.interval
    return "nothing" if found is None else f"{found.low:.9g} to {found.high:.9g} {measurement.unit}"


def _limit(objective: Objective) -> str:
    return f"{objective.direction.replace('_', ' ')} {objective.limit:g} {objective.unit}"


def _told(verdict: Verdict | None) -> str:
    return "nothing" if verdict is None else str(verdict)
