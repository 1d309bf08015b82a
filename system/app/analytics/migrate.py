"""`python3 -m analytics.migrate upgrade|downgrade|current`: brings the database's schema to what this release needs.

Safe to run at any time, by several at once, and beside releases that serve: it waits briefly for locks and tries again
rather than queue every query behind itself, and it never goes back unless told to.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
from alembic import command
from alembic.config import Config
from psycopg import errors
from sqlalchemy import create_engine
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from analytics.config import ConfigurationError, database_url
from analytics.release import Release

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

_log = logging.getLogger("analytics.migrate")

_SCRIPTS = "/usr/share/analytics/migrations"
_ONE_AT_A_TIME = 0x0A9A1C5
"""Key of the advisory lock that keeps two migrations apart."""
_LOCK_TIMEOUT_MS = 2000
_RETRY_EVERY_S = 2.0


class MigrationError(Exception):
    """The schema is not what it should be; the text says why."""


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="analytics.migrate", description="Migrate the analytics schema.")
    parser.add_argument("action", choices=("upgrade", "downgrade", "current"))
    parser.add_argument("--to", help="revision; default: what VERSION needs, or for downgrade one revision back")
    parser.add_argument("--within", type=float, default=90.0, metavar="SECONDS", help="give up after this long")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    deadline_s = time.monotonic() + arguments.within
    try:
        url = database_url(os.environ)
        if arguments.action == "current":
            sys.stdout.write(f"{current(url) or 'none'}\n")
            return 0
        with _alone(url, deadline_s):
            if arguments.action == "upgrade":
                upgrade(url, arguments.to or Release(os.environ.get("VERSION", "")).schema, deadline_s)
            else:
                downgrade(url, arguments.to or "-1", deadline_s)
    except (ConfigurationError, MigrationError, ValueError) as error:
        sys.stderr.write(f"analytics.migrate: {error}\n")
        return 1
    return 0


def current(url: str) -> str:
    """The schema's revision; empty when no migration has run.

    Raises:
        MigrationError: When the database cannot be reached.
    """
    try:
        with psycopg.connect(url, connect_timeout=5) as connection:
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except errors.UndefinedTable:
        return ""
    except psycopg.OperationalError as error:
        message = f"The database cannot be reached: {error}"
        raise MigrationError(message) from error
    return "" if row is None else str(row[0])


def upgrade(url: str, target: str, deadline_s: float) -> None:
    """Bring the schema to `target` unless it is there or further: a newer schema serves older releases."""
    found = current(url)
    if found >= target:
        _log.info("The schema is at %s; this release needs %s: nothing to do.", found, target)
        return
    _run(url, command.upgrade, target, deadline_s)
    _log.info("The schema went from %s to %s.", found or "nothing", target)


def downgrade(url: str, target: str, deadline_s: float) -> None:
    """Take the schema back to `target`, an Alembic revision or `-1`, `base`."""
    found = current(url)
    _run(url, command.downgrade, target, deadline_s)
    _log.info("The schema went from %s back to %s.", found, current(url) or "nothing")


def _run(url: str, action: Callable[[Config, str], None], target: str, deadline_s: float) -> None:
    scripts = Path(os.environ.get("ANALYTICS_MIGRATIONS", _SCRIPTS))
    if not (scripts / "env.py").is_file():
        message = f"There are no migrations in {scripts}; set ANALYTICS_MIGRATIONS to where they are."
        raise MigrationError(message)
    config = Config()
    config.set_main_option("script_location", str(scripts))
    # A creator takes every URI that libpq takes, also several hosts, which SQLAlchemy's own URLs do not.
    engine = create_engine(
        "postgresql+psycopg://",
        creator=lambda: psycopg.connect(
            url, connect_timeout=5, application_name="analytics-migrate", options=f"-c lock_timeout={_LOCK_TIMEOUT_MS}"
        ),
        poolclass=NullPool,
    )
    while True:
        try:
            with engine.connect() as connection:
                config.attributes["connection"] = connection
                action(config, target)
        except OperationalError as error:
            if time.monotonic() + _RETRY_EVERY_S > deadline_s:
                message = f"The migration to {target} was not possible in time: {error.orig}"
                raise MigrationError(message) from error
            _log.info("Trying again in %g s: %s", _RETRY_EVERY_S, error.orig)
            time.sleep(_RETRY_EVERY_S)
        else:
            return


@contextlib.contextmanager
def _alone(url: str, deadline_s: float) -> Generator[None]:
    """Hold the migration lock.

    It is asked for again and again, not waited for: a waiting statement holds a snapshot, and the holder's
    CREATE INDEX CONCURRENTLY would wait for that snapshot to end.
    """
    while True:
        try:
            connection = psycopg.connect(url, connect_timeout=5, autocommit=True)
        except psycopg.OperationalError as error:
            _wait_or_give_up(deadline_s, f"The database cannot be reached: {error}")
            continue
        with connection:
            row = connection.execute("SELECT pg_try_advisory_lock(%s)", (_ONE_AT_A_TIME,)).fetchone()
            if row is not None and row[0]:
                yield
                return
        _wait_or_give_up(deadline_s, "Another migration holds the lock.")


def _wait_or_give_up(deadline_s: float, reason: str) -> None:
    if time.monotonic() + _RETRY_EVERY_S > deadline_s:
        raise MigrationError(reason)
    _log.info("Trying again in %g s: %s", _RETRY_EVERY_S, reason)
    time.sleep(_RETRY_EVERY_S)


if __name__ == "__main__":
    sys.exit(main())
