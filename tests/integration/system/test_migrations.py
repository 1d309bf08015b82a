"""The migrations on a real PostgreSQL: there and back, twice, side by side, and beside a lock."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import psycopg

from tests.integration.system.conftest import SYSTEM, environment_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.system.conftest import Migrate, Service


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


def _fill(url: str, rows: int) -> None:
    with psycopg.connect(url) as connection:
        connection.execute(
            "INSERT INTO events (key, source, occurred_at, kind, value)"
            " SELECT 'old-' || n, 's', now(), 'k', n FROM generate_series(1, %s) n",
            (rows,),
        )


def _one(url: str, query: str) -> tuple[object, ...]:
    with psycopg.connect(url) as connection:
        row = connection.execute(query).fetchone()
    assert row is not None
    return row


def test_an_upgrade_never_ends_an_older_release(database: str, migrate: Migrate) -> None:
    refused = migrate(database, "1.1.0", "upgrade", "--to", "0003")
    assert refused.returncode == 1
    assert "only releases from 1.1.0 on" in refused.stderr
    assert _revision(migrate, database) == "none"


def test_a_contract_step_waits_for_the_older_release_and_the_backfill(
    database: str, migrate: Migrate, service: Callable[..., Service]
) -> None:
    migrate(database, "1.1.0", "upgrade")
    _fill(database, 10)
    older = service(database, "1.0.0")
    older.wait_until("/readyz", 200)
    refused = migrate(database, "1.1.0", "contract")
    assert refused.returncode == 1
    assert "still connected: analytics-blue-1.0.0" in refused.stderr
    assert _revision(migrate, database) == "0002"
    older.terminate()
    assert older.process.wait(15) == 0
    refused = migrate(database, "1.1.0", "contract")
    assert refused.returncode == 1
    assert "run `backfill` first" in refused.stderr
    newer = service(database, "1.1.0")
    newer.wait_until("/readyz", 200)
    assert migrate(database, "1.1.0", "backfill").returncode == 0
    assert migrate(database, "1.1.0", "contract").returncode == 0
    assert _revision(migrate, database) == "0003"
    newer.wait_until("/readyz", 200)
    late = migrate(database, "1.0.0", "upgrade")
    assert late.returncode == 1
    assert "1.0.0 works with none after 0002" in late.stderr
    assert migrate(database, "1.1.0", "downgrade").returncode == 0
    assert _one(database, "SELECT count(*) FROM events WHERE stored_by = 'before 1.1.0'") == (10,)


def test_a_backfill_that_is_killed_goes_on_where_it_was(database: str, migrate: Migrate) -> None:
    rows = 5000
    migrate(database, "1.1.0", "upgrade")
    _fill(database, rows)
    with subprocess.Popen(
        [sys.executable, "-m", "analytics.migrate", "backfill", "--batch", "50", "--pause", "0.01"],
        env=environment_of(DATABASE_URL=database, VERSION="1.1.0", ANALYTICS_MIGRATIONS=str(SYSTEM / "migrations")),
    ) as running:
        deadline_s = time.monotonic() + 30
        while _one(database, "SELECT to_regclass('backfills') IS NOT NULL") == (False,) or (
            _one(database, "SELECT coalesce(max(rows), 0) >= 500 FROM backfills") == (False,)
        ):
            assert time.monotonic() < deadline_s, "it makes no progress"
            time.sleep(0.01)
        running.send_signal(signal.SIGKILL)
    done, filled = _one(database, "SELECT rows, filled FROM backfills")
    assert isinstance(done, int)
    assert 500 <= done < rows
    assert filled == done
    assert _one(database, "SELECT count(*) FROM events WHERE stored_by IS NOT NULL") == (done,)
    # What is filled twice would be counted twice.
    goes_on = migrate(database, "1.1.0", "backfill", "--batch", "50", "--pause", "0")
    assert goes_on.returncode == 0
    assert f"goes on after {done} events" in goes_on.stdout
    assert _one(database, "SELECT rows, filled, passes, finished_at IS NOT NULL FROM backfills") == (
        rows, rows, 1, True,
    )  # fmt: skip
    assert _one(database, "SELECT count(*) FROM events WHERE stored_by IS NULL") == (0,)


def test_a_backfill_that_was_done_looks_again_for_what_came_since(database: str, migrate: Migrate) -> None:
    migrate(database, "1.1.0", "upgrade")
    assert migrate(database, "1.1.0", "backfill").returncode == 0
    _fill(database, 3)
    assert migrate(database, "1.1.0", "backfill").returncode == 0
    assert _one(database, "SELECT rows, filled, passes FROM backfills") == (3, 3, 2)


def test_what_a_backfill_has_done_is_forgotten_with_the_column_that_it_filled(database: str, migrate: Migrate) -> None:
    migrate(database, "1.1.0", "upgrade")
    _fill(database, 10)
    assert migrate(database, "1.1.0", "backfill", "--batch", "4", "--pause", "0").returncode == 0
    with psycopg.connect(database) as connection:
        connection.execute("UPDATE backfills SET after_key = 'old-4', rows = 6, finished_at = NULL")
    assert migrate(database, "1.1.0", "downgrade").returncode == 0
    assert migrate(database, "1.1.0", "upgrade").returncode == 0
    assert migrate(database, "1.1.0", "backfill").returncode == 0
    assert _one(database, "SELECT count(*) FROM events WHERE stored_by IS NULL") == (0,)


def test_a_backfill_without_its_column_says_what_to_do(database: str, migrate: Migrate) -> None:
    migrate(database, "1.0.0", "upgrade")
    refused = migrate(database, "1.1.0", "backfill")
    assert refused.returncode == 1
    assert "bring the schema to 0002 first" in refused.stderr
