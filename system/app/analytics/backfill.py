"""Says of the events that releases before 1.1.0 stored who stored them: in batches, each with its progress.

A batch and the progress that it makes are one transaction, so whatever ends it, the next run goes on right after the
last batch that was committed: no event is gone over twice, and none is left out.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import errors

from analytics.failures import MigrationError

if TYPE_CHECKING:
    Connection = psycopg.Connection[tuple[Any, ...]]

_log = logging.getLogger("analytics.migrate")

NAME = "stored-by"
OLDER = "before 1.1.0"
"""What is said of events of releases that said nothing: they may be of several."""

_LOCK_TIMEOUT_MS = 1000
_RETRY_EVERY_S = 0.5
_TRIES = 20
_ONE_AT_A_TIME = 0x0A9A1C6
"""Key of the advisory lock that keeps two back-fills apart; a migration has another."""

_PROGRESS = """
CREATE TABLE IF NOT EXISTS backfills (
    name text PRIMARY KEY,
    after_key text NOT NULL DEFAULT '',
    rows bigint NOT NULL DEFAULT 0,
    filled bigint NOT NULL DEFAULT 0,
    passes integer NOT NULL DEFAULT 1,
    started_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz
)
"""
_BEGIN = """
INSERT INTO backfills (name) VALUES (%(name)s) ON CONFLICT (name) DO UPDATE
SET after_key = '', rows = 0, passes = backfills.passes + 1, finished_at = NULL WHERE backfills.finished_at IS NOT NULL
"""
_READ = "SELECT after_key, rows, filled, finished_at IS NOT NULL FROM backfills WHERE name = %(name)s"
_BATCH = """
WITH batch AS (SELECT key FROM events WHERE key > %(after)s ORDER BY key LIMIT %(batch)s),
filled AS (
    UPDATE events SET stored_by = %(older)s FROM batch WHERE events.key = batch.key AND events.stored_by IS NULL
    RETURNING 1
)
SELECT (SELECT max(key) FROM batch), (SELECT count(*) FROM batch), (SELECT count(*) FROM filled)
"""
_ADVANCE = """
UPDATE backfills SET after_key = %(after)s, rows = rows + %(rows)s, filled = filled + %(filled)s, updated_at = now()
WHERE name = %(name)s
"""
_FINISH = "UPDATE backfills SET finished_at = now(), updated_at = now() WHERE name = %(name)s"
_LEFT = "SELECT EXISTS (SELECT FROM events WHERE stored_by IS NULL)"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far it is.

    Attributes:
        after: The last key that was gone over; empty before the first.
        rows: Events gone over in this pass.
        filled: Events filled in all passes.
        finished: Whether the last pass came to its end.
    """

    after: str
    rows: int
    filled: int
    finished: bool


def run(url: str, *, batch: int, pause_s: float) -> None:
    """Go on where the last run ended, or begin a new pass when it had come to its end.

    Args:
        url: The database.
        batch: Events gone over in one transaction.
        pause_s: Seconds between two of them, in which others have the database for themselves.

    Raises:
        MigrationError: When another back-fill runs, the schema has no place for it, or a lock is not to be had.
    """
    if batch < 1:
        message = f"A batch has at least 1 event, and {batch} were asked for."
        raise MigrationError(message)
    with _connect(url) as connection:
        _be_alone(connection)
        connection.execute(_PROGRESS)
        connection.execute(_BEGIN, {"name": NAME})
        found = progress(connection)
        _log.info("Back-fill %s goes on after %d events.", NAME, found.rows)
        while not found.finished:
            found = _next(connection, found, batch)
            time.sleep(0.0 if found.finished else pause_s)
        _log.info("Back-fill %s is done: %d events gone over, %d filled.", NAME, found.rows, found.filled)


def progress(connection: Connection) -> Progress:
    """How far it is by what is committed."""
    return Progress(*_row(connection.execute(_READ, {"name": NAME})))


def unfinished(url: str) -> str:
    """Why a step that needs it cannot be taken yet; empty when it can."""
    with _connect(url) as connection:
        try:
            (left,) = _row(connection.execute(_LEFT))
        except errors.UndefinedColumn:
            return "The events have no place yet for who stored them: bring the schema to 0002 first."
    return "There are events that do not say who stored them: run `backfill` first." if left else ""


def _connect(url: str) -> Connection:
    try:
        return psycopg.connect(
            url, connect_timeout=5, autocommit=True, application_name="analytics-backfill",
            options=f"-c lock_timeout={_LOCK_TIMEOUT_MS}",
        )  # fmt: skip
    except psycopg.OperationalError as error:
        message = f"The database cannot be reached: {error}"
        raise MigrationError(message) from error


def _be_alone(connection: Connection) -> None:
    """Wait for a lock that ends with its holder: the server may still be busy with the last batch of one that died."""
    for _ in range(_TRIES):
        (alone,) = _row(connection.execute("SELECT pg_try_advisory_lock(%s)", (_ONE_AT_A_TIME,)))
        if alone:
            return
        time.sleep(_RETRY_EVERY_S)
    message = "Another back-fill is at work."
    raise MigrationError(message)


def _next(connection: Connection, found: Progress, batch: int) -> Progress:
    """One batch; a row that somebody has locked is waited for briefly, and the batch tried again."""
    for _ in range(_TRIES):
        try:
            return _fill(connection, found, batch)
        except errors.UndefinedColumn as error:
            message = "The events have no place yet for who stored them: bring the schema to 0002 first."
            raise MigrationError(message) from error
        except (errors.LockNotAvailable, errors.DeadlockDetected) as error:
            _log.info("Trying again in %g s: %s", _RETRY_EVERY_S, error)
            time.sleep(_RETRY_EVERY_S)
    message = f"After {found.rows} events a lock was not to be had in {_TRIES} tries; run it again, it goes on there."
    raise MigrationError(message)


def _fill(connection: Connection, found: Progress, batch: int) -> Progress:
    with connection.transaction():
        after, rows, filled = _row(connection.execute(_BATCH, {"after": found.after, "batch": batch, "older": OLDER}))
        if not rows:
            connection.execute(_FINISH, {"name": NAME})
        else:
            connection.execute(_ADVANCE, {"after": after, "rows": rows, "filled": filled, "name": NAME})
    return progress(connection)


def _row(cursor: psycopg.Cursor[tuple[Any, ...]]) -> tuple[Any, ...]:
    row = cursor.fetchone()
    if row is None:
        message = "The database answered a question of the back-fill without a row."
        raise MigrationError(message)
    return row
