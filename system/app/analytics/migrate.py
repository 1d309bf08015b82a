"""`python3 -m analytics.migrate upgrade|downgrade|contract|backfill|current`: the database's schema, and what it holds.

Safe to run at any time, by several at once, and beside releases that serve: it waits briefly for locks and tries again
rather than queue every query behind itself, and it never goes back unless told to. A step after which an older release
cannot go on is taken by `contract` only, once that release is gone.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import re
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from psycopg import errors
from sqlalchemy import create_engine
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from analytics import backfill
from analytics.config import ConfigurationError, database_url
from analytics.failures import MigrationError
from analytics.release import Release

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

_log = logging.getLogger("analytics.migrate")

_SCRIPTS = "/usr/share/analytics/migrations"
_ONE_AT_A_TIME = 0x0A9A1C5
"""Key of the advisory lock that keeps two migrations apart."""
_LOCK_TIMEOUT_MS = 200
"""While the migration waits for a lock on the events, every request waits behind it."""
_RETRY_EVERY_S = 2.0
_SERVES = re.compile(r"analytics-[a-z]+-(?P<version>\d+\.\d+\.\d+\S*)")
"""Name of a release's connections: `analytics-SLOT-VERSION`."""
_CONTRACT = "contract"
"""What a revision declares as its `phase` when an older release cannot go on after it."""


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="analytics.migrate", description="Migrate the analytics schema.")
    parser.add_argument("action", choices=("upgrade", "downgrade", "contract", "backfill", "current"))
    parser.add_argument("--to", help="revision; default: what VERSION needs, or for downgrade one revision back")
    parser.add_argument("--batch", type=int, default=2000, metavar="ROWS", help="of a back-fill, in one transaction")
    parser.add_argument("--pause", type=float, default=0.02, metavar="SECONDS", help="of a back-fill, between batches")
    parser.add_argument("--within", type=float, default=90.0, metavar="SECONDS", help="give up after this long")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    deadline_s = time.monotonic() + arguments.within
    try:
        url = database_url(os.environ)
        if arguments.action == "current":
            sys.stdout.write(f"{current(url) or 'none'}\n")
            return 0
        if arguments.action == "backfill":
            backfill.run(url, batch=arguments.batch, pause_s=arguments.pause)
            return 0
        with _alone(url, deadline_s):
            if arguments.action == "upgrade":
                upgrade(url, arguments.to or Release(os.environ.get("VERSION", "")).schema, deadline_s)
            elif arguments.action == "contract":
                contract(url, deadline_s)
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
    """Bring the schema to `target` unless it is there or further: a newer schema serves older releases.

    Raises:
        MigrationError: When a step on the way is one that an older release does not survive, or the schema is beyond
            what VERSION works with.
    """
    found = current(url)
    newest = Release(os.environ.get("VERSION", "")).newest_schema
    if newest and found > newest:
        message = f"The schema is at {found}; release {os.environ['VERSION']} works with none after {newest}."
        raise MigrationError(message)
    for revision, serves_from in _contracts(found, target):
        message = (
            f"{revision} leaves only releases from {serves_from} on working, so it is no part of an upgrade; run "
            "`contract` once the older ones are gone."
        )
        raise MigrationError(message)
    if found >= target:
        _log.info("The schema is at %s; this release needs %s: nothing to do.", found, target)
        return
    _run(url, command.upgrade, target, deadline_s)
    _log.info("The schema went from %s to %s.", found or "nothing", target)


def contract(url: str, deadline_s: float) -> None:
    """Take the next step that ends older releases.

    Raises:
        MigrationError: When there is none, such a release has a connection, or the back-fill before it is not done.
    """
    found = current(url)
    steps = _contracts(found, "head")
    if not steps:
        message = f"There is no step to take after {found or 'nothing'} that would end an older release."
        raise MigrationError(message)
    revision, serves_from = steps[0]
    older = _older_releases(url, Release(serves_from))
    if older:
        message = f"{revision} would end releases that are still connected: {', '.join(older)}; remove them first."
        raise MigrationError(message)
    missing = backfill.unfinished(url)
    if missing:
        raise MigrationError(missing)
    _run(url, command.upgrade, revision, deadline_s)
    _log.info("The schema went from %s to %s.", found, revision)


def downgrade(url: str, target: str, deadline_s: float) -> None:
    """Take the schema back to `target`, an Alembic revision or `-1`, `base`."""
    found = current(url)
    _run(url, command.downgrade, target, deadline_s)
    _log.info("The schema went from %s back to %s.", found, current(url) or "nothing")


def _contracts(found: str, target: str) -> list[tuple[str, str]]:
    """The steps from one revision to another that end older releases, each with the oldest that it leaves working."""
    if target != "head" and found >= target:
        return []
    steps = ScriptDirectory.from_config(_config()).iterate_revisions(target, found or "base")
    return [
        (step.revision, str(step.module.serves_from))
        for step in reversed(list(steps))
        if getattr(step.module, "phase", "") == _CONTRACT
    ]


def _older_releases(url: str, oldest: Release) -> list[str]:
    """Names of connections of releases that are older; a release keeps connections for as long as it runs."""
    with psycopg.connect(url, connect_timeout=5) as connection:
        rows = connection.execute(
            # Without the kind of backend, which is told of one's own role only; the name is told to everybody.
            "SELECT DISTINCT application_name FROM pg_stat_activity WHERE datname = current_database() ORDER BY 1"
        ).fetchall()
    found = {name: _SERVES.fullmatch(str(name)) for (name,) in rows}
    return [name for name, served in found.items() if served and Release(served["version"]).before(oldest)]


def _config() -> Config:
    scripts = Path(os.environ.get("ANALYTICS_MIGRATIONS", _SCRIPTS))
    if not (scripts / "env.py").is_file():
        message = f"There are no migrations in {scripts}; set ANALYTICS_MIGRATIONS to where they are."
        raise MigrationError(message)
    config = Config()
    config.set_main_option("script_location", str(scripts))
    return config


def _run(url: str, action: Callable[[Config, str], None], target: str, deadline_s: float) -> None:
    config = _config()
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
