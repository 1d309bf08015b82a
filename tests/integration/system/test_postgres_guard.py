"""Two regions' PostgreSQL as their pods start it, on loopback: who may be a primary, and who may not any more."""

from __future__ import annotations

import contextlib
import os
import pwd
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

from drillbook.drivers.postgresql import PostgreSQL
from drillbook.ports import Unreachable
from tests.integration.system.conftest import SYSTEM, free_port

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

FILES = SYSTEM / "charts" / "platform" / "files"
BIN = Path("/usr/lib/postgresql/15/bin")
WITHIN_S = 60.0


@dataclass
class Region:
    """One region's pod, without Kubernetes."""

    top: Path
    role: str
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        for name in ("etc", "run", "secrets", "lib"):
            (self.top / name).mkdir(parents=True)
        for name in ("superuser", "replication", "app", "recovery"):
            (self.top / "secrets" / name).write_text("secret")
        (self.top / "etc" / "postgresql.conf").write_text(
            f"data_directory = '{self.top}/lib/data'\nhba_file = '{self.top}/etc/hba'\n"
            f"ident_file = '{self.top}/lib/data/pg_ident.conf'\nport = {self.port}\n"
            f"listen_addresses = '127.0.0.1'\nunix_socket_directories = '{self.top}/run'\nfsync = off\n"
            "wal_log_hints = on\nwal_keep_size = 256MB\nwal_retrieve_retry_interval = 200ms\n"
            "wal_receiver_status_interval = 1s\nwal_sender_timeout = 2s\n"
        )
        (self.top / "etc" / "hba").write_text(
            "local all all trust\nhost all all all scram-sha-256\nhost replication all all scram-sha-256\n"
        )
        for name in ("start", "guard", "lost"):
            text = (FILES / f"postgres-{name}.sh").read_text()
            for old, new in (
                ("/var/lib/postgresql", "lib"), ("/run/secrets/postgres", "secrets"), ("/etc/postgresql", "etc"),
                ("/run/postgresql", "run"),
            ):  # fmt: skip
                text = text.replace(old, f"{self.top}/{new}")
            (self.top / "etc" / f"{name}.sh").write_text(text)

    def start(self, peer: Region, *, orders: str = "", lease_s: int = 0) -> None:
        """Like the kubelet; does not wait."""
        account = pwd.getpwnam("postgres") if os.geteuid() == 0 else None
        if account:
            for path in (self.top, *self.top.rglob("*")):
                os.chown(path, account.pw_uid, account.pw_gid)
        environment = {
            "PATH": "/usr/bin:/bin", "ROLE": self.role, "REPLICATION_SLOT": f"standby_{self.role}",
            "PRIMARY_HOST": "127.0.0.1", "PRIMARY_PORT": str(peer.port), "PEER_HOST": "127.0.0.1",
            "PEER_PORT": str(peer.port), "ORDERS": orders, "LEASE_S": str(lease_s), "PGPORT": str(self.port),
            "STANZA": "main", "PGBACKREST_CONFIG": f"{self.top}/etc/pgbackrest.conf",
        }  # fmt: skip
        with (self.top / "log").open("ab") as log:
            self.process = subprocess.Popen(
                ["/bin/sh", self.top / "etc" / "start.sh"], env=environment, stdout=log, stderr=log, cwd="/",
                user=account.pw_uid if account else None, group=account.pw_gid if account else None,
                extra_groups=[] if account else None,
            )  # fmt: skip

    def use_instead(self, program: str, text: str) -> None:
        """From its next start on this in the place of one of PostgreSQL's programs."""
        there = self.top / "bin"
        there.mkdir()
        for name in BIN.iterdir():
            (there / name.name).symlink_to(name)
        (there / program).unlink()
        (there / program).write_text(text)
        (there / program).chmod(0o755)
        start = self.top / "etc" / "start.sh"
        start.write_text(start.read_text().replace(f"bin={BIN}\n", f"bin={there}\n"))

    def ask(self, statement: str) -> str:
        """The first value of the answer, as text; empty for none."""
        address = f"host=127.0.0.1 port={self.port} user=postgres password=secret dbname=postgres connect_timeout=2"
        with psycopg.connect(address, autocommit=True) as connection:
            found = connection.execute(statement.encode())
            row = found.fetchone() if found.description else None
            return str(row[0]) if row else ""

    def wait(self, statement: str, answer: str) -> None:
        """Until it answers this."""
        deadline, found = time.monotonic() + WITHIN_S, ""
        while found != answer:
            if time.monotonic() > deadline:
                pytest.fail(f"{statement} gave {found!r} and not {answer!r}\n{self.log()}")
            try:
                found = self.ask(statement)
            except psycopg.Error as error:
                found = str(error)
            time.sleep(0.05)

    def ended(self) -> str:
        """Wait for it to end by itself; answers its log."""
        assert self.process is not None
        try:
            self.process.wait(WITHIN_S)
        except subprocess.TimeoutExpired:
            pytest.fail(f"it still runs:\n{self.log()}")
        return self.log()

    def stop(self) -> None:
        """In order."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(WITHIN_S)

    def kill(self) -> None:
        """At once, with its server, as a machine that is gone."""
        assert self.process is not None
        server = (self.top / "lib" / "data" / "postmaster.pid").read_text().split()[0]
        for pid in (self.process.pid, int(server)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL if pid == self.process.pid else signal.SIGQUIT)
        self.process.wait(WITHIN_S)
        deadline = time.monotonic() + WITHIN_S
        while Path(f"/proc/{server}").exists():
            assert time.monotonic() < deadline, "its server does not end"
            time.sleep(0.05)

    def gone(self, name: str) -> None:
        """Wait until a directory of its volume is removed."""
        deadline = time.monotonic() + WITHIN_S
        while (self.top / "lib" / name).exists():
            assert time.monotonic() < deadline, f"{name} is still there\n{self.log()}"
            time.sleep(0.05)

    def log(self) -> str:
        """Of all its starts."""
        return (self.top / "log").read_text()


@pytest.fixture
def regions() -> Iterator[tuple[Region, Region]]:
    with two_servers() as made:
        yield made


@contextlib.contextmanager
def two_servers() -> Generator[tuple[Region, Region]]:
    """A primary with its standby, which streams."""
    with tempfile.TemporaryDirectory(prefix="drillbook-guard-") as name:
        Path(name).chmod(0o755)
        east, west = Region(Path(name) / "east", "primary"), Region(Path(name) / "west", "standby")
        try:
            east.start(west)
            east.wait("SELECT pg_is_in_recovery()", "False")
            west.start(east)
            east.wait("SELECT state FROM pg_stat_replication WHERE application_name = 'standby_standby'", "streaming")
            yield east, west
        finally:
            west.stop()
            east.stop()


def test_a_primary_that_returns_to_a_newer_timeline_is_refused_and_follows_it_when_ordered(
    regions: tuple[Region, Region],
) -> None:
    east, west = regions
    east.ask("CREATE TABLE kept AS SELECT 1 AS n")
    west.wait("SELECT count(*) FROM pg_class WHERE relname = 'kept'", "1")
    west.ask("SELECT pg_promote(true, 20)")
    # A split brain, made on purpose: both took writes.
    west.ask("CREATE TABLE of_the_west AS SELECT 2 AS n")
    east.ask("CREATE TABLE lost AS SELECT 3 AS n")
    east.stop()
    east.start(west)
    assert "REFUSED: the other region has gone on to timeline 2, and this primary stands on 1" in east.ended()
    east.start(west, orders="fenced")
    assert "FENCED: ordered not to start" in east.ended()
    east.start(west, orders="standby")
    west.wait("SELECT state FROM pg_stat_replication WHERE application_name = 'standby_primary'", "streaming")
    east.wait("SELECT count(*) FROM pg_class WHERE relname IN ('kept', 'of_the_west')", "2")
    assert east.ask("SELECT count(*) FROM pg_class WHERE relname = 'lost'") == "0"
    assert east.ask("SELECT pg_is_in_recovery()") == "True"
    assert "copying the other region's server anew" not in east.log()


# What it keeps of the log begins where the last common checkpoint was written, not where that begins to replay.
FORGETFUL_REWIND = """#!/bin/sh
{real}/pg_rewind "$@" || exit
data={data}
first=$(sed -n 's/^START WAL LOCATION: .*(file \\([0-9A-F]*\\)).*/\\1/p' "$data/backup_label")
rm "$data/pg_wal/$first"
"""


def test_a_primary_that_the_other_regions_log_no_longer_reaches_back_to_is_copied_anew(
    regions: tuple[Region, Region],
) -> None:
    east, west = regions
    east.ask("CREATE TABLE kept AS SELECT 1 AS n")
    east.ask("CHECKPOINT")
    east.ask("SELECT pg_switch_wal()")
    east.ask("CREATE TABLE filled AS SELECT 1 AS n")
    west.wait("SELECT count(*) FROM pg_class WHERE relname = 'filled'", "1")
    west.ask("ALTER SYSTEM SET wal_keep_size = 0")
    west.ask("SELECT pg_reload_conf()")
    east.kill()
    west.ask("SELECT pg_promote(true, 20)")
    west.ask("CREATE TABLE of_the_west AS SELECT 2 AS n")
    west.ask("CHECKPOINT")
    east.use_instead("pg_rewind", FORGETFUL_REWIND.format(real=BIN, data=east.top / "lib" / "data"))
    east.start(west, orders="standby")
    west.wait("SELECT state FROM pg_stat_replication WHERE application_name = 'standby_primary'", "streaming")
    east.wait("SELECT count(*) FROM pg_class WHERE relname IN ('kept', 'filled', 'of_the_west')", "3")
    assert east.ask("SELECT pg_is_in_recovery()") == "True"
    assert "copying the other region's server anew" in east.log()


def test_a_primary_whose_standby_is_silent_stops_and_does_not_start_without_it(regions: tuple[Region, Region]) -> None:
    east, west = regions
    east.stop()
    east.start(west, lease_s=2)
    east.wait("SELECT state FROM pg_stat_replication WHERE application_name = 'standby_standby'", "streaming")
    west.stop()
    assert "FENCED: no standby was heard of for 2 s" in east.ended()
    east.start(west)
    deadline = time.monotonic() + WITHIN_S
    while "does not say what it is" not in east.log():
        assert time.monotonic() < deadline, east.log()
        time.sleep(0.05)
    with pytest.raises(psycopg.OperationalError):
        east.ask("SELECT 1")
    west.start(east)  # on its own it is a standby still
    east.wait("SELECT pg_is_in_recovery()", "False")


def test_a_standby_that_starts_by_an_order_for_a_primary_has_a_lease_once_it_is_one(
    regions: tuple[Region, Region],
) -> None:
    east, west = regions
    west.stop()
    west.start(east, orders="primary", lease_s=10)
    west.wait("SELECT pg_is_in_recovery()", "True")
    east.stop()
    west.ask("SELECT pg_promote(true, 60)")
    east.start(west, orders="standby")
    west.wait("SELECT state FROM pg_stat_replication WHERE application_name = 'standby_primary'", "streaming")
    time.sleep(4)  # its look comes once a second, and takes up to two
    east.stop()
    assert "FENCED: no standby was heard of for 10 s" in west.ended()


def test_an_empty_volume_beside_a_primary_makes_no_second_database(regions: tuple[Region, Region]) -> None:
    east, west = regions
    east.stop()
    west.ask("SELECT pg_promote(true, 20)")
    (east.top / "lib" / "data").rename(east.top / "lib" / "gone")
    east.start(west)
    assert "REFUSED: this volume is empty" in east.ended()
    east.start(west, orders="standby")
    west.wait("SELECT state FROM pg_stat_replication WHERE application_name = 'standby_primary'", "streaming")


def test_the_driver_says_what_a_server_is_and_hands_over_without_a_write_lost(regions: tuple[Region, Region]) -> None:
    east, west = regions
    drivers = [
        PostgreSQL(
            it.role, f"host=127.0.0.1 port={it.port} user=recovery dbname=postgres", lambda: "secret", "analytics"
        )
        for it in regions
    ]
    old, new = drivers
    first, second = old.status(), new.status()
    assert (first.primary, first.timeline, first.held) == (True, 1, False)
    assert (second.primary, second.timeline, second.receiving) == (False, 1, True)
    assert first.system == second.system
    new.detach()
    assert not new.status().receiving
    east.ask("CREATE TABLE kept AS SELECT 1 AS n")
    new.attach()
    west.wait("SELECT count(*) FROM pg_class WHERE relname = 'kept'", "1")
    user = f"host=127.0.0.1 port={east.port} user=analytics password=secret dbname=analytics"
    with psycopg.connect(user) as session:
        old.hold_writes()
        with pytest.raises(psycopg.OperationalError):
            session.execute("CREATE TABLE t (n int)")
    with psycopg.connect(user) as session, pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        session.execute("CREATE TABLE t (n int)")
    assert old.status().held
    assert new.status().position <= old.status().position
    new.promote(wait_s=20)
    new.promote(wait_s=20)
    new.release_writes()
    found = new.status()
    assert (found.primary, found.timeline) == (True, 2)
    assert found.system == first.system
    east.stop()
    with pytest.raises(Unreachable, match="the database in primary did not say what it is"):
        old.status()
