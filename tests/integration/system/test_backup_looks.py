"""Backups, archives and a standby that are not what was promised are found by the look, with nothing gone wrong yet."""

from __future__ import annotations

import re
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

from drillbook.domain.verdict import Objective, Verdict, judge
from drillbook.domain.wal import Commit
from drillbook.drivers.backup_host import REPORT
from drillbook.drivers.postgresql import PostgreSQL
from probes import backups
from tests.integration.system.backed_up import STANZA, BackedUp, spoilt
from tests.integration.system.conftest import POSTGRES, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drillbook.domain.measurement import Measurement
    from drillbook.ports import DatabaseStatus

pytestmark = pytest.mark.slow
HOUR_S, DAY_S = 3600.0, 86400.0
WITHIN_S = 30.0


@pytest.fixture(scope="module")
def made() -> Iterator[BackedUp]:
    with tempfile.TemporaryDirectory(prefix="drillbook-looks-") as name:
        found = BackedUp(Path(name))
        found.begin()
        found.do("SELECT pg_create_physical_replication_slot('standby')")
        yield found
        found.end()


@pytest.fixture
def database(made: BackedUp) -> Iterator[BackedUp]:
    server = made.top / "server.conf"
    before = server.read_text()
    yield made
    server.write_text(before)
    # What was not archived is a gap for ever: a backup from after it makes a repository whole.
    made.back("--repo=2", "--type=full", "backup")


@pytest.fixture(scope="module")
def standby(made: BackedUp) -> Iterator[PostgreSQL]:
    """Streams from the database."""
    port, data = free_port(), made.top / "standby"
    made.run(POSTGRES / "pg_basebackup", f"--dbname=host=127.0.0.1 port={made.port} user=postgres", "-D", data, "-R",
             "-S", "standby", "--checkpoint=fast")  # fmt: skip
    with (data / "postgresql.auto.conf").open("a") as file:
        file.write(
            f"port = {port}\nunix_socket_directories = ''\narchive_mode = off\nwal_receiver_status_interval = 1s\n"
        )
    made.run(POSTGRES / "pg_ctl", "-D", data, "-w", "-l", made.top / "standby-log", "start")
    yield PostgreSQL("away", f"host=127.0.0.1 port={port} user=postgres dbname=postgres", lambda: "", "postgres")
    made.run(POSTGRES / "pg_ctl", "-D", data, "-m", "immediate", "stop")


def primary(database: BackedUp) -> PostgreSQL:
    return PostgreSQL("home", database.address(), lambda: "", "postgres")


def commit(database: BackedUp, *, ago_s: float = 0.0) -> Commit:
    """One that was made so long ago, as far as anybody can tell."""
    asked_s, before = time.time(), primary(database).status().position
    database.write(f"drill-{before}")
    return Commit(asked_s - ago_s, time.time() - ago_s, before, primary(database).status().position)


def look(
    database: BackedUp, *commits: Commit, standby: DatabaseStatus | None = None, script: str = REPORT
) -> backups.Look:
    asked_s = time.time()
    report = database.report(script=script)
    here = primary(database).status()
    seen = standby or here
    replayed = seen.position if standby is not None and seen.receiving and not seen.primary else None
    return backups.Look(
        STANZA, report, asked_s, time.time(), commits, time.time(), replayed, (here.timeline, seen.timeline),
        primary(database).archive_timeout_s(),
    )  # fmt: skip


def verdict(measured: Measurement, limit: float) -> Verdict:
    return judge(Objective("o", "", "at_most", limit, measured.unit), measured).verdict


def until(standby: PostgreSQL, position: int) -> DatabaseStatus:
    """Once it has replayed so much, or that has been waited for."""
    give_up = time.monotonic() + WITHIN_S
    while (found := standby.status()).position < position and time.monotonic() < give_up:
        time.sleep(0.05)
    return found


def archive_timeout(database: BackedUp, seconds: int) -> None:
    """Set it, and wait until the server has it."""
    database.do(f"ALTER SYSTEM SET archive_timeout = {seconds}")
    database.do("SELECT pg_reload_conf()")
    give_up = time.monotonic() + WITHIN_S
    while primary(database).archive_timeout_s() != seconds and time.monotonic() < give_up:
        time.sleep(0.05)


def test_what_is_fresh_passes(database, standby) -> None:
    made = commit(database, ago_s=2 * HOUR_S), commit(database)
    seen = look(database, *made, standby=until(standby, made[-1].after))
    assert seen.report.check_code == 0, seen.report.check_said
    assert seen.keys == (1, 2)
    for key in seen.keys:
        assert verdict(backups.archive_age(seen, key), HOUR_S) is Verdict.PASS
        assert verdict(backups.full_backup_age(seen, key), DAY_S) is Verdict.PASS
    assert verdict(backups.failed_checks(seen), 0) is Verdict.PASS
    assert verdict(backups.standby_lag(seen), 60) is Verdict.PASS
    # Folders are in no region's object store.
    assert seen.report.stores == {}


