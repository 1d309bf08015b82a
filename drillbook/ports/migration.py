"""What the proof of a migration needs of the outside, beside `drillbook.ports`; `drillbook.drivers` implements it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from drillbook.domain.migration.backfill import Filling
    from drillbook.domain.migration.locks import Look


class MigratedTable(Protocol):
    """The table that a migration is proved on, by the database's own protocol; all raise Unreachable."""

    def revision(self) -> str:
        """At which revision the schema is; empty before the first."""
        ...

    def try_seed(self) -> None:
        """Add a row and remove it, and take both back; raises Conflict when it would stay."""
        ...

    def seed(self, rows: int) -> None:
        """Add rows until there are so many. Idempotent."""
        ...

    def left_to_archive(self) -> str:
        """In words, what is written and not archived; empty for nothing, or where nothing is archived."""
        ...

    def remove_seed(self) -> None:
        """Take them away. Idempotent."""
        ...

    def contents(self) -> tuple[int, int]:
        """Number and checksum of those rows."""
        ...

    def invalid_indexes(self) -> Sequence[str]:
        """Names of the indexes that no query may use."""
        ...

    def backfilled(self) -> int:
        """How many rows a back-fill has gone over; 0 before the first."""
        ...

    def filling(self, since: str) -> Filling:
        """How far those rows are filled, and how many that were in the snapshot `since`, or in any, are unchanged."""
        ...

    def size(self) -> int:
        """Number of all its rows, whoever added them."""
        ...

    def writers(self) -> frozenset[str]:
        """Names of the transactions that write to it and are under way."""
        ...

    def look(self, now: Callable[[], float]) -> Look:
        """Who waits for whom, over a connection that is kept."""
        ...

    def stop_looking(self) -> None:
        """Give that connection back. Idempotent."""
        ...

    def long_transaction(self) -> AbstractContextManager[None]:
        """A transaction that has read the table and stays open meanwhile."""
        ...


class LockWatching(Protocol):
    """Looks at a database's locks at a stated rate."""

    unanswered: list[str]
    """Why the first looks that were not answered were not; known in the end."""

    def start(self) -> None:
        """Begin."""
        ...

    def end(self) -> None:
        """Look no more; returns once the last look is kept, raises Unreachable when it is not. Idempotent."""
        ...


class Migrator(Protocol):
    """The platform's own way to migrate."""

    def run(self, way: str, to: str, *, deadline_s: float) -> str:
        """`upgrade` or `downgrade` to a revision; answers what it said last, raises Unreachable when it fails."""
        ...

    def start(self, way: str, to: str) -> RunningMigrator:
        """Likewise, without waiting for its end."""
        ...


class RunningMigrator(Protocol):
    """The platform's own way to migrate while it runs."""

    def finish(self, deadline_s: float) -> str:
        """Wait for its end; answers what it said last, raises Unreachable when it fails."""
        ...

    def kill(self) -> None:
        """End it with SIGKILL, wherever it is, and what it has started; raises Unreachable when some of that stays."""
        ...

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        ...
