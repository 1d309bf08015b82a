"""A back-fill that is killed on a real PostgreSQL: what it leaves out or does twice is seen, whatever it says."""

from __future__ import annotations

import dataclasses
import sys
import time
from typing import TYPE_CHECKING

import psycopg
import pytest

from drillbook.domain.interval import Interval
from drillbook.domain.verdict import Objective, Verdict, judge
from drillbook.drivers.migrated_database import MigratedDatabase
from drillbook.drivers.migration_command import MigrationCommand
from probes import migration
from tests.integration.system.conftest import SYSTEM
from tests.integration.system.proving import EVERY_S, PROGRESS, TABLE, Rig

if TYPE_CHECKING:
    from pathlib import Path

    from drillbook.domain.measurement import Measurement
    from drillbook.domain.migration.backfill import Filling
    from tests.integration.system.conftest import Migrate

ROWS, OTHERS, AT_ROWS, BATCH = 2000, 400, 500, 100

_PARTS = """
import os, time
from analytics import backfill

def batch_of(connection, found, batch):
    chosen = "SELECT key FROM events WHERE key > %s ORDER BY key LIMIT %s"
    return connection.execute(f"SELECT max(key), count(*) FROM ({chosen}) AS batch", (found.after, batch)).fetchone()

def fill(connection, found, until):
    text = "UPDATE events SET stored_by = 'before 1.1.0' WHERE key > %s AND key <= %s"
    connection.execute(text, (found.after, until))

def advance(connection, until, rows):
    told = {"after": until, "rows": rows, "filled": rows, "name": backfill.NAME}
    connection.execute(backfill._ADVANCE if rows else backfill._FINISH, told)

def next_batch(connection, found, batch):
    until, rows = batch_of(connection, found, batch)
    killed_here = FIRST and NEAR <= found.rows
    for number, part in enumerate(PARTS):
        time.sleep(1.0 if number and killed_here else 0.0)
        part(connection, found, until, rows)
    return backfill.progress(connection)

def of(*parts):
    def first_batch(connection, found, batch):
        global FIRST
        FIRST, backfill._fill = found.rows == 0, next_batch
        return next_batch(connection, found, batch)

    global PARTS
    PARTS, backfill._fill = parts, first_batch
"""
_FILLS = "lambda connection, found, until, rows: rows and fill(connection, found, until)"
_ADVANCES = "lambda connection, found, until, rows: advance(connection, until, rows)"
_BACK_TO_THE_FIRST = """
backfill._BEGIN = "INSERT INTO backfills (name) VALUES (%(name)s) ON CONFLICT (name) DO UPDATE SET after_key = ''"
"""
_WHATEVER_IS_THERE = "backfill._BATCH = backfill._BATCH.replace(' AND events.stored_by IS NULL', '')\n"
_RUNS = "backfill.run(os.environ['DATABASE_URL'], batch=BATCH, pause_s=0.03)"


class Unhurried(MigratedDatabase):
    """Gives a back-fill the time to be between two transactions when it is killed."""

    def filling(self, since: str) -> Filling:
        found = super().filling(since)
        time.sleep(0.1)
        return found


@pytest.fixture
def rig(database: str, migrate: Migrate, tmp_path: Path) -> Rig:
    """The drill's rows, and behind them rows of others."""
    migrate(database, "1.1.0", "upgrade")
    made = Rig(database, tmp_path / "drills" / "proof", rows=ROWS)
    made.database.seed(ROWS)
    with psycopg.connect(database) as connection:
        connection.execute(
            "INSERT INTO events (key, source, occurred_at, kind, value)"
            " SELECT 'user-' || n, 's', now(), 'k', n FROM generate_series(1, %s) n",
            (OTHERS,),
        )
    return made


def proved(rig: Rig, defect: str = "") -> migration.Recorded:
    """What the proof has kept of the platform's back-fill, maybe with a defect, killed and started again."""
    words = (
        sys.executable,
        "-c",
        f"NEAR = {AT_ROWS - 2 * BATCH}\n{_PARTS}{defect}\n{_RUNS.replace('BATCH', str(BATCH))}",
    )
    settings = {"DATABASE_URL": "{url}", "VERSION": "1.1.0", "PYTHONPATH": str(SYSTEM / "app")}
    command = MigrationCommand(words, settings, rig.url, str, rig.folder)
    proof = dataclasses.replace(rig.proof, database=Unhurried(rig.url, str, TABLE, PROGRESS), migrator=command)
    rig.watch.start()
    try:
        proof.finish_the_backfill(proof.kill_a_backfill(AT_ROWS))
        # The last look has to be one after its end.
        rig.clock.sleep(2 * EVERY_S)
    finally:
        rig.watch.end()
    return migration.recorded(rig.folder)


