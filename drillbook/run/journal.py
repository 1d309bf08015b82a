"""The write-ahead undo journal: on disk and in the target environment before anything is changed."""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from drillbook.domain.undo import EVERYTHING, FAULT, Change, Restoration, Stage, latest, to_undo
from drillbook.ports import LockLost, Unreachable
from drillbook.run.folder import FolderError, append_line, read_lines, read_what_is_whole

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from drillbook.ports import Clock, StateStore

UNDO_WITHIN_S = 180.0
"""How long the undoing of a run is tried again: longer than an API server or a token is away in practice."""

_Answer = TypeVar("_Answer")
_PREFIX = "undo-"
_PACE_S = 1.0


class Journal:
    """The journal of one run.

    Each state of each change is a line on disk (fsync) and the last state of each open change is a document in the
    target environment; a change that was undone and verified is deleted there and kept on disk, as evidence.
    """

    def __init__(
        self, path: Path, store: StateStore, run_id: str, fencing: int, own: Callable[[], None] = lambda: None,
        *, target: str = "",
    ) -> None:  # fmt: skip
        """Open or continue the journal.

        Args:
            path: `undo.jsonl` of the run's folder.
            store: Documents in the target environment.
            run_id: Whose journal.
            fencing: Token of the lock that the run holds.
            own: Looks whether the lock is still the run's; raises LockLost or Unreachable when that is not certain.
            target: What is changed, as `Environment.target` names it.
        """
        self._path = path
        self._store = store
        self._run_id = run_id
        self._fencing = fencing
        self._own = own
        self._target = target

    def intend(
        self, action: str, arguments: Mapping[str, Any], drill: str, touches: Sequence[str] = (EVERYTHING,)
    ) -> Change:
        """Write a change down; returns once it is on the disk and in the target environment, and the lock is ours.

        The lock is looked at last: whoever takes it afterwards finds the change when he looks what there is to undo.

        Raises:
            FolderError: When the disk does not take it, or what it has is damaged; then nothing may be changed.
            Unreachable: When the target environment does not take it; likewise.
            LockLost: When the environment is someone else's by now; likewise.
        """
        sequence = max((change.sequence for change in self._entries()), default=0) + 1
        change = Change(
            sequence, self._run_id, drill, action, arguments, self._fencing, touches=tuple(touches), target=self._target
        )
        self._write(change)
        try:
            self._own()
        except LockLost:
            self._write_off(change, "never made: the lock was lost before")
            raise
        return change

    def go_on(self) -> None:
        """See that the lock is ours before a change that is written down already takes a further step.

        Raises:
            LockLost: When the environment is someone else's by now; then nothing more may be changed.
            Unreachable: When that is not certain; likewise.
        """
        self._own()

    def done(self, change: Change) -> None:
        """The system has accepted the change."""
        self._write(change.at(Stage.DONE))

    def changes(self) -> list[Change]:
        """The last state of every change of this run that the disk has.

        A line that a crash tore, or that is no change, is passed over: it keeps no other change from being undone, and
        what stood there is in the target environment as well.
        """
        lines, _ = read_what_is_whole(self._path)
        found: list[Change] = []
        for line in lines:
            with suppress(ValueError):
                found.append(Change.from_document(line))
        return latest(found)

    def _entries(self) -> list[Change]:
        """Every entry that the disk has.

        The number of one that cannot be read is unknown: given to another change, it would overwrite in the target
        environment what is still to be undone.

        Raises:
            FolderError: When a line is no change, other than the last one that a crash tore.
        """
        try:
            return [Change.from_document(line) for line in read_lines(self._path)]
        except ValueError as error:
            raise FolderError(f"{self._path} has a line that is no change; nothing more is changed: {error}") from error

    def open_changes(self) -> list[Change]:
        """Those that may still be in the system, last one first.

        What the target environment holds counts beside the disk, which may have been full; when it cannot be asked, the
        disk alone counts.
        """
        try:
            remote = [change for change in left_behind(self._store) if change.run_id == self._run_id]
        except Unreachable:
            remote = []
        return to_undo([*remote, *self.changes()])

    def undo_all(self, undo: Callable[[Change], Restoration], clock: Clock) -> list[Restoration]:
        """Undo every open change, last one first.

        One that fails is tried again until `UNDO_WITHIN_S` have passed for all faults together, and then for all
        others, and holds back only those made before it that touch the same.
        """
        until_s = _limits(clock)
        found = in_order(
            self.open_changes(), lambda change: self.settle(change, undo, clock, give_up_s=until_s(change)), clock
        )
        return [*found, *self._forget_undone(clock, clock.now() + UNDO_WITHIN_S)]

    def _forget_undone(self, clock: Clock, give_up_s: float) -> list[Restoration]:
        """Delete the documents of changes that the disk knows as undone: whoever undid them died just before that.

        Answers those that could not be deleted; their undoing has been recorded already.
        """
        undone = [change for change in self.changes() if not change.stage.open]
        if not undone:
            return []
        kept: set[str] = set()
        try:
            persistently(lambda: kept.update(self._store.names(_PREFIX)), clock, give_up_s)
            for change in undone:
                if change.name in kept:
                    persistently(lambda name=change.name: self._store.delete(name), clock, give_up_s)
        except Unreachable as error:
            text = f"undone, and whether that is written down in the target environment is not known: {error}"
            return [Restoration(undone[-1], restored=False, text=text, at_s=clock.now())]
        return []

    def settle(
        self, change: Change, undo: Callable[[Change], Restoration], clock: Clock, *, give_up_s: float | None = None
    ) -> Restoration:
        """Undo one change and write down how that went; raises nothing that would keep others from being undone."""
        until_s = clock.now() + UNDO_WITHIN_S if give_up_s is None else give_up_s
        # A fault may be what keeps the lock from being looked at; to end it does nobody harm, whose ever it is.
        own = _not_looked_at if change.action == FAULT else self._own
        try:
            found = attempt(change, undo, clock, own, give_up_s=until_s)
        except LockLost as error:
            return Restoration(change, restored=False, text=str(error), at_s=clock.now())
        return self._settled(found, clock, until_s)

    def _settled(self, found: Restoration, clock: Clock, give_up_s: float) -> Restoration:
        """Write an attempt down; it counts as restored once the target environment no longer asks for it."""
        change = found.change.at(Stage.UNDONE if found.restored else Stage.STUCK, "" if found.restored else found.text)
        text = found.text
        try:
            append_line(self._path, change.as_document(), durable=True)
        except FolderError as error:
            text = f"{text}; the run's own journal could not be written: {error}"
        try:
            if found.restored:
                persistently(lambda: self._store.delete(change.name), clock, give_up_s)
            else:
                # Whoever has the lock by now may have undone it: written down again it would be undone once more.
                self._own()
                self._store.put(change.name, change.as_document())
        except (LockLost, Unreachable) as error:
            return replace(found, restored=False, text=f"{text}; and that could not be written down: {error}")
        return replace(found, text=text)

    def _write(self, change: Change) -> None:
        append_line(self._path, change.as_document(), durable=True)
        self._store.put(change.name, change.as_document())

    def _write_off(self, change: Change, why: str) -> None:
        append_line(self._path, change.at(Stage.UNDONE, why).as_document(), durable=True)
        self._store.delete(change.name)


