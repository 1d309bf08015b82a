"""Events in PostgreSQL: stored once per key, acknowledged only when committed."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import psycopg
from psycopg import errors
from psycopg_pool import AsyncConnectionPool, PoolTimeout

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from datetime import datetime
    from typing import LiteralString

    from analytics.config import Settings

    Connection = psycopg.AsyncConnection[tuple[Any, ...]]

Stored = Literal["created", "present", "different"]
"""What became of an event: stored now, there already with the same content, or there with another one."""

_ACQUIRE_S = 2.0
_STATEMENT_MS = 3000
_RECONNECT_S = 4.0
"""After so long the pauses between two tries begin anew at a second; they double."""
_ASK_AGAIN_S = 1.0
"""Whether the schema has come forward, so seldom that those who find it has not cost nothing."""

_INSERT = """
INSERT INTO events (key, source, occurred_at, kind, value) VALUES (%s, %s, %s, %s, %s)
ON CONFLICT (key) DO NOTHING
"""
_INSERT_WITH_VERSION = """
INSERT INTO events (key, source, occurred_at, kind, value, stored_by) VALUES (%s, %s, %s, %s, %s, %s)
ON CONFLICT (key) DO NOTHING
"""
_SELECT = "SELECT key, source, occurred_at, kind, value FROM events WHERE key = %s"
_AGGREGATE = """
SELECT count(*), sum(value), avg(value), min(value), max(value), now(),
       extract(epoch FROM now() - (SELECT max(received_at) FROM events))::float8{median}
