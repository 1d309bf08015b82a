"""The migrations on a real PostgreSQL: there and back, twice, side by side, and beside a lock."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import psycopg

if TYPE_CHECKING:
    from tests.integration.system.conftest import Migrate


def _columns(url: str) -> set[str]:
    with psycopg.connect(url) as connection:
        rows = connection.execute("SELECT column_name FROM information_schema.columns WHERE table_name = 'events'")
        return {str(name) for (name,) in rows}


def _revision(migrate: Migrate, url: str) -> str:
    return migrate(url, "1.0.0", "current").stdout.strip()


def test_a_release_brings_the_schema_it_needs_and_never_goes_back_by_itself(database: str, migrate: Migrate) -> None:
    assert _revision(migrate, database) == "none"
    assert migrate(database, "1.0.0", "upgrade").returncode == 0
    assert _revision(migrate, database) == "0001"
    assert "stored_by" not in _columns(database)
    assert migrate(database, "1.1.0", "upgrade").returncode == 0
    assert _revision(migrate, database) == "0002"
    again = migrate(database, "1.0.0", "upgrade")
    assert (again.returncode, _revision(migrate, database)) == (0, "0002")
    assert "nothing to do" in again.stdout


def test_downgrade_takes_back_what_was_added_and_keeps_the_events(database: str, migrate: Migrate) -> None:
    migrate(database, "1.1.0", "upgrade")
    with psycopg.connect(database) as connection:
        connection.execute(
            "INSERT INTO events (key, source, occurred_at, kind, value) VALUES ('k', 's', now(), 'k', 1)"
        )
    assert migrate(database, "1.1.0", "downgrade").returncode == 0
    assert _revision(migrate, database) == "0001"
    assert "stored_by" not in _columns(database)
    with psycopg.connect(database) as connection:
        assert connection.execute("SELECT count(*) FROM events").fetchone() == (1,)
    assert migrate(database, "1.0.0", "downgrade", "--to", "base").returncode == 0
    assert _columns(database) == set()


def test_two_at_once_do_not_disturb_each_other(database: str, migrate: Migrate) -> None:
    codes: list[int] = []
    threads = [
        threading.Thread(target=lambda: codes.append(migrate(database, "1.1.0", "upgrade").returncode))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert codes == [0, 0]
    assert _revision(migrate, database) == "0002"


def test_a_lock_held_by_others_ends_the_migration_in_time_with_a_reason(database: str, migrate: Migrate) -> None:
    migrate(database, "1.0.0", "upgrade")
    with psycopg.connect(database) as holder:
        holder.execute("SELECT count(*) FROM events")
        refused = migrate(database, "1.1.0", "upgrade", "--within", "3")
        assert refused.returncode == 1
        assert "lock timeout" in refused.stderr
    assert migrate(database, "1.1.0", "upgrade").returncode == 0


def test_an_unreachable_database_ends_the_migration_in_time_with_a_reason(migrate: Migrate) -> None:
    refused = migrate("postgresql://127.0.0.1:9/none", "1.0.0", "upgrade", "--within", "3")
    assert refused.returncode == 1
    assert "cannot be reached" in refused.stderr