def recover(
    store: StateStore, undo: Callable[[Change], Restoration], clock: Clock, own: Callable[[], None]
) -> list[Restoration]:
    """Undo what any run has left open in a target environment, from its own documents alone.

    What one region holds is undone while another is away, which that may bring back: it is looked again until nothing
    is found, which no region that is away can answer, or something stays.

    Args:
        store: Where the documents are.
        undo: Undoes one change.
        clock: Times the tries.
        own: Looks whether the lock is still the caller's, as for `Journal`: the documents of a run that lives are
            among the others.

    Raises:
        LockLost: When the environment is someone else's; then nothing more is undone.
        Unreachable: When it cannot be asked what there is, or once all is undone that may be although one of its
            documents cannot be read.
    """
    found: list[Restoration] = []
    while True:
        own()
        left = _look(store)
        seen = _undo_what_is_seen(left, store, undo, clock, own)
        found += seen
        if not seen or not all(undone.restored for undone in seen):
            break
    if left.unread:
        undone = sum(one.restored for one in found)
        stuck = [f"{one.change.action} is not undone: {one.text}" for one in found if not one.restored]
        told = [*(one.told for one in left.unread), f"{undone} other changes were undone", *stuck]
        raise Unreachable("; ".join(told))
    return found


def _undo_what_is_seen(
    left: _Left, store: StateStore, undo: Callable[[Change], Restoration], clock: Clock, own: Callable[[], None]
) -> list[Restoration]:
    until_s = _limits(clock)

    def settle(change: Change) -> Restoration:
        give_up_s = until_s(change)
        if not left.may_be_undone(change):
            text = "left as it is, since a document that cannot be read may be about a change that was made after it"
            return Restoration(change, restored=False, text=text, at_s=clock.now())
        look = partial(_look_past_a_fault, own) if change.action == FAULT else own
        found = attempt(change, undo, clock, look, give_up_s=give_up_s)
        if found.restored:
            for name in left.names_of(change):
                persistently(partial(store.delete, name), clock, give_up_s)
        else:
            own()
            store.put(change.name, change.at(Stage.STUCK, found.text).as_document())
        return found

    return in_order(to_undo(left.changes.values()), settle, clock)


