"""The database's migrations: their scripts, and one that is taken up and down under load."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_bdd import given, parsers, then, when

from drillbook.drills import migration as migration_drill
from probes import migration
from probes.integrity import events_duplicated

if TYPE_CHECKING:
    from drillbook.drills.drill import Drill
    from drillbook.drills.inspection import Inspection


@given("the platform's migrations")
def _(inspection: Inspection) -> None:
    inspection.read_migrations()


@given(parsers.parse("its table has at least {rows:d} rows, and its schema is that of release {release}"))
def _(drill: Drill, rows: int, release: str) -> None:
    migration_drill.prepare(drill, rows, release)


@when(
    parsers.parse(
        "release {release} serves beside it, and its migration goes up, down, and up again behind a transaction of "
        "{hold_s:g} s"
    )
)
def _(drill: Drill, release: str, hold_s: float) -> None:
    migration_drill.prove(drill, release, hold_s)


@then(parsers.parse("each way led where it was to on at least {rows:d} rows, and left no invalid index"))
def _(drill: Drill, rows: int) -> None:
    kept = migration.recorded(drill.folder)
    drill.check("migration.ways", "up, down and up again", "at_most", 0, migration.ways_missed(kept))
    drill.check("migration.size", f"proved on {rows} rows", "at_least", rows, migration.rows_there(kept))
    drill.check("migration.indexes", "no index is left invalid", "at_most", 0, migration.invalid_indexes(kept))


@when(parsers.parse("its back-fill is killed after {rows:d} rows, a contract step is tried, and the back-fill goes on"))
def _(drill: Drill, rows: int) -> None:
    migration_drill.kill_backfill(drill, rows)


@then(parsers.parse("the back-fill went over each of at least {rows:d} rows, and over none again"))
def _(drill: Drill, rows: int) -> None:
    kept = migration.recorded(drill.folder)
    drill.check("backfill.left", "no row is left out", "at_most", 0, migration.rows_left_out(kept, rows))
    again = migration.gone_over_again(kept)
    drill.check("backfill.again", "it goes on where it was killed", "at_most", 0, again)
    twice = migration.filled_again(kept)
    drill.check("backfill.twice", "no row that was filled is filled again", "at_most", 0, twice)


@then(parsers.parse("the contract step was refused while release {release} served"))
def _(drill: Drill, release: str) -> None:
    version = drill.platform.version_of(release)
    taken = migration.contracted_prematurely(migration.recorded(drill.folder), version)
    drill.check("migration.premature", f"no step ends release {version} while it serves", "at_most", 0, taken)


@then("the rows are what they were after each way")
def _(drill: Drill) -> None:
    changed = migration.rows_changed(migration.recorded(drill.folder))
    drill.check("migration.rows", "no row is lost, altered or added", "at_most", 0, changed)


@then("the migration was seen to queue behind the long transaction")
def _(drill: Drill) -> None:
    queued = migration.queued_behind_the_adversary(migration.recorded(drill.folder))
    drill.check("migration.adversary", "the migration met the long transaction", "at_least", 0.001, queued)


@then(parsers.parse("no request waited behind the migration for longer than {limit_s:g} s"))
def _(drill: Drill, limit_s: float) -> None:
    kept = migration.recorded(drill.folder)
    waited = f"no wait for a lock is longer than {limit_s:g} s"
    drill.check("migration.lock_wait", waited, "at_most", limit_s, migration.longest_request_wait(kept))
    blocked = f"no request is blocked for longer than {limit_s:g} s"
    drill.check("migration.blocked", blocked, "at_most", 0, migration.requests_blocked(kept, limit_s))
    held = f"ACCESS EXCLUSIVE is held for at most {limit_s:g} s"
    drill.check("migration.exclusive", held, "at_most", limit_s, migration.exclusive_for(kept))


@then(parsers.parse("every answer came within {limit_s:g} s of when its request was due"))
def _(drill: Drill, limit_s: float) -> None:
    kept = migration.recorded(drill.folder)
    for who in ("", migration.OLDER, migration.NEWER):
        statement = f"the worst latency of {who or 'the public'} is at most {limit_s:g} s"
        measured = migration.worst_latency(kept, who, limit_s)
        drill.check(f"migration.worst_latency.{who or 'public'}", statement, "at_most", limit_s, measured)


@then("what each release acknowledged is there for the other, once and unchanged")
def _(drill: Drill) -> None:
    kept = migration.recorded(drill.folder)
    for who in (migration.OLDER, migration.NEWER):
        statement = f"no event of the {who} release is lost or altered for the other"
        drill.check(f"migration.crosswise.{who}", statement, "at_most", 0, migration.lost_crosswise(kept, who))
        doubled = events_duplicated(drill.folder / who)
        drill.check(f"migration.doubled.{who}", f"no event of the {who} release is there twice", "at_most", 0, doubled)


@then(parsers.re(r"every migration (?P<promise>.+)"))
def _(inspection: Inspection, promise: str) -> None:
    inspection.check_migrations(promise)
