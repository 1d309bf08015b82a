"""A migration of the platform, proved on a PostgreSQL of the test's own while both releases serve."""

from __future__ import annotations

import dataclasses
import shutil
import sys
from typing import TYPE_CHECKING, Any

from drillbook.actions.migration_proof import Proof
from drillbook.domain.migration.settings import APPLICATION, Table
from drillbook.drivers.lock_watch import LockWatch
from drillbook.drivers.migrated_database import MigratedDatabase
from drillbook.drivers.migration_command import MigrationCommand
from drillbook.run.clock import SteadyClock
from drillbook.run.folder import append_line
from drillbook.run.load import Load
from probes import migration
from tests.integration.system.conftest import SYSTEM, Service

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

EVERY_S = 0.05
RATE_HZ = 10
PROGRESS = "SELECT rows FROM backfills"
TABLE = Table(
    name="events",
    columns=("key", "source", "occurred_at", "kind", "value", "received_at"),
    seeded="key LIKE 'seeded-%'",
    unfilled="stored_by IS NULL",
    seed="""
        INSERT INTO events (key, source, occurred_at, kind, value, received_at)
        SELECT 'seeded-' || lpad(n::text, 9, '0'), 'seeded-' || n %% 100, timestamptz '2026-01-01' + n * interval '1 s',
               'seeded', n %% 1000, timestamptz '2026-01-01'
        FROM generate_series(%(first)s::bigint, %(first)s::bigint + %(count)s - 1) AS n
    """,
)


def scripts_with(folder: Path, revision: str, *replaced: tuple[str, str]) -> Path:
    """The platform's migrations with something replaced in one of them."""
    shutil.copytree(SYSTEM / "migrations", folder)
    (file,) = (folder / "versions").glob(f"{revision}_*.py")
    text = file.read_text()
    for old, new in replaced:
        assert old in text, f"{file.name} does not hold {old!r}"
        text = text.replace(old, new)
    file.write_text(text)
    return folder


@dataclasses.dataclass
class Rig:
    """What a proof needs, on loopback.

    Attributes:
        url: The database.
        folder: The drill's.
        scripts: Migrations, maybe with a defect.
        rows: On which it is proved.
    """

    url: str
    folder: Path
    scripts: Path = SYSTEM / "migrations"
    rows: int = 2000
    clock: SteadyClock = dataclasses.field(default_factory=SteadyClock.starting_now)

    def __post_init__(self) -> None:
        self.database = MigratedDatabase(self.url, str, TABLE, PROGRESS)
        self.migrator = MigrationCommand(
            (sys.executable, "-m", "analytics.migrate", "{way}", "--to", "{to}", "--within", "60"),
            {"DATABASE_URL": "{url}", "VERSION": "1.1.0", "ANALYTICS_MIGRATIONS": str(self.scripts),
             "PYTHONPATH": str(SYSTEM / "app")},
            self.url, str, self.folder,
        )  # fmt: skip
        self.folder.mkdir(parents=True, exist_ok=True)
        self.proof = Proof(self.database, self.migrator, self.clock, self.note, "0002")
        self.watch = LockWatch(self.database, self.clock, self.folder / migration.FOLDER / migration.LOOKS, EVERY_S)
        self.note("settings", {"application": APPLICATION, "every_s": EVERY_S})

    def note(self, kind: str, fact: Any) -> None:
        """Keep a fact."""
        path = self.folder / migration.FOLDER / migration.RECORD
        path.parent.mkdir(exist_ok=True)
        append_line(path, {"kind": kind, **fact})

    def load(self, who: str, at: Service, read_back_from: Service) -> Load:
        """Users of one release, whose writes the other one is asked for in the end."""
        output = self.folder / who / "load"
        return Load.start(
            {
                "base_url": at.url, "workload": "loadtests.analytics:AnalyticsWorkload", "namespace": f"proof-{who}",
                "meter": {"rate_hz": RATE_HZ, "max_in_flight": 200, "timeout_s": 5}, "analysts": 0, "collectors": 0,
                "max_duration_s": 300, "output": str(output), "read_back": {"base_url": read_back_from.url},
                "clock": {"wall_s": self.clock.wall_s, "monotonic_s": self.clock.monotonic_s},
            },
            output,
        )  # fmt: skip

    def prove(self, service: Callable[..., Service], *, long_transaction_s: float = 2.0) -> migration.Recorded:
        """Up, down, and up again behind a long transaction, while both releases serve."""
        self.migrator.run("upgrade", "0001", deadline_s=60)
        older, newer = service(self.url, "1.0.0"), service(self.url, "1.1.0", SLOT="green")
        for one in (older, newer):
            one.wait_until("/readyz", 200)
        self.database.seed(self.rows)
        loads = [self.load("older", older, newer), self.load("newer", newer, older)]
        try:
            for load in loads:
                load.wait_running(deadline_s=60)
            self.watch.start()
            self.proof.read()
            self.proof.go("up", "0002")
            self.proof.go("down", "0001")
            self.proof.go_behind_a_long_transaction("up again", "0002", long_transaction_s)
            # Requests that met the end of it are answered.
            self.clock.sleep(2.0)
            self.watch.end()
            for load in loads:
                load.stop()
        finally:
            self.watch.end()
            self.database.stop_looking()
            for load in loads:
                load.kill()
        return migration.recorded(self.folder)
