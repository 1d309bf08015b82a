"""A migration proved on a real PostgreSQL while two releases serve; and each defect caught for its own reason."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import psycopg
import pytest

from drillbook.domain.measurement import Window
from drillbook.domain.migration import locks, proof, rules
from drillbook.domain.migration.locks import Watched
from drillbook.domain.migration.settings import APPLICATION
from drillbook.domain.verdict import Objective, Verdict, judge
from drillbook.drivers import alembic_scripts, squawk
from drillbook.ports import Unreachable
from probes import migration
from probes.recording import recording
from tests.integration.system.conftest import Service, environment_of
from tests.integration.system.proving import EVERY_S, Rig, scripts_with

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from drillbook.domain.measurement import Measurement
    from drillbook.domain.verdict import Direction
    from tests.integration.system.conftest import Migrate

BLOCKED_S = 0.5
"""The tests share their cores with others, so that requests are slow for other reasons than a migration."""
LATENCY_S = 2.0


def verdict(direction: Direction, limit: float, measured: Measurement) -> Verdict:
    return judge(Objective(measured.name, measured.name, direction, limit, measured.unit), measured).verdict


def failures(kept: migration.Recorded) -> set[str]:
    """What a migration did not keep."""
    verdicts = {
        "ways": verdict("at_most", 0, migration.ways_missed(kept)),
        "rows": verdict("at_most", 0, migration.rows_changed(kept)),
        "indexes": verdict("at_most", 0, migration.invalid_indexes(kept)),
        "blocked": verdict("at_most", 0, migration.requests_blocked(kept, BLOCKED_S)),
        "exclusive": verdict("at_most", BLOCKED_S, migration.exclusive_for(kept)),
        "adversary": verdict("at_least", 0.01, migration.queued_behind_the_adversary(kept)),
    }
    for who in (migration.OLDER, migration.NEWER):
        verdicts[f"latency of the {who}"] = verdict("at_most", LATENCY_S, migration.worst_latency(kept, who, LATENCY_S))
        verdicts[f"writes of the {who}"] = verdict("at_most", 0, migration.lost_crosswise(kept, who))
    return {name for name, found in verdicts.items() if found is not Verdict.PASS}


def told(kept: migration.Recorded) -> None:
    """Figures for whoever reads the test's output."""
    measured = [migration.rows_there(kept), migration.longest_request_wait(kept), migration.exclusive_for(kept)]
    measured += [migration.worst_latency(kept, who, LATENCY_S) for who in (migration.OLDER, migration.NEWER)]
    lines = [f"{one.name}: {one.interval} of {one.samples}" for one in measured]
    lines += [f"{one.name}: {one.end_s - one.start_s:.2f} s" for one in kept.steps]
    sys.stdout.write("\n".join(["", *lines, ""]))


def test_the_platforms_migration_goes_unnoticed(database, service: Callable[..., Service], tmp_path: Path) -> None:
    kept = Rig(database, tmp_path / "drills" / "proof").prove(service)
    told(kept)
    assert failures(kept) == set()
    assert migration.lost_crosswise(kept, migration.OLDER).samples > 10
    assert migration.lost_crosswise(kept, migration.NEWER).samples > 10
    assert verdict("at_least", 2000, migration.rows_there(kept)) is Verdict.PASS


@pytest.mark.slow
def test_it_goes_unnoticed_on_two_million_rows(database, service: Callable[..., Service], tmp_path: Path) -> None:
    kept = Rig(database, tmp_path / "drills" / "proof", rows=2_000_000).prove(service, long_transaction_s=5.0)
    told(kept)
    assert failures(kept) == set()
    assert verdict("at_least", 2_000_000, migration.rows_there(kept)) is Verdict.PASS


