"""The traceability page: what is proved and what is not, by which drills, for which controls, night after night."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from drillbook.domain.verdict import Verdict
from drillbook.evidence import history_report, pages
from drillbook.evidence.reading import replace
from drillbook.evidence.tracing import DAY_S, State

if TYPE_CHECKING:
    from pathlib import Path

    from drillbook.evidence.history import History
    from drillbook.evidence.requirements import Control
    from drillbook.evidence.tracing import Matrix, Proof, Row

WORDS = {
    State.PROVED: "a running system was seen to keep it, within the age limit",
    State.BROKEN: "the last drill saw it broken",
    State.UNDECIDED: "the last drill could not decide",
    State.CHANGED: "the last drill was of other sentences or limits than are promised now",
    State.STALE: "the last evidence is older than the age limit",
    State.NEVER_DRILLED: "there is a scenario, and no run of it",
    State.NO_SCENARIO: "no scenario proves it",
}
_SYMBOLS = {
    State.PROVED: "✓", State.BROKEN: "✕", State.UNDECIDED: "?", State.CHANGED: "≠", State.STALE: "⌛",
    State.NEVER_DRILLED: "○", State.NO_SCENARIO: "\N{EN DASH}",
}  # fmt: skip

_COUNTED = {
    State.BROKEN: "seen broken", State.UNDECIDED: "undecided",
    State.CHANGED: "changed since they were drilled", State.STALE: "with stale evidence",
    State.NEVER_DRILLED: "never drilled", State.NO_SCENARIO: "without a scenario",
}  # fmt: skip

_REMARKS = {State.CHANGED: "of other sentences or limits than are promised now", State.STALE: "stale"}
"""Why evidence does not count that may itself look well."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A control and the requirements that answer for it.

    Attributes:
        control: It.
        rows: Requirements.
    """

    control: Control
    rows: tuple[Row, ...]

    @property
    def proved(self) -> int:
        """How many of them are."""
        return sum(row.state.proved for row in self.rows)


def render(page_path: Path, matrix: Matrix, past: History) -> Path:
    """Write the page; answers its path."""
    page_path.parent.mkdir(parents=True, exist_ok=True)
    return replace(page_path, page(matrix, past, page_path.parent).encode())


def page(matrix: Matrix, past: History, folder: Path) -> str:
    """The page as HTML.

    Args:
        matrix: What is proved.
        past: The runs together.
        folder: Where the page will lie, for its links.
    """
    rows = {row.requirement.id: row for row in matrix.rows}
    counts = matrix.counts()
    return (
        pages.templates()
        .get_template("trace.html.j2")
        .render(
            matrix=matrix,
            counts={state: count for state, count in counts.items() if count},
            proved=counts[State.PROVED],
            summary=summary(matrix),
            sections=[
                (section, [rows[each.id] for each in section.requirements]) for section in matrix.catalogue.sections
            ],
            frameworks=_frameworks(matrix),
            **history_report.words(past),
            age_limit=_days(matrix.max_age_days),
            words=WORDS,
            symbols=_SYMBOLS,
            remarks=_REMARKS,
            age=_age,
            link=partial(_link, folder=folder),
            PASS=Verdict.PASS,
            style=pages.style("style.css", "trace.css"),
        )
    )


def summary(matrix: Matrix) -> str:
    """The state of all of it in one sentence."""
    counts = matrix.counts()
    if matrix.proved:
        return f"Drills of the last {_days(matrix.max_age_days)} prove all of them."
    rest = [f"{counts[state]} {_COUNTED[state]}" for state in State if counts[state] and not state.proved]
    if not rest:
        return "All are proved, and scenarios name requirements that do not exist."
    return f"By drills of the last {_days(matrix.max_age_days)}. Not proved: {', '.join(rest)}."


def _frameworks(matrix: Matrix) -> list[tuple[str, list[Answer]]]:
    return [
        (name, [Answer(c, matrix.answering(c)) for c in matrix.catalogue.controls if c.framework == key])
        for key, name in matrix.catalogue.frameworks.items()
    ]


def _days(count: float) -> str:
    return "day" if count == 1 else f"{count:g} days"


def _age(proof: Proof) -> str:
    evidence = proof.evidence
    if evidence is None:
        return "never"
    if evidence.age_s is None:
        return "at an unknown time" if evidence.at_s is None else "in the future, by its own date"
    hours = evidence.age_s / 3600
    if hours < 1:
        return "within the last hour"
    return f"{evidence.age_s / DAY_S:.0f} days ago" if hours > 48 else f"{hours:.0f} h ago"  # noqa: PLR2004 -- two days


def _link(proof: Proof, folder: Path) -> str:
    """From the page to the report of the run; empty when there is none to lead to."""
    if proof.evidence is None:
        return ""
    target = proof.evidence.run.path.resolve() / "report.html"
    if not target.is_file():
        return ""
    try:
        return target.relative_to(folder.resolve()).as_posix()
    except ValueError:
        return ""