def test_segments_that_end_only_when_they_are_full_are_found_though_the_look_has_one_ended(database) -> None:
    """What it lacked before that is archived by the look itself: the age passes whatever came to be lost without it."""
    archive_timeout(database, 0)
    seen = look(database, commit(database, ago_s=2 * HOUR_S), commit(database))
    for key in seen.keys:
        assert verdict(backups.archive_age(seen, key), HOUR_S) is Verdict.PASS
    assert verdict(backups.archived_within(seen), HOUR_S) is Verdict.FAIL
    archive_timeout(database, 60)
    seen = look(database, commit(database))
    within = backups.archived_within(seen)
    assert verdict(within, HOUR_S) is Verdict.PASS
    assert within.interval is not None
    assert within.interval.low == 60


def test_a_repository_that_was_not_written_for_two_hours_is_named_and_the_other_one_is_not(database) -> None:
    server = database.top / "server.conf"
    server.write_text(re.sub(r"repo2-.*\n", "", server.read_text()))
    seen = look(database, commit(database, ago_s=2 * HOUR_S), commit(database))
    assert verdict(backups.archive_age(seen, 1), HOUR_S) is Verdict.PASS
    lacking = backups.archive_age(seen, 2)
    assert verdict(lacking, HOUR_S) is Verdict.FAIL
    assert lacking.interval is not None
    assert 2 * HOUR_S <= lacking.interval.low < 2 * HOUR_S + 60
    assert verdict(backups.failed_checks(seen), 0) is Verdict.FAIL
    assert "was not archived before" in seen.report.check_said


@pytest.fixture
def second_store_that_is_away(database) -> Iterator[None]:
    """Nobody listens where the second repository is said to be."""
    settings = {"type": "s3", "path": "/main", "s3-endpoint": "127.0.0.1", "storage-port": free_port(),
                "s3-bucket": "backups", "s3-region": "here", "s3-key": "key", "s3-key-secret": "secret",
                "s3-uri-style": "path", "retention-full": 2}  # fmt: skip
    database.configure(1)
    with (database.top / "conf.d" / "repositories.conf").open("a") as file:
        file.writelines(f"repo2-{name}={value}\n" for name, value in settings.items())
    yield
    database.configure(1, 2)


def test_a_repository_that_does_not_answer_is_named_and_keeps_nothing_of_the_other_back(
    database, second_store_that_is_away
) -> None:
    del second_store_that_is_away
    archived = commit(database)
    database.archive()
    seen = look(database, archived, commit(database), script=spoilt(REPORT, "--io-timeout=5", "--io-timeout=1"))
    assert seen.report.stores == {2: "127.0.0.1"}
    failed = backups.failed_checks(seen)
    assert verdict(failed, 0) is Verdict.FAIL
    assert "unable to connect to '127.0.0.1" in failed.name
    assert verdict(backups.full_backup_age(seen, 1), DAY_S) is Verdict.PASS
    assert verdict(backups.archive_age(seen, 1), HOUR_S) is Verdict.PASS
    assert verdict(backups.full_backup_age(seen, 2), DAY_S) is Verdict.INCONCLUSIVE
    assert verdict(backups.archive_age(seen, 2), HOUR_S) is Verdict.INCONCLUSIVE


def test_a_schedule_that_pauses_is_found_by_the_age_of_its_last_full_backup(database) -> None:
    seen = look(database, commit(database))
    report = replace(seen.report, began_s=seen.report.began_s + 25 * HOUR_S, ended_s=seen.report.ended_s + 25 * HOUR_S)
    late = replace(seen, report=report)
    for key in seen.keys:
        assert verdict(backups.full_backup_age(seen, key), DAY_S) is Verdict.PASS
        assert verdict(backups.full_backup_age(late, key), DAY_S) is Verdict.FAIL


def test_a_standby_whose_replay_is_paused_lags_though_it_streams(database, standby) -> None:
    with psycopg.connect(standby.address, autocommit=True) as paused:
        paused.execute("SELECT pg_wal_replay_pause()")
        made = commit(database, ago_s=120), commit(database)
        found = standby.status()
        assert found.receiving
        assert found.position < made[0].after
        assert verdict(backups.standby_lag(look(database, *made, standby=found)), 60) is Verdict.FAIL
        paused.execute("SELECT pg_wal_replay_resume()")
    seen = look(database, *made, standby=until(standby, made[-1].after))
    assert verdict(backups.standby_lag(seen), 60) is Verdict.PASS


def test_a_standby_on_another_timeline_has_nothing_to_give(database, standby) -> None:
    """Somebody promoted it, and made it a standby again."""
    data = database.top / "standby"
    standby.promote(wait_s=WITHIN_S)
    with psycopg.connect(standby.address, autocommit=True) as alone:
        alone.execute("CREATE TABLE only_here ()")
    database.run(POSTGRES / "pg_ctl", "-D", data, "-w", "-m", "fast", "stop")
    (data / "standby.signal").touch()
    database.own()
    database.run(POSTGRES / "pg_ctl", "-D", data, "-w", "-l", database.top / "standby-log", "start")
    made = commit(database)
    found = standby.status()
    assert (found.primary, found.timeline) == (False, 2)
    seen = look(database, made, standby=found)
    assert verdict(backups.standby_lag(seen), 60) is Verdict.FAIL
    # Were it to stream: its timeline alone tells.
    assert verdict(backups.standby_lag(replace(seen, replayed=made.after)), 60) is Verdict.FAIL
    assert verdict(backups.standby_lag(replace(seen, replayed=made.after, timelines=(1, 1))), 60) is Verdict.PASS