ADDS = 'op.execute("ALTER TABLE events ADD COLUMN IF NOT EXISTS stored_by text")'
DROPS = 'op.execute("ALTER TABLE events DROP COLUMN IF EXISTS stored_by")'
FORGETS = (
    "    # What a back-fill has filled goes with the column: one that went on from there would leave it out.\n"
    '    op.execute("DROP TABLE IF EXISTS backfills")\n'
)
DELETES = "op.execute(\"DELETE FROM events WHERE starts_with(key, 'seeded-') AND value = 7\")"
ALTERS = "op.execute(\"UPDATE events SET value = 8 WHERE starts_with(key, 'seeded-') AND value = 7\")"
DEFECTS = {
    "ACCESS EXCLUSIVE for 3 s": (
        (ADDS, f'{ADDS}\n    op.execute("SELECT pg_sleep(3)")'),
        {"blocked", "exclusive", "latency of the older", "latency of the newer"},
    ),
    "no way down": (
        ("    with op.get_context().autocommit_block():\n        op.execute(\"SET lock_timeout = '60s'\")\n"
         '        op.execute("DROP INDEX CONCURRENTLY IF EXISTS events_source_occurred_at_value")\n'
         "        op.execute(\"SET lock_timeout = '200ms'\")\n" + FORGETS + f"    {DROPS}",
         '    raise NotImplementedError("restore a backup")'),
        {"ways", "adversary"},
    ),
    "a way down that loses data": (
        (DROPS, f"{DROPS}\n    {DELETES}"),
        {"rows"},
    ),
    "a way down that alters data": (
        (DROPS, f"{DROPS}\n    {ALTERS}"),
        {"rows"},
    ),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", DEFECTS)
def test_a_defect_is_caught_for_its_own_reason(
    name: str, database, service: Callable[..., Service], tmp_path: Path
) -> None:
    replaced, wrong = DEFECTS[name]
    scripts = scripts_with(tmp_path / "migrations", "0002", replaced)
    kept = Rig(database, tmp_path / "drills" / "proof", scripts).prove(service)
    told(kept)
    assert failures(kept) == wrong


@pytest.mark.slow
def test_a_contract_step_before_the_older_release_is_gone_is_seen_on_its_users(
    database, service: Callable[..., Service], tmp_path: Path
) -> None:
    validates = '        op.execute("ALTER TABLE events VALIDATE'
    scripts = scripts_with(
        tmp_path / "migrations",
        "0003",
        # The command refuses a step that says what it is; and the lint one that does not.
        ('phase = "contract"\nserves_from = "1.1.0"', 'phase = "expand"'),
        (validates, f"        return\n{validates}"),
    )
    linted = squawk.lint(alembic_scripts.read(scripts, tmp_path))
    assert "contract-unnamed" in {one.rule for one in rules.lint(linted)}
    rig = Rig(database, tmp_path / "drills" / "proof", scripts)
    rig.migrator.run("upgrade", "0002", deadline_s=60)
    older, newer = service(database, "1.0.0"), service(database, "1.1.0", SLOT="green")
    for one in (older, newer):
        one.wait_until("/readyz", 200)
    load = rig.load("older", older, newer)
    try:
        load.wait_running(deadline_s=60)
        start_s = rig.clock.now()
        rig.migrator.run("upgrade", "0003", deadline_s=60)
        rig.clock.sleep(2.0)
        load.stop()
    finally:
        load.kill()
    found = recording(rig.folder / "older")
    window = Window(start_s, rig.clock.now())
    asked = proof.answers_of_older(found.metered(), ["1.0.0"], window.start_s, window.end_s)
    assert verdict("at_most", 0, asked) is Verdict.FAIL
    worst = proof.worst_latency(found.metered(), found.stalls(), window, "worst")
    assert verdict("at_most", LATENCY_S, worst) is Verdict.FAIL
    assert "server_error" in set(found.metered().due_within(window.start_s, window.end_s).outcome)


RESTARTS = (
    "from analytics import backfill;"
    "backfill._BEGIN = backfill._BEGIN.replace(' WHERE backfills.finished_at IS NOT NULL', '');"
)
RUN = "import os; from analytics import backfill; backfill.run(os.environ['DATABASE_URL'], batch=50, pause_s=0.02)"


@pytest.mark.parametrize(("defect", "seen"), [("", Verdict.PASS), (RESTARTS, Verdict.FAIL)], ids=["good", "from zero"])
def test_a_backfill_that_restarts_from_zero_is_seen_in_its_progress(
    defect: str, seen: Verdict, database, tmp_path: Path, migrate: Migrate
) -> None:
    migrate(database, "1.1.0", "upgrade")
    rig = Rig(database, tmp_path / "drills" / "proof", rows=3000)
    rig.database.seed(rig.rows)

    def run() -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-c", defect + RUN], env=environment_of(DATABASE_URL=database, VERSION="1.1.0")
        )

    def gone_over() -> int:
        return max((look.progress or 0 for look in migration.recorded(rig.folder).looks), default=0)

    rig.watch.start()
    start_s = rig.clock.now()
    rig.clock.sleep(4 * EVERY_S)
    with run() as first:
        deadline_s = time.monotonic() + 30
        while gone_over() < 500:
            assert time.monotonic() < deadline_s, "it makes no progress"
            time.sleep(0.02)
        first.send_signal(signal.SIGKILL)
    with run() as second:
        assert second.wait(60) == 0
    # The last look has to be one after its end.
    rig.clock.sleep(2 * EVERY_S)
    end_s = rig.clock.now()
    rig.watch.end()
    rig.database.stop_looking()
    kept = migration.recorded(rig.folder)
    measured = locks.gone_over_again(Watched(kept.looks, Window(start_s, end_s - EVERY_S), EVERY_S), 0)
    assert verdict("at_most", 0, measured) is seen, measured
    if seen is Verdict.FAIL:
        assert measured.interval is not None
        assert measured.interval.low >= 300


