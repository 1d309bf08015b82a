"""Rows to prove a migration with, and the migration itself: up or down, and back to where it was."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from drillbook.ports import Conflict, Observation

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from drillbook.domain.migration.settings import ProofSettings
    from drillbook.ports import Clock
    from drillbook.ports.migration import LockWatching, MigratedTable, Migrator


SEED, MIGRATE = "seed-rows", "migrate"
MIGRATION_ACTIONS = frozenset({SEED, MIGRATE})


@dataclass(frozen=True, slots=True)
class Seed:
    """Enough rows that a rewrite or a scan under a lock would be felt.

    Attributes:
        database: Takes them.
        clock: The run's.
        rows: How many there have to be.
        deadline_s: For them to be there.
    """

    database: MigratedTable
    clock: Clock
    rows: int
    deadline_s: float = 300.0

    @property
    def name(self) -> str:
        """Its registered name."""
        return SEED

    @property
    def arguments(self) -> Mapping[str, Any]:
        """What it was made with."""
        return {"rows": self.rows}

    @property
    def touches(self) -> tuple[str, ...]:
        """The database."""
        return ("database",)

    def describe(self) -> str:
        """In words."""
        return f"add {self.rows} rows that nobody but the drill reads"

    def capture(self) -> Mapping[str, Any]:
        """How many there are; those of a drill that died are used, and removed in the end.

        Raises:
            Conflict: When what is added could not be removed.
        """
        rows = self.database.contents()[0]
        if not rows:
            self.database.try_seed()
        return {"rows": rows}

    def do(self) -> None:
        """Add those that lack."""
        self.database.seed(self.rows)

    def observe(self) -> Observation:
        """Count them, once they are archived too: until then the database works on them, and its users feel it."""
        if left := self.database.left_to_archive():
            return Observation(False, left, self.clock.now())
        rows, total = self.database.contents()
        return Observation(
            rows >= self.rows, f"there are {rows} such rows", self.clock.now(), {"rows": rows, "sum": total}
        )

    def undo(self, before: Mapping[str, Any]) -> None:
        """Remove all of them, whoever added them."""
        del before
        self.database.remove_seed()

    def observe_undone(self, before: Mapping[str, Any]) -> Observation:
        """Whether none is left."""
        del before
        rows, _ = self.database.contents()
        return Observation(rows == 0, f"there are {rows} such rows", self.clock.now(), {"rows": rows})


@dataclass(frozen=True, slots=True)
class Migrate:
    """The schema to another revision; in effect once the database itself says so.

    What revisions are called says nothing of their order: Alembic's are random. So the way is known between two of them
    alone, and they are written down with the change, since the environment may prove another migration later on.

    Attributes:
        migrator: Takes it there.
        database: Says where it is.
        clock: The run's.
        to: The revision: one of the two that follow.
        before: The revision from which the migration that is proved goes up.
        after: The one to which it does.
        deadline_s: For the way there, and again for the way back.
    """

    migrator: Migrator
    database: MigratedTable
    clock: Clock
    to: str
    before: str
    after: str
    deadline_s: float = 120.0

    @property
    def name(self) -> str:
        """Its registered name."""
        return MIGRATE

    @property
    def arguments(self) -> Mapping[str, Any]:
        """What it was made with."""
        return {"to": self.to, "before": self.before, "after": self.after}

    @property
    def touches(self) -> tuple[str, ...]:
        """The database."""
        return ("database",)

    def describe(self) -> str:
        """In words."""
        return f"take the schema to {self.to}"

    def capture(self) -> Mapping[str, Any]:
        """Where it is.

        Raises:
            Conflict: When nobody knows the way from there, nor the way back.
        """
        found = self.database.revision()
        if found not in {self.before, self.after}:
            raise Conflict(
                f"the schema is at {found or 'no revision'}, which is neither migrations.proof.before ({self.before}) "
                f"nor migrations.proof.after ({self.after}): name the revisions that the releases need, or take the "
                "schema to one of these by hand"
            )
        return {"revision": found}

    def do(self) -> None:
        """Go there, up or down."""
        self._go(self.database.revision(), self.to)

    def observe(self) -> Observation:
        """Where the database says that it is."""
        return self._at(self.to)

    def undo(self, before: Mapping[str, Any]) -> None:
        """Go back to where it was.

        Raises:
            Conflict: When it is at a revision that is neither what it was nor what this change made of it, or nobody
                has written down which way leads back.
        """
        now, former = self.database.revision(), str(before["revision"])
        if now not in {former, self.to}:
            raise Conflict(
                f"the schema is at {now}, which is neither where it was ({former}) nor where this change took it "
                f"({self.to}): somebody else has migrated it since, or the way stopped in its midst, so it is left; "
                "migrate it by hand"
            )
        self._go(now, former)

    def observe_undone(self, before: Mapping[str, Any]) -> Observation:
        """Whether it is where it was."""
        return self._at(str(before["revision"]))

    def _go(self, now: str, to: str) -> None:
        ways = {(self.before, self.after): "upgrade", (self.after, self.before): "downgrade"}
        if now == to:
            return
        if (now, to) not in ways:
            raise Conflict(
                f"it is not known which way leads from {now or 'no revision'} to {to or 'no revision'}, but only "
                f"between {self.before} and {self.after}, so the schema is left: take it there by hand"
            )
        self.migrator.run(ways[now, to], to, deadline_s=self.deadline_s)

    def _at(self, wanted: str) -> Observation:
        found = self.database.revision()
        elsewhere = "" if found == wanted else f", and was to be at {wanted or 'no revision'}"
        text = f"the schema is at {found or 'no revision'}{elsewhere}"
        return Observation(found == wanted, text, self.clock.now(), {"revision": found})


@dataclass(frozen=True, slots=True)
class Migrated:
    """The database of an environment whose migrations are proved.

    Attributes:
        settings: How.
        database: The table that they are proved on.
        migrator: The platform's own way to migrate.
        clock: The run's.
        watched: Who looks at its locks, from when it is started until it is ended, and keeps each look in a file.
    """

    settings: ProofSettings
    database: MigratedTable
    migrator: Migrator
    clock: Clock
    watched: Callable[[Path], LockWatching]

    def seed(self, rows: int) -> Seed:
        """The action that adds rows."""
        return Seed(self.database, self.clock, rows)

    def migrate(self, to: str) -> Migrate:
        """The action that takes the schema to one of the two revisions of the migration that is proved."""
        return self._migrate(to, self.settings.before, self.settings.after)

    def make(self, name: str, arguments: Mapping[str, Any]) -> Seed | Migrate:
        """One of them, made again from the undo journal."""
        if name == SEED:
            return self.seed(int(arguments["rows"]))
        # An older version has not written down between which revisions it went.
        before, after = arguments.get("before", self.settings.before), arguments.get("after", self.settings.after)
        return self._migrate(str(arguments["to"]), str(before), str(after))

    def _migrate(self, to: str, before: str, after: str) -> Migrate:
        return Migrate(self.migrator, self.database, self.clock, to, before, after, self.settings.deadline_s)
