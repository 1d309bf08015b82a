"""A table is destroyed on purpose, found to be, and put back from a backup alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from drillbook.domain.restored import Restored
from drillbook.ports import Conflict, Observation, Unreachable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from drillbook.domain.pgbackrest import Backup
    from drillbook.ports import BackupHost, Clock, LosableTable

IN_A_ROW = 3
"""Looks that find no table before it counts as destroyed: a migration may be about to make it again."""


@dataclass(frozen=True, slots=True)
class DestroyedTable:
    """A table is taken from its users as a migration that drops it does; what was in it is kept aside as the undo.

    Attributes:
        table: Which.
        home: Region whose database takes writes.
        away: Region of its standby, where it is seen.
        clock: The run's.
    """

    table: LosableTable
    home: str
    away: str
    clock: Clock

    def describe(self) -> str:
        """In words."""
        return f"destroy {self.table.name} in the database"

    def inject(self) -> None:
        """In one transaction."""
        self.table.destroy()

    def bit(self) -> Observation:
        """Whether the standby has lost it too, to which nobody but the primary's log has told it."""
        found = self.table.state(self.away)
        text = f"in {self.away}, {found.said(self.table.name)}"
        return Observation(found.aside and not found.live, text, self.clock.now(), {"moment": found.moment})

    def undo(self) -> None:
        """Bring it back; what was put back from a backup stays."""
        self.table.bring_back()

    def undone(self) -> Observation:
        """Whether the standby has it and nothing is kept aside."""
        found = self.table.state(self.away)
        text = f"in {self.away}, {found.said(self.table.name)}"
        return Observation(found.live and not found.kept, text, self.clock.now())


@dataclass(slots=True)
class DetectDestroyed:
    """Ask the database for the table until it has none for several looks in a row.

    Attributes:
        table: Which.
        region: Whose database.
        clock: The run's.
        in_a_row: So many.
    """

    table: LosableTable
    region: str
    clock: Clock
    in_a_row: int = IN_A_ROW
    _missed: int = 0

    def describe(self) -> str:
        """In words."""
        return f"look whether {self.table.name} is there"

    def observe(self) -> Observation:
        """Look once."""
        found = self.table.state(self.region)
        self._missed = 0 if found.live else self._missed + 1
        text = f"{self.table.name} was not there in {self._missed} of {self.in_a_row} looks in a row"
        return Observation(self._missed >= self.in_a_row, text, self.clock.now(), {"in_a_row": self._missed})


def usable(backups: tuple[Backup, ...], moment_s: float) -> Backup | None:
    """The backup that a recovery to a moment begins with: the last good one that had ended before; None without one."""
    found = [backup for backup in backups if backup.stopped_s < moment_s and not backup.faulty]
    return max(found, key=lambda backup: backup.stopped_s, default=None)


@dataclass(frozen=True, slots=True)
class RestoreTable:
    """Restore a backup beside the database to just before a table was destroyed, and put the table back.

    Attributes:
        backups: Where that is done.
        table: Which.
        home: Region whose database takes writes.
        away: Region of its standby, where it is seen.
        clock: The run's.
        mark: Makes what works at it one that nothing else is.
        key: The repository, and no other.
        moment: As the database reads times.
        written: Query for the key and a hash of what is compared.
        deadline_s: For the standby to have it, once it was put back.
    """

    backups: BackupHost
    table: LosableTable
    home: str
    away: str
    clock: Clock
    mark: str
    key: int
    moment: str
    written: str
    deadline_s: float = 60.0
    _printed: list[str] = field(default_factory=list[str])

    @property
    def name(self) -> str:
        """Its registered name."""
        return "restore-table"

    @property
    def arguments(self) -> Mapping[str, Any]:
        """What it was made with."""
        return {"mark": self.mark, "key": self.key, "moment": self.moment, "written": self.written}

    @property
    def touches(self) -> tuple[str, ...]:
        """The table."""
        return (f"table/{self.table.name}",)

    @property
    def printed(self) -> str:
        """What was seen of the restore; empty before it has come to its end."""
        return "".join(self._printed)

    def describe(self) -> str:
        """In words."""
        return f"restore repository {self.key} to {self.moment} beside the database, and put {self.table.name} back"

    def capture(self) -> Mapping[str, Any]:
        """Nothing but that it is gone.

        Raises:
            Conflict: When it is not: then nothing may be put over it.
        """
        found = self.table.state(self.home)
        if found.live:
            raise Conflict(f"{found.said(self.table.name)}: nothing is put back over it")
        return {}

    def do(self) -> None:
        """One job does both, and what it puts back is there as a whole or not at all.

        Raises:
            Unreachable: When it does not come to its end, or has put nothing back.
        """
        self._printed.append(self.backups.put_back(self.mark, self.key, self.moment, self.written, self.table))
        found = Restored.printed(self.printed)
        failed = next((rung for rung in ("restore", "recovery", "put-back") if not found.holds(rung)), None)
        if failed is not None:
            raise Unreachable(f"{self.table.name} was not put back: {failed}: {found.words(failed) or 'not come to'}")

    def observe(self) -> Observation:
        """Whether the standby has it."""
        found = self.table.state(self.away)
        return Observation(found.live, f"in {self.away}, {found.said(self.table.name)}", self.clock.now())

    def undo(self, before: Mapping[str, Any]) -> None:  # noqa: ARG002 - there is no state to put back to
        """Whoever still works at it is stopped; what is put back stays: it may have taken writes since."""
        self.backups.abandon(self.mark)

    def observe_undone(self, before: Mapping[str, Any]) -> Observation:  # noqa: ARG002
        """Whether nobody works at it any more."""
        working = self.backups.working(self.mark)
        text = f"{'somebody' if working else 'nobody'} works at putting {self.table.name} back"
        return Observation(not working, text, self.clock.now())