FROM events WHERE source = %s AND occurred_at >= %s AND occurred_at < %s
"""
_MEDIAN = ",\n       percentile_cont(0.5) WITHIN GROUP (ORDER BY value)"


class StoreUnavailableError(Exception):
    """The database did not take or answer a statement; nothing is known to be stored."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event.

    Attributes:
        key: The client's key: the same event sent twice is stored once.
        source: What reported it.
        occurred_at: When it happened, with a time zone.
        kind: What it is.
        value: The number measured, in the unit of its kind.
    """

    key: str
    source: str
    occurred_at: datetime
    kind: str
    value: float


@dataclass(frozen=True, slots=True)
class Aggregate:
    """Statistics over the events of one source in `[start, end)`.

    Attributes:
        count: Number of events.
        sum: Of the values; 0 without events.
        mean: None without events, like `min`, `max` and `median`.
        min: Smallest value.
        max: Largest value.
        median: None also in releases that do not compute it.
        as_of: The database's clock at the answer.
        freshness_s: Age in seconds of the newest event stored at all; None without one.
    """

    count: int
    sum: float
    mean: float | None
    min: float | None
    max: float | None
    median: float | None
    as_of: datetime
    freshness_s: float | None


class EventStore:
    """The events table, behind a pool of connections that opens by itself once the database is there."""

    def __init__(self, settings: Settings) -> None:
        """Nothing is connected until `open`."""
        release = settings.release
        self._version = release.version if release.records_version else None
        self._without_version_until_s = 0.0
        self._aggregate: LiteralString = _AGGREGATE.format(median=_MEDIAN if release.has_median else "")
        self._least = min(2, settings.pool_size)
        self._trying_again = asyncio.Lock()
        self._pool = AsyncConnectionPool(
            settings.database_url,
            min_size=self._least,
            max_size=settings.pool_size,
            timeout=_ACQUIRE_S,
            max_waiting=settings.pool_size * 25,
            reconnect_timeout=_RECONNECT_S,
            reconnect_failed=self._try_again,
            open=False,
            kwargs={
                # Each statement commits by itself: the answer to it is the acknowledgement, in one round trip.
                "autocommit": True,
                "connect_timeout": 2,
                "application_name": f"analytics-{settings.slot}-{release.version}",
                "options": f"-c statement_timeout={_STATEMENT_MS} -c TimeZone=UTC",
                # A server that vanished without a word is noticed in seconds.
                "tcp_user_timeout": 3000,
                "keepalives_idle": 5,
                "keepalives_interval": 2,
                "keepalives_count": 2,
            },
        )

    async def open(self) -> None:
        """Begin to connect; does not wait for the database."""
        await self._pool.open(wait=False)

    async def close(self) -> None:
        """Close all connections."""
        await self._pool.close(timeout=2)

    async def put(self, event: Event) -> Stored:
        """Store an event once; on return it is committed.

        Raises:
            StoreUnavailableError: When it is not known to be committed.
        """
        values = (event.key, event.source, event.occurred_at, event.kind, event.value)
        async with self._connection() as connection:
            cursor = await self._insert(connection, values)
            if cursor.rowcount == 1:
                return "created"
            cursor = await connection.execute(_SELECT, (event.key,))
            row = await cursor.fetchone()
        return "present" if row is not None and Event(*row) == event else "different"

    async def _insert(self, connection: Connection, values: tuple[Any, ...]) -> psycopg.AsyncCursor[tuple[Any, ...]]:
        """Say which release stores it where the schema has a place for that.

        A schema that was taken back, or not brought forward yet, has none; it is asked again after a while.
        """
        now_s = time.monotonic()
        if self._version is not None and now_s >= self._without_version_until_s:
            try:
                return await connection.execute(_INSERT_WITH_VERSION, (*values, self._version))
            except errors.UndefinedColumn:
                self._without_version_until_s = now_s + _ASK_AGAIN_S
        return await connection.execute(_INSERT, values)

    async def get(self, key: str) -> Event | None:
        """The event of a key.

        Raises:
            StoreUnavailableError: When the database does not answer.
        """
        async with self._connection() as connection:
            cursor = await connection.execute(_SELECT, (key,))
            row = await cursor.fetchone()
        return None if row is None else Event(*row)

    async def aggregate(self, source: str, start: datetime, end: datetime) -> Aggregate:
        """Statistics of one source's events from `start` up to but without `end`.

        Raises:
            StoreUnavailableError: When the database does not answer.
        """
        async with self._connection() as connection:
            cursor = await connection.execute(self._aggregate, (source, start, end))
            row = await cursor.fetchone()
        if row is None:
            message = "The database answered an aggregate without a row."
            raise StoreUnavailableError(message)
        count, total, mean, low, high, as_of, freshness_s, *median = row
        return Aggregate(count, total or 0.0, mean, low, high, median[0] if median else None, as_of, freshness_s)

    async def schema(self) -> str:
        """The schema's revision; empty when no migration has run.

        Raises:
            StoreUnavailableError: When the database does not answer.
        """
        async with self._connection() as connection:
            try:
                cursor = await connection.execute("SELECT version_num FROM alembic_version")
            except errors.UndefinedTable:
                return ""
            row = await cursor.fetchone()
        return "" if row is None else str(row[0])

    async def _try_again(self, pool: AsyncConnectionPool) -> None:
        """Replace a connection that the pool has given up.

        The pool itself would do so for the next request only, and refuses every request once its queue is full of those
        that have waited in vain: after a long outage it would never connect again.
        """
        async with self._trying_again:
            await pool.resize(self._least - 1, pool.max_size)
            await pool.resize(self._least, pool.max_size)

    @asynccontextmanager
    async def _connection(self) -> AsyncGenerator[Connection]:
        try:
            async with self._pool.connection() as connection:
                try:
                    yield connection
                except errors.ReadOnlySqlTransaction as error:
                    # The server was demoted under us: this connection will never write again, a new one may.
                    await connection.close()
                    message = "The database is read-only: it is a standby now."
                    raise StoreUnavailableError(message) from error
        except PoolTimeout as error:
            message = f"No connection to the database within {_ACQUIRE_S:g} s."
            raise StoreUnavailableError(message) from error
        except (psycopg.OperationalError, errors.UndefinedTable, errors.UndefinedColumn) as error:
            message = f"The database did not carry out a statement: {type(error).__name__}."
            raise StoreUnavailableError(message) from error
