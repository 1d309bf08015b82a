"""The write-ahead undo journal as values: what was changed, how it is put back, and how far that got."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


EVERYTHING = "*"
"""What a change touches that does not say."""


FAULT = "inject-fault"
"""Registered name of what goes wrong on purpose."""


class Stage(StrEnum):
    """How far a change and its undo got."""

    INTENDED = "intended"
    DONE = "done"
    UNDONE = "undone"
    STUCK = "stuck"

    @property
    def open(self) -> bool:
        """Whether the change may still be in the system."""
        return self is not Stage.UNDONE


@dataclass(frozen=True, slots=True)
class Change:
    """One change with its undo, written down before it is made.

    Attributes:
        sequence: Order within the run, from 1; undone in reverse.
        run_id: Whose change.
        drill: The drill that makes it.
        action: Registered name of the action that can undo it.
        arguments: What the action was made with, and the state that it found; JSON-compatible.
        fencing: Token of the lock under which it is made.
        stage: How far it got.
        note: Why it is stuck; empty otherwise.
        touches: Names of what the change and its undo concern, for example `slot/green`; `*` is everything. While a
            later change is not undone, an earlier one that touches the same is left as it is.
        generation: Grows with each state that was written down, so that of two records the later one is known,
            whichever of them a crash left on the disk and which in the target environment.
        target: What it was made in, as `Environment.target` names it; environments may share the place where changes
            are written down, and each may undo its own alone. Empty when unknown.
    """

    sequence: int
    run_id: str
    drill: str
    action: str
    arguments: Mapping[str, Any]
    fencing: int
    stage: Stage = Stage.INTENDED
    note: str = ""
    touches: tuple[str, ...] = (EVERYTHING,)
    generation: int = 1
    target: str = ""

    @property
    def name(self) -> str:
        """Name of its document in the target environment; sorts in the order of the changes."""
        return f"undo-{self.run_id.lower()}-{self.sequence:04d}"

    def at(self, stage: Stage, note: str = "") -> Change:
        """The same change further on."""
        return replace(self, stage=stage, note=note, generation=self.generation + 1)

    def concerns(self, other: Change) -> bool:
        """Whether both touch the same."""
        if self.target and other.target and self.target != other.target:
            return False
        both = {*self.touches, *other.touches}
        return EVERYTHING in both or bool(set(self.touches) & set(other.touches))

    def as_document(self) -> dict[str, Any]:
        """JSON-compatible."""
        return {**asdict(self), "stage": str(self.stage), "touches": list(self.touches)}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Change:
        """From what `as_document` made.

        Raises:
            ValueError: When the document is not one of ours.
        """
        try:
            touches = tuple(str(name) for name in document.get("touches", (EVERYTHING,)))
            fields: dict[str, Any] = {**document, "stage": Stage(document["stage"]), "touches": touches}
            return cls(**fields)
        except (KeyError, TypeError) as error:
            raise ValueError(f"an entry of the undo journal lacks or has too many fields: {error}") from error


def latest(entries: Iterable[Change]) -> list[Change]:
    """The last state of each change, in the order in which the changes were made.

    Runs are ordered by their fencing tokens, which only grow; their ids carry wall times, which may jump.
    """
    newest: dict[tuple[str, int], Change] = {}
    for entry in entries:
        key = (entry.run_id, entry.sequence)
        if key not in newest or entry.generation >= newest[key].generation:
            newest[key] = entry
    return sorted(newest.values(), key=lambda change: (change.fencing, change.run_id, change.sequence))


def to_undo(entries: Iterable[Change]) -> list[Change]:
    """The changes that may still be in the system, last one first.

    Faults come before all others: what a fault holds down can only be put back once that has ended.
    """
    found = [change for change in reversed(latest(entries)) if change.stage.open]
    return sorted(found, key=lambda change: change.action != FAULT)


@dataclass(frozen=True, slots=True)
class Restoration:
    """The undoing of one change.

    Attributes:
        change: What was undone.
        restored: Whether an observation showed that the state is as it was before, and that could be written down.
        text: What was observed, or why it could not be undone.
        at_s: Seconds since the epoch on the run's steady clock.
    """

    change: Change
    restored: bool
    text: str
    at_s: float