def test_an_unreachable_database_is_said(tmp_path: Path) -> None:
    rig = Rig("postgresql://postgres@127.0.0.1:9/none", tmp_path / "drills" / "proof")
    for ask in (rig.database.revision, rig.database.contents, lambda: rig.database.seed(1), rig.database.remove_seed,
                rig.database.invalid_indexes, lambda: rig.database.look(rig.clock.now)):  # fmt: skip
        with pytest.raises(Unreachable, match=r"127\.0\.0\.1:9"):
            ask()
    with pytest.raises(Unreachable, match="ended with exit code 1"):
        rig.migrator.run("current", "", deadline_s=30)


def test_a_lock_is_told_with_its_transaction(database: str, migrate: Migrate, tmp_path: Path) -> None:
    migrate(database, "1.1.0", "upgrade")
    rig = Rig(database, tmp_path / "drills" / "proof")

    def holder() -> str:
        look = rig.database.look(rig.clock.now)
        assert APPLICATION in look.names
        (held,) = look.held
        assert (held.application, held.relation) == (APPLICATION, "events")
        return held.transaction

    with psycopg.connect(database, application_name=APPLICATION) as connection:
        seen: list[tuple[str, str]] = []
        for _ in range(2):
            connection.execute("LOCK TABLE events IN ACCESS EXCLUSIVE MODE")
            first = holder()
            connection.execute("SELECT 1")
            seen.append((first, holder()))
            connection.rollback()
    rig.database.stop_looking()
    (one, still_one), (other, still_other) = seen
    assert one == still_one
    assert other == still_other
    assert "" != one != other


def test_an_invalid_index_is_named(database: str, migrate: Migrate, tmp_path: Path) -> None:
    migrate(database, "1.1.0", "upgrade")
    rig = Rig(database, tmp_path / "drills" / "proof")
    assert rig.database.invalid_indexes() == []
    rig.database.seed(rig.rows)
    with pytest.raises(Unreachable), rig.database._asking("build an index that is not unique") as connection:
        connection.execute("CREATE UNIQUE INDEX CONCURRENTLY twice ON events (kind)")
    assert rig.database.invalid_indexes() == ["twice"]
    rig.database.remove_seed()
    assert rig.database.contents()[0] == 0
