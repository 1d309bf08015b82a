"""One migration up, down and up again under load, with what it leaves noted after each way."""

from __future__ import annotations

import threading
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from drillbook.domain.migration.proof import Contents, Step
from drillbook.domain.migration.settings import ADVERSARY
from drillbook.ports import Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from drillbook.ports import Clock
    from drillbook.ports.migration import MigratedTable, Migrator

_TAKES_HOLD_WITHIN_S = 10.0
_ENDS_WITHIN_S = 10.0
_LOOKS_EVERY_S = 0.02


class NotHeld(Exception):
    """What the migration was to meet, a transaction or its own death, did not come about; the text says why."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What is done; what it shows is computed from what is noted.

    Attributes:
        database: The table.
        migrator: The platform's own way to migrate.
        clock: The run's.
        note: Keeps a fact under a kind: `step`, `contents`, `filling`, `killed` ...
        after: The revision to which the migration goes up; to any other one it goes down.
        deadline_s: For one way.
    """

    database: MigratedTable
    migrator: Migrator
    clock: Clock
    note: Callable[[str, Mapping[str, Any]], None]
    after: str
    deadline_s: float = 120.0

    def read(self) -> Contents:
        """Note what the table holds, and whether an index is invalid.

        Raises:
            Unreachable: When the database does not answer.
        """
        found = Contents(self.clock.now(), *self.database.contents())
        self.note("contents", {**asdict(found), "sum": str(found.sum)})
        self.note("indexes", {"at_s": self.clock.now(), "invalid": list(self.database.invalid_indexes())})
        return found

    def go(self, name: str, to: str) -> Step:
        """One way; that it failed is noted as well, and decides the verdict.

        Where the schema is already, nothing is done: that way is not gone.

        Raises:
            Unreachable: When the database does not answer.
        """
        start_s, began = self.clock.now(), self.database.revision()
        said, failed = "", False
        if began != to:
            said, failed = self._tried("upgrade" if to == self.after else "downgrade", to)
        step = Step(name, start_s, self.clock.now(), to, self.database.revision(), said, began, failed)
        self.note("step", asdict(step))
        self.read()
        return step

    def kill_a_backfill(self, at_rows: int) -> str:
        """Start a back-fill and end it with SIGKILL once so many of the drill's rows are filled.

        Returns:
            The snapshot in which the table was read afterwards.

        Raises:
            NotHeld: When it ended by itself before, or made no progress.
            Unreachable: When it cannot be started, or failed before.
        """
        self._note_filling("before", "")
        running = self.migrator.start("backfill", "")
        give_up_s = self.clock.now() + self.deadline_s
        try:
            while (done := self._filled(at_rows)) < at_rows and running.alive:
                if self.clock.now() > give_up_s:
                    raise NotHeld(f"the back-fill did {done} rows in {self.deadline_s:g} s, and not {at_rows}")
                self.clock.sleep(_LOOKS_EVERY_S)
            if not running.alive:
                said = running.finish(_ENDS_WITHIN_S)
                raise NotHeld(
                    f"the back-fill ended by itself with {done} rows done, and was to be killed at {at_rows}: {said}"
                )
        finally:
            running.kill()
        self.note("killed", {"at_s": self.clock.now(), "rows": self.database.backfilled()})
        return self._note_filling("killed", "", settled=self._ended(self.database.writers()))

    def finish_the_backfill(self, since: str) -> str:
        """Start it again and wait for its end; how far it came is noted, also when it fails.

        Args:
            since: The snapshot in which the table was read after the kill.

        Returns:
            What it said when it failed; empty when it did not.

        Raises:
            Unreachable: When the database does not answer.
        """
        said, failed = self._tried("backfill")
        fact = {"at_s": self.clock.now(), "rows": self.database.backfilled(), "text": said, "failed": failed}
        self._note_filling("done", since)
        self.note("backfilled", {**fact, "there": self.database.size()})
        return said if failed else ""

    def _filled(self, at_rows: int) -> int:
        """Rows that are filled by what the back-fill says, and once that is enough, by what the table says.

        The table takes long to ask, and the back-fill counts rows that are not the drill's.
        """
        said = self.database.backfilled()
        return said if said < at_rows else self.database.filling("").filled

    def _ended(self, writing: frozenset[str]) -> bool:
        """Whether these transactions end in time: a server goes on with what a client that died had sent to it."""
        give_up_s = self.clock.now() + _ENDS_WITHIN_S
        while still := writing & self.database.writers():
            if self.clock.now() > give_up_s:
                break
            self.clock.sleep(_LOOKS_EVERY_S)
        return not still

    def _note_filling(self, when: str, since: str, **more: bool) -> str:
        found = self.database.filling(since)
        self.note("filling", {"when": when, "at_s": self.clock.now(), **asdict(found), **more})
        return found.snapshot

    def try_to_contract(self) -> None:
        """Ask for a step that ends an older release; that it was refused, and where the schema is then, is noted.

        Raises:
            Unreachable: When the database does not answer.
        """
        start_s, before = self.clock.now(), self.database.revision()
        said, failed = self._tried("contract")
        fact = {"start_s": start_s, "end_s": self.clock.now(), "before": before, "after": self.database.revision()}
        self.note("contract", {**fact, "text": said, "failed": failed})

    def _tried(self, way: str, to: str = "") -> tuple[str, bool]:
        """What it said last, and whether it failed."""
        try:
            return self.migrator.run(way, to, deadline_s=self.deadline_s), False
        except Unreachable as error:
            return str(error), True

    def go_behind_a_long_transaction(self, name: str, to: str, for_s: float) -> Step:
        """The same while somebody's transaction keeps the table, until the migration has queued for so many seconds.

        Raises:
            NotHeld: When the transaction was not open in time, or not as long as it was to be.
            Unreachable: When the database does not answer.
        """
        held, ended = threading.Event(), threading.Event()
        problems: list[str] = []

        def hold() -> None:
            try:
                with self.database.long_transaction():
                    held.set()
                    # A migration takes a while to start; what it never meets shows nothing.
                    while not self._queues() and not ended.wait(_LOOKS_EVERY_S):
                        pass
                    ended.wait(for_s)
            except Unreachable as error:
                problems.append(str(error))

        adversary = threading.Thread(target=hold, name="adversary")
        adversary.start()
        try:
            if not held.wait(_TAKES_HOLD_WITHIN_S):
                raise NotHeld("; ".join(problems) or f"it was not open within {_TAKES_HOLD_WITHIN_S:g} s")
            step = self.go(name, to)
        finally:
            ended.set()
            adversary.join()
        # A server that ends idle transactions has let the migration go on before its time.
        if problems:
            raise NotHeld(f"the long transaction was not open all the time: {problems[0]}")
        return step

    def _queues(self) -> bool:
        """Whether anybody waits behind the long transaction."""
        return any(ADVERSARY in wait.behind for wait in self.database.look(self.clock.now).waits)
