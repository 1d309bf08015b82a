"""A PostgreSQL database while a migration runs on it: rows to prove it with, their checksum, and who waits for whom."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, LiteralString, cast

import psycopg
from psycopg import errors, sql

from drillbook.domain.migration.backfill import Filling
from drillbook.domain.migration.locks import Held, Look, Wait
from drillbook.domain.migration.settings import ADVERSARY
from drillbook.drivers.libpq import patience
from drillbook.ports import Conflict, Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from drillbook.domain.migration.settings import Table

_CONNECT_S = 5
_SEEDED_AT_ONCE = 100_000
# What the drill reads, it reads on one processor: the platform's users have the others.
_OPTIONS = (
    "-c TimeZone=UTC -c extra_float_digits=3 -c max_parallel_workers_per_gather=0 -c statement_timeout={statement_ms}"
)
_LOOK_WITHIN_MS = 2000
_READ_WITHIN_MS = 300_000

_WAITS = """
SELECT lock.pid, lock.waitstart::text, who.application_name,
       greatest(0, extract(epoch FROM clock_timestamp() - lock.waitstart))::float8, lock.mode,
       coalesce(lock.relation::regclass::text, ''),
       (SELECT coalesce(array_agg(DISTINCT other.application_name), '{}') FROM pg_stat_activity AS other
        WHERE other.pid = ANY (pg_blocking_pids(lock.pid)))
FROM pg_locks AS lock JOIN pg_stat_activity AS who ON who.pid = lock.pid
WHERE NOT lock.granted AND lock.waitstart IS NOT NULL AND who.datname = current_database()
"""
_HELD = """
SELECT lock.pid, who.application_name, lock.relation::regclass::text, lock.virtualtransaction
FROM pg_locks AS lock JOIN pg_stat_activity AS who ON who.pid = lock.pid
     JOIN pg_class AS class ON class.oid = lock.relation
WHERE lock.granted AND lock.mode = 'AccessExclusiveLock' AND class.relkind IN ('r', 'p')
      AND lock.database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
