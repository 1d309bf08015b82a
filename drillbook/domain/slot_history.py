"""Whose a slot's content is, by the history that the tool which releases keeps of the slot."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Revision:
    """One entry of a slot's history.

    Attributes:
        number: Grows with each change; begins anew once the slot was emptied.
        mark: What whoever made it has written down with it.
        back_to: Number of the revision whose content it brought back; 0 for one with a content of its own.
        finished: Whether what made it came to its end.
        current: Whether it is the one that counts as running.
    """

    number: int
    mark: str = ""
    back_to: int = 0
    finished: bool = True
    current: bool = False


@dataclass(frozen=True, slots=True)
class Before:
    """A slot's history before it was changed.

    Attributes:
        revision: The one that ran; 0 for none.
        last: The last one there was, whatever became of it; 0 for none.
    """

    revision: int
    last: int

    @classmethod
    def of(cls, history: Sequence[Revision]) -> Before:
        """As it is now."""
        return cls(
            max((entry.number for entry in history if entry.current), default=0),
            max((entry.number for entry in history), default=0),
        )


def is_as_before(history: Sequence[Revision], revision: int) -> bool:
    """Whether a slot has the content of the revision that it had, 0 for none."""
    if not history:
        return revision == 0
    return (
        revision > 0
        and history[-1].finished
        and _content(history, history[-1].number).number == _root(history, revision)
    )


def somebody_elses(history: Sequence[Revision], before: Before, mark: str) -> Revision | None:
    """The revision of somebody else that a slot has by now; None when it has ours, what it had before, or nothing.

    A revision carries its mark once it is finished. One that is not, and comes first after what there was, is ours:
    nobody else changes the slot while the environment is locked.

    Args:
        history: Of the slot, oldest first.
        before: The history before our change.
        mark: Which our revision carries.
    """
    if not history:
        return None
    found = _content(history, history[-1].number)
    if found.mark == mark:
        return None
    # What had never come to run was cleared away by ourselves before we installed.
    if before.revision and history[-1].number < before.last:
        return found
    if before.revision and found.number == _root(history, before.revision):
        return None
    if found.finished or any(entry.mark == mark for entry in history):
        return found
    since = before.last if before.revision else 0
    others = (entry for entry in history if entry.number > since and entry.finished and not entry.back_to)
    return next(others, None)


def _content(history: Sequence[Revision], number: int) -> Revision:
    """The revision whose content another one has: ways back are followed to where they led, known still or not."""
    known = {entry.number: entry for entry in history}
    found = known.get(number, Revision(number))
    while 0 < found.back_to < found.number:
        found = known.get(found.back_to, Revision(found.back_to))
    return found


def _root(history: Sequence[Revision], revision: int) -> int:
    return _content(history, revision).number