def _limits(clock: Clock) -> Callable[[Change], float]:
    """Until when each change is tried: what a fault held down has its own time, once that is over."""
    ends: dict[bool, float] = {}
    return lambda change: ends.setdefault(change.action == FAULT, clock.now() + UNDO_WITHIN_S)


def in_order(changes: Sequence[Change], settle: Callable[[Change], Restoration], clock: Clock) -> list[Restoration]:
    """Undo changes, last one first; one that touches what a later one still has changed is left as it is.

    A slot is not cleared while the traffic that was sent there could not be taken back.
    """
    restorations: list[Restoration] = []
    for change in changes:
        held = next((r.change for r in restorations if not r.restored and r.change.concerns(change)), None)
        if held is None:
            restorations.append(settle(change))
        else:
            text = f"left as it is while {held.action} is not undone"
            restorations.append(Restoration(change, restored=False, text=text, at_s=clock.now()))
    return restorations


def left_behind(store: StateStore) -> list[Change]:
    """The open changes of all runs, as the target environment knows them; without what is none that can be read.

    Raises:
        Unreachable: When it does not answer.
    """
    return list(_look(store).changes.values())


def is_anything_left(store: StateStore) -> bool:
    """Whether any run has left a document there, be it one that cannot be read.

    Raises:
        Unreachable: When it does not answer.
    """
    return bool(store.names(_PREFIX))


@dataclass(frozen=True, slots=True)
class _Unread:
    """A document that is no change which this version knows.

    Attributes:
        told: Which, why, and what to do.
        order: Fencing token and sequence of what it is about; later than everything where it does not say.
    """

    told: str
    order: tuple[float, float]


@dataclass(frozen=True, slots=True)
class _Left:
    """What runs have left in a target environment.

    Attributes:
        changes: By the name of the document that each is in; somebody may have kept a copy under another.
        unread: Documents beside them.
    """

    changes: Mapping[str, Change]
    unread: Sequence[_Unread]

    def may_be_undone(self, change: Change) -> bool:
        """Whether nothing that cannot be read was made after it; to end a fault does nobody harm."""
        return change.action == FAULT or all((change.fencing, change.sequence) > one.order for one in self.unread)

    def names_of(self, change: Change) -> list[str]:
        """All documents about it."""
        key = change.run_id, change.sequence
        return [name for name, other in self.changes.items() if (other.run_id, other.sequence) == key]


def _look(store: StateStore) -> _Left:
    changes: dict[str, Change] = {}
    unread: list[_Unread] = []
    for name in store.names(_PREFIX):
        if (document := store.get(name)) is None:
            continue
        try:
            changes[name] = Change.from_document(document)
        except ValueError as error:
            told = (
                f"the document {name} in the target environment is no change that this version knows ({error}): "
                "recover with the version that made it, or look at it and delete it by hand"
            )
            unread.append(_Unread(told, (_order(document, "fencing"), _order(document, "sequence"))))
    return _Left(changes, unread)


def _order(document: Mapping[str, Any], key: str) -> float:
    found = document.get(key)
    return found if isinstance(found, int) else math.inf


def attempt(
    change: Change, undo: Callable[[Change], Restoration], clock: Clock, own: Callable[[], None], *, give_up_s: float
) -> Restoration:
    """Undo one change, again and again while the system does not answer or does not show it.

    The lock is looked at before every try: its new holder undoes the same, and then begins with changes of his own.
    Whatever else goes wrong becomes a restoration that failed, so that the others are still undone.

    Raises:
        LockLost: When the environment is someone else's by now; then it is not tried again.
    """
    while True:
        try:
            own()
            found = undo(change)
        except Unreachable as error:
            found = Restoration(change, restored=False, text=str(error), at_s=clock.now())
        except LockLost:
            raise
        except Exception as error:  # noqa: BLE001 -- one undo that raises must not keep the others from being done
            return Restoration(change, restored=False, text=f"{type(error).__name__}: {error}", at_s=clock.now())
        if found.restored or clock.now() >= give_up_s:
            return found
        clock.sleep(_PACE_S)


def persistently(ask: Callable[[], _Answer], clock: Clock, give_up_s: float) -> _Answer:
    """Ask until it is answered.

    Raises:
        Unreachable: When it is not, by then.
    """
    while True:
        try:
            return ask()
        except Unreachable:
            if clock.now() >= give_up_s:
                raise
        clock.sleep(_PACE_S)


def _not_looked_at() -> None:
    """Whoever has the lock."""


def _look_past_a_fault(own: Callable[[], None]) -> None:
    """That the lock cannot be seen may be this fault's doing; one that is seen to be someone else's counts."""
    with suppress(Unreachable):
        own()