def verdict(measured: Measurement) -> Verdict:
    return judge(Objective("o", measured.name, "at_most", 0, measured.unit), measured).verdict


def test_the_platforms_own_goes_on_where_it_was(rig: Rig) -> None:
    kept = proved(rig)
    for measured in (
        migration.rows_left_out(kept, ROWS), migration.filled_again(kept), migration.gone_over_again(kept),
    ):  # fmt: skip
        assert verdict(measured) is Verdict.PASS, measured
    assert kept.backfilled is not None
    assert (kept.backfilled.gone_over, kept.backfilled.there) == (ROWS + OTHERS, ROWS + OTHERS)
    assert kept.fillings.killed is not None
    assert AT_ROWS <= kept.fillings.killed.filled < ROWS


@pytest.mark.parametrize(
    ("defect", "left", "again"),
    [(f"of({_ADVANCES}, {_FILLS})", BATCH, 0), (f"of({_FILLS}, {_ADVANCES})", 0, BATCH)],
    ids=["progress before its batch", "progress after its batch"],
)
def test_progress_that_is_not_committed_with_its_batch_is_seen(rig: Rig, defect: str, left: int, again: int) -> None:
    kept = proved(rig, defect)
    assert migration.rows_left_out(kept, ROWS).interval == Interval.exactly(left)
    assert migration.filled_again(kept).interval == Interval.exactly(again)
    # By its own account it has gone over every row, and with those of others over more than the drill's; none again.
    assert kept.backfilled is not None
    assert kept.backfilled.gone_over == ROWS + OTHERS
    assert verdict(migration.gone_over_again(kept)) is Verdict.PASS


@pytest.mark.parametrize(
    ("defect", "filled_again", "gone_over_again"),
    [
        (_BACK_TO_THE_FIRST + _WHATEVER_IS_THERE, Verdict.FAIL, Verdict.INCONCLUSIVE),
        # What is read again and not written harms nobody; it may as well have been deleted.
        (_BACK_TO_THE_FIRST, Verdict.PASS, Verdict.INCONCLUSIVE),
    ],
    ids=["writes it again", "reads it again"],
)
def test_a_resume_that_goes_back_and_counts_on_is_seen(
    rig: Rig, defect: str, filled_again: Verdict, gone_over_again: Verdict
) -> None:
    kept = proved(rig, defect)
    found = migration.filled_again(kept)
    assert verdict(found) is filled_again
    assert kept.fillings.killed is not None
    if filled_again is Verdict.FAIL:
        assert found.interval == Interval.exactly(kept.fillings.killed.filled)
    # Its account only ever grows.
    counted = migration.gone_over_again(kept)
    assert counted.interval is not None
    assert counted.interval.low == 0
    assert verdict(counted) is gone_over_again


def test_a_row_is_kept_until_somebody_writes_it(rig: Rig) -> None:
    database = rig.database
    with psycopg.connect(rig.url, autocommit=True) as writer, psycopg.connect(rig.url) as late:
        writer.execute("UPDATE events SET stored_by = 'x' WHERE key < 'seeded-000000500'")
        late.execute("UPDATE events SET stored_by = 'x' WHERE key = 'seeded-000000700'")
        writing = database.writers()
        assert len(writing) == 1
        first = database.filling("")
        assert (first.rows, first.filled, first.kept) == (ROWS, 500, 500)
        late.commit()
        assert not database.writers()
        # What was not committed then is not what was there; what is read, locked, frozen or taken back is.
        writer.execute("SELECT FROM events WHERE key = 'seeded-000000001' FOR UPDATE")
        with writer.transaction(force_rollback=True):
            writer.execute("UPDATE events SET value = 0")
        writer.execute("VACUUM (FREEZE) events")
        second = database.filling(first.snapshot)
        assert (second.filled, second.kept) == (501, 500)
        writer.execute("UPDATE events SET stored_by = 'x' WHERE key < 'seeded-000000003'")
        writer.execute("UPDATE events SET stored_by = 'x' WHERE key = 'seeded-000000800'")
        third = database.filling(first.snapshot)
        assert (third.filled, third.kept) == (502, 497)
    assert database.size() == ROWS + OTHERS