# Every backend's name is told to everybody.
_CONNECTED = """
SELECT DISTINCT coalesce(application_name, '') FROM pg_stat_activity WHERE datname = current_database() ORDER BY 1
"""
_FILLING = """
SELECT count(*), count(*) FILTER (WHERE filled), count(*) FILTER (WHERE filled AND kept), pg_current_snapshot()::text
FROM (SELECT ({unfilled}) IS NOT TRUE AS filled, {kept} AS kept FROM {table} WHERE {seeded}) AS seeded
"""
_NEWEST = "(SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint)"
# A row has the last 32 bits of the transaction that wrote it, a snapshot has all: it is the last that ends like that.
_KEPT = (
    f"pg_visible_in_snapshot(({_NEWEST} - (({_NEWEST} - xmin::text::bigint) & 4294967295))::text::xid8,"
    " {since}::pg_snapshot)"
)
_WRITERS = """
SELECT virtualtransaction FROM pg_locks
WHERE relation = quote_ident({name})::regclass AND mode = 'RowExclusiveLock'
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
# The segment that is being written is archived later, when it is full.
_ARCHIVED = """
SELECT pg_walfile_name(pg_current_wal_lsn() - wal.size), archiver.last_archived_wal, current_setting('archive_mode')
FROM pg_stat_archiver AS archiver, (SELECT pg_size_bytes(current_setting('wal_segment_size')) AS size) AS wal
"""
_INVALID = "SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid OR NOT indisready ORDER BY 1"


@dataclass(slots=True)
class MigratedDatabase:
    """The database, by its own protocol.

    Attributes:
        address: libpq's, without a password.
        password: Gives it when it is needed; may be empty.
        table: What the migration is proved on.
        progress: SQL that answers how many rows a back-fill has gone over; may be empty.
    """

    address: str
    password: Callable[[], str]
    table: Table
    progress: str = ""
    _looking: psycopg.Connection[Any] | None = field(default=None, repr=False)

    def revision(self) -> str:
        """The schema's, as Alembic keeps it; empty when no migration has run.

        Raises:
            Unreachable: When the database does not answer.
        """
        with self._asking("say at which revision it is") as connection:
            try:
                row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
            except errors.UndefinedTable:
                return ""
        return "" if row is None else str(row[0])

    def try_seed(self) -> None:
        """Add a row and remove it as `remove_seed` does, and take both back.

        Raises:
            Conflict: When it would stay: a trigger, a policy, a foreign key, a publication or a right is against it.
            Unreachable: When the database does not answer.
        """
        with (
            self._asking("take a row to prove a migration with", statement_ms=_READ_WITHIN_MS) as connection,
            connection.transaction(force_rollback=True),
        ):
            connection.execute(cast("LiteralString", self.table.seed), {"first": 0, "count": 1})
            try:
                removed = connection.execute(self._about("DELETE FROM {table} WHERE {seeded}")).rowcount
            except errors.ObjectNotInPrerequisiteState as error:  # it is published, and has no replica identity
                raise self._keeps(str(error.diag.message_primary)) from error
            except psycopg.OperationalError:
                raise
            except psycopg.Error as error:
                raise self._keeps(str(error.diag.message_primary)) from error
            if removed < 1:
                raise self._keeps("DELETE takes none away")

    def _keeps(self, why: str) -> Conflict:
        return Conflict(f"no rows are added to {self.table.name}: they could not be removed again: {why}")

    def seed(self, rows: int) -> None:
        """Add rows until there are so many.

        Raises:
            Unreachable: When the database does not take them.
        """
        with self._asking("take rows to prove a migration with", statement_ms=_READ_WITHIN_MS) as connection:
            (there,) = _row(connection.execute(self._about("SELECT count(*) FROM {table} WHERE {seeded}")))
            for first in range(int(there), rows, _SEEDED_AT_ONCE):
                count = min(_SEEDED_AT_ONCE, rows - first)
                connection.execute(cast("LiteralString", self.table.seed), {"first": first, "count": count})
            self._leave_nothing_to_do(connection)

    def left_to_archive(self) -> str:
        """In words, what is written and not archived; empty for nothing, or where nothing is archived by a command.

        Raises:
            Unreachable: When the database does not answer.
        """
        with self._asking("tell what it has archived") as connection:
            written, archived, mode = _row(connection.execute(_ARCHIVED))
        if mode == "off" or archived is None or archived >= written:
            return ""
        return f"WAL is written up to {written}, and archived up to {archived}: the server's log tells what holds it up"

    def remove_seed(self) -> None:
        """Take them away; idempotent.

        Raises:
            Unreachable: When the database does not do it.
        """
        with self._asking("give the rows up again", statement_ms=_READ_WITHIN_MS) as connection:
            connection.execute(self._about("DELETE FROM {table} WHERE {seeded}"))
            self._leave_nothing_to_do(connection)

    def contents(self) -> tuple[int, int]:
        """Number and checksum of the rows that nobody changes.

        Raises:
            Unreachable: When the database does not answer.
        """
        about = self._about(
            "SELECT count(*), coalesce(sum(hashtextextended(ROW({columns})::text, 0)::numeric), 0)::text"
            " FROM {table} WHERE {seeded}"
        )
        with self._asking("tell what it holds", statement_ms=_READ_WITHIN_MS) as connection:
            rows, total = _row(connection.execute(about))
        return int(rows), int(total)

    def invalid_indexes(self) -> list[str]:
        """Names of indexes that no query may use."""
        with self._asking("tell its indexes") as connection:
            return [str(name) for (name,) in connection.execute(_INVALID).fetchall()]

    def backfilled(self) -> int:
        """How many rows a back-fill has gone over; 0 before the first.

        Raises:
            Unreachable: When the database does not answer.
        """
        with self._asking("tell how far a back-fill is") as connection:
            return self._progress_of(connection) or 0

    def filling(self, since: str) -> Filling:
        """How far the rows that nobody else changes are filled.

        Args:
            since: The snapshot of an earlier look, to tell which rows nobody has written since; empty for a first one.

        Raises:
            Unreachable: When the database does not answer, or its schema has no place yet for what is filled in.
        """
        kept = sql.SQL(_KEPT).format(since=sql.Literal(since)) if since else sql.SQL("true")
        with self._asking("tell which rows are filled", statement_ms=_READ_WITHIN_MS) as connection:
            rows, filled, unchanged, snapshot = _row(connection.execute(self._about(_FILLING, kept=kept)))
        return Filling(int(rows), int(filled), int(unchanged), str(snapshot))

    def size(self) -> int:
        """Number of all rows of the table.

        Raises:
            Unreachable: When the database does not answer.
        """
        with self._asking("count its rows", statement_ms=_READ_WITHIN_MS) as connection:
            (rows,) = _row(connection.execute(self._about("SELECT count(*) FROM {table}")))
        return int(rows)

    def writers(self) -> frozenset[str]:
        """Names of the transactions that write to the table and are under way; everybody is told of all of them.

        Raises:
            Unreachable: When the database does not answer.
        """
        about = sql.SQL(_WRITERS).format(name=sql.Literal(self.table.name))
        with self._asking("tell who writes to it") as connection:
            return frozenset(str(name) for (name,) in connection.execute(about).fetchall())

    def look(self, now: Callable[[], float]) -> Look:
        """Who waits for whom, and who is connected; over a connection that is kept.

        Raises:
            Unreachable: When the database does not answer.
        """
        try:
            if self._looking is None:
                self._looking = self._connect(_LOOK_WITHIN_MS, "drillbook-watch")
            asked_s = now()
            waits = self._looking.execute(_WAITS).fetchall()
            held = self._looking.execute(_HELD).fetchall()
            names = self._looking.execute(_CONNECTED).fetchall()
            progress = self._progress_of(self._looking)
            return Look(
                asked_s,
                now(),
                tuple(Wait(*row[:6], behind=tuple(row[6])) for row in waits),
                tuple(Held(*row) for row in held),
                progress,
                tuple(str(name) for (name,) in names),
            )
        except psycopg.Error as error:
            self.stop_looking()
            raise Unreachable(f"{self._name} did not tell who waits for whom: {error}") from error

    def stop_looking(self) -> None:
        """Give the kept connection back; idempotent."""
        if self._looking is not None:
            self._looking.close()
            self._looking = None

    @contextlib.contextmanager
    def long_transaction(self) -> Generator[None]:
        """An adversary: a transaction that has read the table and stays open, as a forgotten session does.

        Raises:
            Unreachable: When the database does not answer.
        """
        with self._asking("hold a transaction open", statement_ms=0, name=ADVERSARY) as connection:
            connection.autocommit = False
            connection.execute(self._about("SELECT 1 FROM {table} LIMIT 1"))
            try:
                yield
            finally:
                connection.rollback()

    def _leave_nothing_to_do(self, connection: psycopg.Connection[Any]) -> None:
        """What so many changes make a database do by itself, it does now, and not while users are measured."""
        connection.execute(self._about("VACUUM (ANALYZE, PARALLEL 0) {table}"))
        # A right that an account need not have for a migration.
        with contextlib.suppress(errors.InsufficientPrivilege):
            connection.execute("CHECKPOINT")

    def _progress_of(self, connection: psycopg.Connection[Any]) -> int | None:
        if not self.progress:
            return None
        try:
            row = connection.execute(cast("LiteralString", self.progress)).fetchone()
        except errors.UndefinedTable:
            return None
        return None if row is None or row[0] is None else int(row[0])

    def _about(self, text: LiteralString, **parts: sql.Composable) -> sql.Composed:
        columns = sql.SQL(", ").join(sql.Identifier(name) for name in self.table.columns)
        seeded, unfilled = (sql.SQL(cast("LiteralString", one)) for one in (self.table.seeded, self.table.unfilled))
        return sql.SQL(text).format(
            table=sql.Identifier(self.table.name), columns=columns, seeded=seeded, unfilled=unfilled, **parts
        )

    @contextlib.contextmanager
    def _asking(
        self, what: str, *, statement_ms: int = _LOOK_WITHIN_MS, name: str = "drillbook"
    ) -> Generator[psycopg.Connection[Any]]:
        try:
            with self._connect(statement_ms, name) as connection:
                yield connection
        except psycopg.Error as error:
            raise Unreachable(f"{self._name} did not {what}: {error}") from error

    def _connect(self, statement_ms: int, name: str) -> psycopg.Connection[Any]:
        return psycopg.connect(
            self.address, autocommit=True, connect_timeout=_CONNECT_S, application_name=name,
            options=_OPTIONS.format(statement_ms=statement_ms), password=self.password() or None,
            **patience(self.address),
        )  # fmt: skip

    @property
    def _name(self) -> str:
        return f"the database ({self.address})"


def _row(cursor: psycopg.Cursor[Any]) -> tuple[Any, ...]:
    row = cursor.fetchone()
    if row is None:
        raise Unreachable("the database answered a question without a row")
    return tuple(row)
