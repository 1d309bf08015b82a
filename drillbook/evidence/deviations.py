"""What did not go as it should have, and what is to be done about it: drawn from the record, for whoever signs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from drillbook.domain.undo import Stage
from drillbook.domain.verdict import WORST_FIRST, Verdict
from drillbook.evidence.reading import text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drillbook.evidence.record import Continued, DrillRecord, RunRecord


@dataclass(frozen=True, slots=True)
class Deviation:
    """One of them.

    Attributes:
        where: The drill's scenario, or `the run`.
        what: In a sentence.
        follow_up: What somebody has to do.
        verdict: How bad: FAIL for a broken promise or a system left changed, INCONCLUSIVE for a promise not shown, PASS
            for what has to be known and changes nothing.
    """

    where: str
    what: str
    follow_up: str
    verdict: Verdict


def of(run: RunRecord) -> tuple[Deviation, ...]:
    """All of them, the worst first."""
    found = [*_of_run(run), *(deviation for drill in run.drills for deviation in _of_drill(drill))]
    return tuple(sorted(dict.fromkeys(found), key=lambda deviation: WORST_FIRST.index(deviation.verdict)))


def _of_run(run: RunRecord) -> Iterator[Deviation]:
    for change in run.undo:
        if change.stage is not Stage.UNDONE:
            yield Deviation(
                text_of(change.drill, limit=200) or "the run",
                f"change {change.sequence}, {text_of(change.action, limit=200)}, was not put back",
                "run `drillbook recover`, and look at the system before anything else is run on it", Verdict.FAIL,
            )  # fmt: skip
    if run.continues is not None:
        yield from _of_continuing(run.continues)
    if run.left_out:
        told = f"left out, of what is drilled here: {'; '.join(run.left_out)}"
        yield Deviation("the run", told, "take note: this run shows nothing about it", Verdict.PASS)
    for name in run.missing:
        yield Deviation(name, "was asked for and left no record", "drill it again", Verdict.INCONCLUSIVE)
    for note in run.notes:
        told = f"{note.where} {note.text}"
        if note.withholds:
            yield Deviation("the run", told, "find out what became of the evidence; drill again", Verdict.INCONCLUSIVE)
        else:
            yield Deviation("the run", told, "take note", Verdict.PASS)


def _of_continuing(before: Continued) -> Iterator[Deviation]:
    unsigned = "" if before.envelope else ", of which nothing was signed"
    told = f"goes on with {before.run_id}, which was ended before its time{unsigned}"
    yield Deviation("the run", told, "keep the folder of that run as well", Verdict.PASS)
    for drill in before.again:
        told = f"was begun in {before.run_id}, stopped before it had shown anything, and drilled again"
        yield Deviation(drill, told, "take note", Verdict.PASS)


def _of_drill(drill: DrillRecord) -> Iterator[Deviation]:
    for check in drill.checks:
        told = f"{check.recorded.objective.statement}: {check.reason}"
        if check.verdict is Verdict.FAIL:
            follow_up = "find the cause, mend it, and drill again until it passes"
            yield Deviation(drill.scenario, told, follow_up, Verdict.FAIL)
        elif check.verdict is Verdict.INCONCLUSIVE:
            follow_up = "drill again: longer, under more load, or with the doubt removed"
            yield Deviation(drill.scenario, told, follow_up, Verdict.INCONCLUSIVE)
    for doubt in drill.doubts:
        yield Deviation(drill.scenario, doubt, "find out why, and drill again", Verdict.INCONCLUSIVE)
    for note in drill.notes:
        if not note.withholds:
            yield Deviation(drill.scenario, f"{note.where} {note.text}", "take note", Verdict.PASS)
    if not drill.reasons:
        return
    if not any(c.verdict is not Verdict.PASS for c in drill.checks) and not drill.doubts:
        yield Deviation(drill.scenario, drill.reasons[0], "find out why, and drill again", drill.verdict)
