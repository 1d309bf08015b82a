"""Rows that a migration is proved on leave a database at rest: vacuumed and archived."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

from drillbook.drivers.migrated_database import MigratedDatabase
from drillbook.ports import Conflict
from tests.integration.system.conftest import Postgres, running
from tests.integration.system.proving import TABLE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.system.conftest import Migrate

ROWS = 200_000
_ARCHIVES_WITHIN_S = 30.0


@pytest.fixture
def archiving() -> Iterator[tuple[Postgres, Path]]:
    """A server that archives once a file is there, and that file."""
    with tempfile.TemporaryDirectory(prefix="drillbook-archiving-") as name:
        top = Path(name)
        top.chmod(0o755)  # the server's user looks into it
        gate = top / "gate"
        with running(f"archive_mode = on\narchive_command = 'test -e {gate}'\n") as server:
            yield server, gate


def archived(server: Postgres) -> str:
    with psycopg.connect(server.url("postgres")) as connection:
        row = connection.execute("SELECT last_archived_wal FROM pg_stat_archiver").fetchone()
    assert row is not None
    return row[0] or ""


def wait_until_archived(server: Postgres, database: MigratedDatabase) -> None:
    give_up = time.monotonic() + _ARCHIVES_WITHIN_S
    while not archived(server) or database.left_to_archive():
        assert time.monotonic() < give_up, f"not archived in {_ARCHIVES_WITHIN_S:g} s: {database.left_to_archive()}"
        # The archiver tries again after a while, or when it is told that there is something.
        server.control("reload")
        time.sleep(0.2)


def test_what_is_not_archived_yet_is_told(archiving: tuple[Postgres, Path], migrate: Migrate) -> None:
    server, gate = archiving
    url = server.url("postgres")
    assert migrate(url, "1.0.0", "upgrade", "--to", "0001").returncode == 0
    database = MigratedDatabase(url, str, TABLE)
    assert not archived(server)
    # Of a server that has archived nothing so far nobody knows whether it ever will.
    assert database.left_to_archive() == ""
    gate.touch()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SELECT pg_switch_wal()")
    wait_until_archived(server, database)
    gate.unlink()
    database.seed(ROWS)
    left = database.left_to_archive()
    assert f"archived up to {archived(server)}" in left
    assert "WAL is written up to 0000" in left
    gate.touch()
    wait_until_archived(server, database)


def test_nothing_is_left_to_vacuum_while_users_are_there(archiving: tuple[Postgres, Path], migrate: Migrate) -> None:
    server, _ = archiving
    url = server.url("postgres")
    assert migrate(url, "1.0.0", "upgrade", "--to", "0001").returncode == 0
    database = MigratedDatabase(url, str, TABLE)
    database.seed(ROWS)
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(
            "SELECT relpages, relallvisible FROM pg_class WHERE oid = 'events'::regclass"
        ).fetchone()
    assert row is not None
    pages, visible = row
    assert pages > 1000
    assert visible == pages
    assert database.contents()[0] == ROWS
    database.remove_seed()
    with psycopg.connect(url, autocommit=True) as connection:
        size = connection.execute("SELECT pg_relation_size('events')").fetchone()
    assert size is not None
    assert size[0] < pages * 8192 / 10


APPEND_ONLY = """
CREATE FUNCTION keeps() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {} END $$;
CREATE TRIGGER keeps BEFORE DELETE ON events FOR EACH ROW EXECUTE FUNCTION keeps()
"""
PUBLISHED = "ALTER TABLE events DROP CONSTRAINT events_pkey; CREATE PUBLICATION of_it FOR TABLE events"
SEES_NONE = """
ALTER TABLE events ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY adds ON events FOR INSERT WITH CHECK (true);
CREATE ROLE adder LOGIN; GRANT SELECT, INSERT, DELETE ON events TO adder
"""


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        (PUBLISHED, "replica identity"),
        (APPEND_ONLY.format("RETURN NULL;"), "DELETE takes none away"),
        (APPEND_ONLY.format("RAISE EXCEPTION 'append only';"), "append only"),
        (SEES_NONE, "DELETE takes none away"),
    ],
)
def test_rows_that_would_stay_are_not_added(database: str, migrate: Migrate, statement: str, why: str) -> None:
    assert migrate(database, "1.0.0", "upgrade", "--to", "0001").returncode == 0
    with psycopg.connect(database, autocommit=True) as connection:
        MigratedDatabase(database, str, TABLE).try_seed()
        connection.execute(statement.encode())
        who = database.replace("postgres@", "adder@") if "adder" in statement else database
        with pytest.raises(Conflict, match=why):
            MigratedDatabase(who, str, TABLE).try_seed()
        assert connection.execute("SELECT count(*) FROM events").fetchone() == (0,)
