"""Backups of a real database, restored by the drill's own scripts: what is wrong with them is found for its reason."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

from drillbook.domain.restored import RUNGS, RUNGS_OF_TABLE
from drillbook.drivers.aside_table import ASIDE, PUTS_BACK, AsideTable
from drillbook.drivers.restore_script import PUT_BACK, SCRIPT
from drillbook.ports import Conflict, TableState
from tests.integration.system.backed_up import BackedUp, spoilt

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drillbook.domain.restored import Restored

pytestmark = pytest.mark.slow
EARLY = ('--type=time --target="$target"', "--type=immediate")


@pytest.fixture(scope="module")
def made() -> Iterator[BackedUp]:
    with tempfile.TemporaryDirectory(prefix="drillbook-restores-") as name:
        found = BackedUp(Path(name))
        found.begin()
        yield found
        found.end()


@pytest.fixture
def database(made: BackedUp) -> Iterator[BackedUp]:
    """With events of before a moment and after it, archived; whatever a test does to it is taken back."""
    made.do("TRUNCATE events; INSERT INTO events (key, value) VALUES ('seed', 0)")
    yield made
    made.do(f"DROP SCHEMA IF EXISTS {ASIDE} CASCADE")
    made.do("ALTER SYSTEM RESET ALL")
    made.do("SELECT pg_reload_conf()")
    made.configure(1, 2)


@pytest.fixture
def table(database: BackedUp) -> AsideTable:
    return AsideTable("public.events", "home", {"home": database.address()}, lambda: "")


def between(database: BackedUp) -> str:
    """Two events, a moment between them, and all of it archived."""
    database.write("drill-before")
    moment = database.moment()
    database.write("drill-after")
    database.archive()
    return moment


def not_so(found: Restored, rungs=RUNGS) -> dict[str, str]:
    return {rung: found.words(rung) for rung in rungs if not found.holds(rung)}


def test_what_is_sound_holds_on_every_rung_to_the_moment(database) -> None:
    moment = between(database)
    for key in (1, 2):
        found = database.restored(key, moment)
        assert not_so(found) == {}
        assert found.events.keys() == {"drill-before"}
        assert found.originals.keys() == {"drill-before", "drill-after"}
        assert found.events["drill-before"] == found.originals["drill-before"]


def test_a_flipped_bit_in_a_backup_is_found_before_it_is_needed_and_when_it_is(database) -> None:
    moment = between(database)
    bundle = max((database.copied() / "repo1" / "backup").rglob("bundle/*"), key=lambda path: path.stat().st_size)
    content = bytearray(bundle.read_bytes())
    content[len(content) // 2] ^= 1
    bundle.write_bytes(content)
    found = database.restored(1, moment)
    assert {"verify", "restore"} <= not_so(found).keys()
    assert "error" in found.words("verify")
    assert "ERROR" in found.words("restore")
    assert not_so(database.restored(2, moment)) == {}


def test_wal_that_is_gone_from_the_middle_is_no_recovery(database) -> None:
    moment = between(database)
    database.write("drill-more")
    database.archive()
    segments = sorted((database.copied() / "repo1" / "archive").rglob("0*-*.*"))
    for segment in segments[-2:]:
        segment.unlink()
    found = database.restored(1, moment)
    assert "recovery" in not_so(found)
    assert "recovery ended before configured recovery target was reached" in found.words("recovery")


def test_a_restore_that_silently_stops_early_is_found_by_the_ledger(database) -> None:
    """As soon as it is consistent: PostgreSQL has nothing to complain of."""
    moment = between(database)
    found = database.restored(1, moment, script=spoilt(SCRIPT, *EARLY))
    assert not_so(found) == {}
    assert "drill-before" not in found.events


@pytest.mark.parametrize(
    ("statement", "rung"),
    [
        ("SELECT setval('counted_n_seq', 1)", "sequences"),
        ("REFRESH MATERIALIZED VIEW totals WITH NO DATA", "objects"),
        ("DROP MATERIALIZED VIEW totals", "objects"),
        ("DROP INDEX events_value", "objects"),
    ],
)
def test_what_a_restore_leaves_out_is_found(database, statement, rung) -> None:
    moment = between(database)
    started = "start; code=$?\n"
    found = database.restored(1, moment, script=spoilt(SCRIPT, started, f'{started}ask "{statement}"> /dev/null\n'))
    assert not_so(found).keys() == {rung}


def test_a_destroyed_table_comes_back_row_for_row_and_goes_on(database, table) -> None:
    for n in range(20):
        database.write(f"drill-{n}")
    table.destroy()
    gone = table.state("home")
    assert (gone.live, gone.aside) == (False, True)
    database.archive()
    found = database.put_back(1, gone.moment)
    assert not_so(found, RUNGS_OF_TABLE) == {}
    assert found.events == found.originals
    assert len(found.events) == 20
    assert database.do("INSERT INTO events (key, value) VALUES ('next', 1) RETURNING n") > database.do(
        "SELECT max(n) FROM events WHERE key <> 'next'"
    )
    assert table.bring_back() == 0
    assert table.state("home") == TableState(live=True, aside=False, kept=False, moment="")
    assert database.do("SELECT count(*) FROM events") == 22
    assert database.do("SELECT count(*) FROM pg_indexes WHERE tablename = 'events'") == 2


def test_a_restore_that_stops_early_is_found_by_its_rows_and_the_undo_gives_them_back(database, table) -> None:
    database.write("drill-before")
    table.destroy()
    database.archive()
    found = database.put_back(1, table.state("home").moment, script=spoilt(PUT_BACK, *EARLY))
    assert not_so(found, RUNGS_OF_TABLE).keys() == {"rows"}
    before = database.do("SELECT count(*) FROM events")
    assert table.bring_back() > 0
    assert database.do("SELECT count(*) FROM events WHERE key = 'drill-before'") == 1
    assert database.do("SELECT count(*) FROM events") > before


def test_a_sequence_that_is_not_put_back_is_found(database, table) -> None:
    database.write("drill-before")
    table.destroy()
    database.archive()
    without = spoilt(PUT_BACK, "2>&1); code=$?\n", "2>&1); code=$?; sed -i /setval/d $scratch/dump.sql\n")
    found = database.put_back(1, table.state("home").moment, script=without)
    assert not_so(found, RUNGS_OF_TABLE).keys() == {"sequences-put-back"}
    table.bring_back()


def test_what_was_altered_on_the_way_is_not_put_back(database, table) -> None:
    database.write("drill-before")
    table.destroy()
    database.archive()
    altered = spoilt(
        PUT_BACK, "2>&1); code=$?\n", "2>&1); code=$?; sed -i s/drill-before/drill-behind/ $scratch/dump.sql\n"
    )
    found = database.put_back(1, table.state("home").moment, script=altered)
    assert "it is not what was restored" in found.words("put-back")
    assert not table.state("home").live
    table.bring_back()
    assert database.do("SELECT count(*) FROM events WHERE key = 'drill-before'") == 1


def test_who_comes_late_puts_nothing_over_what_is_back(database, table) -> None:
    """The runner died, the table was brought back by whoever recovered, and the job went on."""
    database.write("drill-before")
    table.destroy()
    database.archive()
    moment = table.state("home").moment
    assert table.bring_back() == 0
    database.write("drill-since")
    found = database.put_back(1, moment)
    assert 'relation "events" already exists' in found.words("put-back")
    assert database.do("SELECT count(*) FROM events WHERE key LIKE 'drill-%'") == 2


def test_whoever_undoes_does_not_wait_for_who_is_still_at_it(database, table) -> None:
    """The runner died while what was restored went into the table."""
    database.write("drill-before")
    table.destroy()
    with psycopg.connect(database.address(), application_name=PUTS_BACK) as late:
        late.execute("CREATE TABLE public.events (key text)")
        assert table.bring_back() == 0
        with pytest.raises(psycopg.OperationalError, match="terminating connection"):
            late.execute("COMMIT")
    assert database.do("SELECT count(*) FROM events WHERE key = 'drill-before'") == 1


def test_destroying_and_undoing_may_be_done_twice(database, table) -> None:
    table.destroy()
    moment = table.state("home").moment
    table.destroy()
    assert table.state("home").moment == moment
    assert [table.bring_back(), table.bring_back()] == [0, 0]
    assert database.do("SELECT count(*) FROM events") == 1


def test_writes_since_it_was_put_back_are_kept_and_a_place_that_is_taken_is_a_conflict(database, table) -> None:
    database.do("INSERT INTO events (n, key, value) VALUES (1000001, 'drill-lost', 1)")
    database.do("CREATE UNIQUE INDEX events_n ON events (n)")
    table.destroy()
    database.do(f"CREATE TABLE public.events (LIKE {ASIDE}.events INCLUDING ALL)")
    database.do("INSERT INTO events (n, key, value) VALUES (1000001, 'drill-since', 2)")
    with pytest.raises(Conflict, match=r"lacks 1 rows that drillbook_aside\.events has"):
        table.bring_back()
    assert table.state("home").aside
    database.do("UPDATE events SET n = 5 WHERE key = 'drill-since'")
    assert table.bring_back() == 2
    assert database.do("SELECT string_agg(key, ' ' ORDER BY key) FROM events") == "drill-lost drill-since seed"
    database.do("DROP INDEX IF EXISTS events_n")


@pytest.mark.parametrize(
    ("statement", "why", "undo"),
    [
        ("CREATE VIEW of_it AS SELECT key FROM events", "the view of_it", "DROP VIEW of_it"),
        ("CREATE MATERIALIZED VIEW of_it AS SELECT key FROM events", "the view of_it", "DROP MATERIALIZED VIEW of_it"),
        ("CREATE TABLE of_it (key text REFERENCES events)", "the foreign key", "DROP TABLE of_it"),
        (
            "ALTER TABLE events DROP CONSTRAINT events_pkey",
            "no primary key",
            "ALTER TABLE events ADD PRIMARY KEY (key)",
        ),
    ],
)
def test_what_could_not_be_put_back_as_it_was_is_not_destroyed(database, table, statement, why, undo) -> None:
    database.do(statement)
    try:
        with pytest.raises(Conflict, match=why):
            table.destroy()
        assert table.state("home") == TableState(live=True, aside=False, kept=False, moment="")
    finally:
        database.do(undo)


def test_archiving_that_claims_to_work_is_found_by_the_look_and_by_the_restore(database) -> None:
    database.do("ALTER SYSTEM SET archive_command = 'true pgbackrest archive-push %p'")
    database.do("SELECT pg_reload_conf()")
    database.do("SELECT pg_switch_wal()")
    database.write("drill-before")
    moment = database.moment()
    database.write("drill-after")
    report = database.report()
    assert report.check_code != 0
    assert "was not archived" in report.check_said
    found = database.restored(1, moment)
    assert "recovery ended before configured recovery target was reached" in found.words("recovery")
    database.do("ALTER SYSTEM RESET archive_command")
    database.do("SELECT pg_reload_conf()")
    for key in (1, 2):
        database.back(f"--repo={key}", "--type=full", "backup")  # what was not archived is a gap for ever
