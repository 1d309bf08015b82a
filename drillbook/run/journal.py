"""The write-ahead undo journal: on disk and in the target environment before anything is changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drillbook.domain.undo import Change, Restoration, Stage, latest, to_undo
from drillbook.run.folder import append_line, read_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from drillbook.ports import Clock, StateStore

_PREFIX = "undo-"


class Journal:
    """The journal of one run.

    Each state of each change is a line on disk (fsync) and the last state of each open change is a document in the
    target environment; a change that was undone and verified is deleted there and kept on disk, as evidence.
    """

    def __init__(self, path: Path, store: StateStore, run_id: str, fencing: int) -> None:
        """Open or continue the journal.

        Args:
            path: `undo.jsonl` of the run's folder.
            store: Documents in the target environment.
            run_id: Whose journal.
            fencing: Token of the lock that the run holds.
        """
        self._path = path
        self._store = store
        self._run_id = run_id
        self._fencing = fencing

    def intend(self, action: str, arguments: Mapping[str, Any], drill: str) -> Change:
        """Write a change down; returns once it is on the disk and in the target environment.

        Raises:
            FolderError: When the disk does not take it; then nothing may be changed.
            Unreachable: When the target environment does not take it; likewise.
        """
        sequence = max((change.sequence for change in self.changes()), default=0) + 1
        change = Change(sequence, self._run_id, drill, action, arguments, self._fencing)
        self._write(change)
        return change

    def done(self, change: Change) -> None:
        """The system has accepted the change."""
        self._write(change.at(Stage.DONE))

    def changes(self) -> list[Change]:
        """The last state of every change of this run."""
        return latest(Change.from_document(line) for line in read_lines(self._path))

    def open_changes(self) -> list[Change]:
        """Those that may still be in the system, last one first."""
        return to_undo(self.changes())

    def undo_all(self, undo: Callable[[Change], Restoration], clock: Clock) -> list[Restoration]:
        """Undo every open change, last one first, and go on after an error."""
        return [self.settle(change, undo, clock) for change in self.open_changes()]

    def settle(self, change: Change, undo: Callable[[Change], Restoration], clock: Clock) -> Restoration:
        """Undo one change and write down how that went."""
        restoration = attempt(change, undo, clock)
        settled = change.at(Stage.UNDONE if restoration.restored else Stage.STUCK, restoration.text)
        append_line(self._path, settled.as_document(), durable=True)
        if restoration.restored:
            self._store.delete(change.name)
        else:
            self._store.put(change.name, settled.as_document())
        return restoration

    def _write(self, change: Change) -> None:
        append_line(self._path, change.as_document(), durable=True)
        self._store.put(change.name, change.as_document())


def recover(store: StateStore, undo: Callable[[Change], Restoration], clock: Clock) -> list[Restoration]:
    """Undo what any run has left open in a target environment, from its own documents alone."""
    restorations: list[Restoration] = []
    for change in to_undo(left_behind(store)):
        restoration = attempt(change, undo, clock)
        if restoration.restored:
            store.delete(change.name)
        else:
            store.put(change.name, change.at(Stage.STUCK, restoration.text).as_document())
        restorations.append(restoration)
    return restorations


def left_behind(store: StateStore) -> list[Change]:
    """The open changes of all runs, as the target environment knows them."""
    documents = [store.get(name) for name in store.names(_PREFIX)]
    return [Change.from_document(document) for document in documents if document is not None]


def attempt(change: Change, undo: Callable[[Change], Restoration], clock: Clock) -> Restoration:
    """Undo one change; whatever goes wrong becomes a restoration that failed, so that the others are still undone."""
    try:
        return undo(change)
    except Exception as error:  # noqa: BLE001 -- one undo that raises must not keep the others from being done
        return Restoration(change, restored=False, text=f"{type(error).__name__}: {error}", at_s=clock.now())
