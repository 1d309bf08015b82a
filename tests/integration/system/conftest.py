"""A throw-away PostgreSQL and processes of the reference platform, all on loopback."""

from __future__ import annotations

import contextlib
import os
import pwd
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import psycopg
import pytest
import requests
from psycopg import sql

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SYSTEM = Path(__file__).resolve().parents[3] / "system"
POSTGRES = Path("/usr/lib/postgresql/15/bin")
_READY_WITHIN_S = 20.0

sys.path.insert(0, str(SYSTEM / "secrets"))


def free_port() -> int:
    """A TCP port of loopback that nobody listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@dataclass(slots=True)
class Postgres:
    """A PostgreSQL server of the test's own."""

    directory: Path
    port: int

    def url(self, database: str) -> str:
        """Connection URI of one database."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def control(self, *arguments: str) -> None:
        """Run pg_ctl on it."""
        _as_postgres(
            POSTGRES / "pg_ctl", "-D", self.directory, "-w", "-t", "30", "-l", self.directory.parent / "log", *arguments
        )

    def start(self) -> None:
        """Start it and wait until it answers."""
        self.control("-o", f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories=''", "start")

    def stop(self) -> None:
        """Stop it at once, like a machine that fails."""
        self.control("-m", "immediate", "stop")


def _as_postgres(*command: str | Path) -> None:
    account = pwd.getpwnam("postgres") if os.geteuid() == 0 else None
    subprocess.run(
        [str(part) for part in command],
        check=True,
        timeout=60,
        user=account.pw_uid if account else None,
        group=account.pw_gid if account else None,
        extra_groups=[] if account else None,
        stdout=subprocess.DEVNULL,
        cwd="/",
    )


@contextlib.contextmanager
def running(settings: str = "") -> Iterator[Postgres]:
    """A server with these lines in its configuration, in a directory of its own."""
    if not POSTGRES.is_dir():
        pytest.fail(f"PostgreSQL 15 is not in {POSTGRES}; install the Debian package postgresql-15.")
    # Not one of pytest's directories: each session that starts closes those of root to others, the server's user too.
    with tempfile.TemporaryDirectory(prefix="drillbook-postgres-") as name:
        top = Path(name)
        if os.geteuid() == 0:
            account = pwd.getpwnam("postgres")
            os.chown(top, account.pw_uid, account.pw_gid)
        server = Postgres(top / "data", free_port())
        _as_postgres(
            POSTGRES / "initdb", "-D", server.directory, "-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8"
        )
        with (server.directory / "postgresql.conf").open("a") as file:
            file.write(settings)
        server.start()
        try:
            yield server
        finally:
            server.stop()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A server for the whole session."""
    with running() as server:
        yield server


@pytest.fixture
def database(postgres: Postgres, request: pytest.FixtureRequest) -> str:
    """URI of an empty database of the test's own."""
    name = f"t{abs(hash(request.node.nodeid))}"
    with psycopg.connect(postgres.url("postgres"), autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    return postgres.url(name)


class Migrate(Protocol):
    """Runs the migration command of a release."""

    def __call__(self, url: str, version: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """`arguments` as on the command line."""
        ...


@pytest.fixture(scope="session")
def migrate() -> Migrate:
    """The migration command of a release."""

    def run(url: str, version: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "analytics.migrate", *arguments],
            env=environment_of(DATABASE_URL=url, VERSION=version, ANALYTICS_MIGRATIONS=str(SYSTEM / "migrations")),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


def environment_of(**variables: str) -> dict[str, str]:
    """Of a process of the platform."""
    return {**os.environ, "PYTHONPATH": f"{SYSTEM / 'app'}:{SYSTEM / 'scoring'}", **variables}


@dataclass(slots=True)
class Service:
    """One process of the analytics service."""

    url: str
    process: subprocess.Popen[str]
    log: Path

    def wait_until(self, path: str, status: int, within_s: float = _READY_WITHIN_S) -> requests.Response:
        """Ask a path until it answers a status.

        Raises:
            AssertionError: When it does not in time.
        """
        deadline_s = time.monotonic() + within_s
        last = "nothing"
        while time.monotonic() < deadline_s:
            assert self.process.poll() is None, f"The service ended early:\n{self.log.read_text()}"
            with contextlib.suppress(requests.ConnectionError):
                answer = requests.get(self.url + path, timeout=5)
                if answer.status_code == status:
                    return answer
                last = f"{answer.status_code} {answer.text}"
            time.sleep(0.05)
        message = f"{path} did not answer {status} within {within_s} s; last: {last}\n{self.log.read_text()}"
        raise AssertionError(message)

    def wait_until_logged(self, text: str, within_s: float = 5.0) -> None:
        """Read the log until it has a text: a request is logged after it is answered.

        Raises:
            AssertionError: When it has not in time.
        """
        deadline_s = time.monotonic() + within_s
        while text not in (logged := self.log.read_text()):
            assert time.monotonic() < deadline_s, f"{text} was not logged within {within_s} s:\n{logged}"
            time.sleep(0.05)

    def terminate(self) -> None:
        """Send SIGTERM, as the kubelet does."""
        self.process.send_signal(signal.SIGTERM)


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Callable[..., Service]]:
    """Starts services; they are ended with the test."""
    processes: list[subprocess.Popen[str]] = []

    def start(database: str, version: str = "1.0.0", **variables: str) -> Service:
        port = free_port()
        log = tmp_path / f"service-{len(processes)}.log"
        environment = {"SLOT": "blue", "REGION": "us-east-1", "SCORING_URL": "http://127.0.0.1:9", "DRAIN_SECONDS": "0"}
        environment |= {"DATABASE_URL": database, "VERSION": version, "PORT": str(port), **variables}
        with log.open("w") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "analytics"],
                env=environment_of(**environment),
                stdout=output,
                stderr=subprocess.STDOUT,
                text=True,
            )
        processes.append(process)
        return Service(f"http://127.0.0.1:{port}", process, log)

    yield start
    _end(processes)


@pytest.fixture
def scoring() -> Iterator[str]:
    """URL of a running scoring mock."""
    port = free_port()
    process = subprocess.Popen([sys.executable, "-m", "scoring"], env=environment_of(PORT=str(port)), text=True)
    try:
        deadline_s = time.monotonic() + _READY_WITHIN_S
        while time.monotonic() < deadline_s:
            with contextlib.suppress(requests.ConnectionError):
                requests.get(f"http://127.0.0.1:{port}/healthz", timeout=1)
                break
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        _end([process])


def _end(processes: list[subprocess.Popen[str]]) -> None:
    for process in processes:
        process.terminate()
    for process in processes:
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)
