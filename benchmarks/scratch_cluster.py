"""A PostgreSQL of a stated size with pgBackRest, on this machine, that can be lost and restored from its repository.

Servers listen on sockets in a directory of their own and on no address. Clients reach whichever is the database through
the link `now`, so that moving it is moving them.
"""

from __future__ import annotations

import os
import pwd
import re
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg

from drillbook.domain import pgbackrest, wal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

BIN = Path("/usr/lib/postgresql/15/bin")
STANZA = "sizes"
MIB = 2**20

_STEP_S = 300.0
_ROW_BYTES = 286
"""On the disk, its index entry included, as measured; what a cluster really has is asked of pgBackRest."""
_EMPTY_BYTES = 22 * MIB
_ROWS_AT_ONCE = 20_000
_ARCHIVED_WITHIN_S = 120.0
_PACE_S = 0.05
PROCESSES = 2
"""That pgBackRest works with, for each job."""

# As the platform's: system/charts/platform/templates/backup.yaml.
_PGBACKREST = """\
[global]
repo1-path={top}/repository
repo1-retention-full=1
compress-type=lz4
process-max={processes}
start-fast=y
archive-timeout=60
lock-path={top}/lock
spool-path={top}/spool
log-level-console=warn
log-level-file=off
[{stanza}]
pg1-path={data}
pg1-socket-path={sockets}
pg1-user=postgres
"""
_POSTGRESQL = """\
data_directory = '{data}'
hba_file = '{top}/hba'
unix_socket_directories = '{sockets}'
listen_addresses = ''
log_line_prefix = '%n '
max_wal_size = 8GB
autovacuum = off
{more}
"""
_FILL = """
INSERT INTO filled SELECT n, 0, md5(n::text) || md5((-n)::text) || md5('a' || n) || md5('b' || n) || md5('c' || n)
  || md5('d' || n) FROM generate_series(1, %s) AS n
"""
_CHANGE = "UPDATE filled SET changes = changes + 1 WHERE n BETWEEN %s AND %s"
_LOGGED = re.compile(r"^(\d+\.\d+) LOG:  (.*)$", re.MULTILINE)
_REDONE = re.compile(r"redo done at ([0-9A-F/]+)")
_REDOING = re.compile(r"redo starts at ([0-9A-F/]+)")


class Failed(Exception):
    """A program or a wait did not end as it had to; the text has its words."""


@dataclass(frozen=True, slots=True)
class Backup:
    """What a cluster's repository holds.

    Attributes:
        data_bytes: Of the database that was backed up.
        repository_bytes: Of what a restore reads.
        rows: Of the table `filled`.
        marker: Changes that its last row has once all WAL is replayed.
    """

    data_bytes: int
    repository_bytes: int
    rows: int
    marker: int


@dataclass(frozen=True, slots=True)
class Replay:
    """What a restored server's log tells: seconds since the epoch.

    Attributes:
        wal_bytes: That were replayed.
        done_s: When the last of it was.
    """

    wal_bytes: int
    done_s: float

    @classmethod
    def logged(cls, text: str) -> Replay:
        """From the log of one start with the line prefix `%n `.

        Raises:
            Failed: When it does not tell where replaying began and ended.
        """
        found: dict[str, tuple[float, int]] = {}
        for line in _LOGGED.finditer(text):
            for name, pattern in (("starts", _REDOING), ("done", _REDONE)):
                told = pattern.search(line[2])
                if told:
                    found[name] = float(line[1]), wal.position(told[1])
        if found.keys() != {"starts", "done"}:
            raise Failed(f"the log does not tell where replaying began and ended:\n{text[-2000:]}")
        return cls(found["done"][1] - found["starts"][1], found["done"][0])


class Cluster:
    """One database and its repository, in a directory that is its own."""

    def __init__(self, top: Path) -> None:
        """Lay out the directory; nothing runs yet."""
        self.top = top
        for part in ("", "repository", "lock", "spool", "primary", "restored"):
            (top / part).mkdir(mode=0o700, exist_ok=True)
            give(top / part)
        self.sockets = top / "primary"
        self.data = top / "primary" / "data"
        self.write("hba", "local all all trust\n")
        self.write("pgbackrest.conf", configuration(top, self.data, self.sockets))
        self.point(self.sockets)

    def point(self, sockets: Path) -> None:
        """Send clients there."""
        new = self.top / "next"
        new.unlink(missing_ok=True)
        new.symlink_to(sockets)
        new.replace(self.top / "now")

    @property
    def address(self) -> str:
        """For clients: whichever is the database."""
        return f"host={self.top / 'now'} user=postgres dbname=postgres"

    def make(self, data_bytes: int, wal_bytes: int) -> Backup:
        """Fill it, back it up in full, and archive so much WAL after that; it runs and takes writes afterwards."""
        run(BIN / "initdb", "-D", self.data, "-U", "postgres", "-A", "trust", "--data-checksums", "--no-sync")
        rows = max(_ROWS_AT_ONCE, (data_bytes - _EMPTY_BYTES) // _ROW_BYTES)
        # What is not measured here need not survive a loss of power, and need not be logged.
        self.start("fsync = off", "wal_level = minimal", "max_wal_senders = 0")
        with self._asked() as database:
            database.execute("CREATE TABLE filled (n bigint, changes int NOT NULL, words text NOT NULL)")
            database.execute(_FILL, [rows])
            database.execute("ALTER TABLE filled ADD PRIMARY KEY (n)")
            database.execute("CREATE TABLE arrived (n bigint PRIMARY KEY)")
            database.execute("CHECKPOINT")
        self.stop("fast")
        self.start_primary()
        self.back("stanza-create")
        self.back("--type=full", "backup")
        marker = self._log(rows, wal_bytes)
        data, repository = self._sizes()
        return Backup(data, repository, rows, marker)

    def start_primary(self) -> None:
        """With its WAL archived."""
        archive = f"pgbackrest --config={self.top}/pgbackrest.conf --stanza={STANZA} archive-push %p"
        self.start("fsync = off", "archive_mode = on", f"archive_command = '{archive}'")

    def start(self, *settings: str) -> None:
        """The primary, with these settings; returns once it answers."""
        start(self.top, self.data, self.sockets, settings)

    def stop(self, how: str = "immediate") -> None:
        """The primary: `immediate` as if it were killed."""
        stop(self.data, how)

    def remove(self) -> None:
        """With all that it has on the disk."""
        self.stop()
        stop(self.top / "restored" / "data", "immediate")
        shutil.rmtree(self.top)

    def back(self, *arguments: str, configuration: str = "pgbackrest.conf") -> str:
        """Run pgBackRest; answers what it printed."""
        return run("pgbackrest", f"--config={self.top / configuration}", f"--stanza={STANZA}", *arguments)

    def forget_repository(self) -> None:
        """Have the kernel keep no page of the repository, so that it is read as a cold one is."""
        os.sync()
        for path in files(self.top / "repository"):
            with path.open("rb") as file:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)

    def backup_files(self) -> list[Path]:
        """What a restore reads of the repository, its WAL apart."""
        return list(files(self.top / "repository" / "backup"))

    def _log(self, rows: int, wal_bytes: int) -> int:
        """Change rows until there is so much WAL since the backup began, and wait until all of it is archived.

        The backup took a segment of its own, and half of one is wasted at the end, on average.
        """
        wal_bytes -= wal.SEGMENT_BYTES * 3 // 2
        with self._asked() as database:
            begun = _position(database)
            changed, marker = 0, 0
            while _position(database) - begun < wal_bytes:
                first = changed % rows + 1
                database.execute(_CHANGE, [first, first + _ROWS_AT_ONCE])
                changed += _ROWS_AT_ONCE
            database.execute("UPDATE filled SET changes = changes + 1000 WHERE n = %s", [rows])
            row: Any = database.execute("SELECT changes FROM filled WHERE n = %s", [rows]).fetchone()
            marker = int(row[0])
            row = database.execute("SELECT pg_walfile_name(pg_current_wal_lsn())").fetchone()
            last = str(row[0])
            database.execute("SELECT pg_switch_wal()")
            until(lambda: _archived(database) >= last, _ARCHIVED_WITHIN_S, f"WAL is archived up to {last}")
            database.execute("CHECKPOINT")
        return marker

    def _sizes(self) -> tuple[int, int]:
        found = pgbackrest.repositories(self.back("info", "--output=json"), STANZA)[0].backups[-1]
        if found.repository_bytes is None:
            raise Failed("pgBackRest does not tell how large the backup is in the repository")
        return found.data_bytes, found.repository_bytes

    def _asked(self) -> psycopg.Connection[Any]:
        return psycopg.connect(f"host={self.sockets} user=postgres dbname=postgres", autocommit=True)

    def write(self, name: str, text: str) -> None:
        """A file that the database's user reads."""
        (self.top / name).write_text(text, encoding="utf-8")
        give(self.top / name)


def start(top: Path, data: Path, sockets: Path, settings: Sequence[str]) -> None:
    """Start a server and return once it answers, which one that recovers does when it has.

    Raises:
        Failed: When it does not; with the end of its log.
    """
    file, log = sockets / "postgresql.conf", sockets / "log"
    file.write_text(_POSTGRESQL.format(top=top, data=data, sockets=sockets, more="\n".join(settings)), encoding="utf-8")
    give(file)
    log.unlink(missing_ok=True)
    try:
        control = ("-w", "-t", str(int(_STEP_S)), "-s", "-l", log, "-o", f"-c config_file={file}")
        run(BIN / "pg_ctl", "-D", data, *control, "start")
    except Failed as error:
        raise Failed(f"{error}\n{log.read_text(encoding='utf-8')[-2000:] if log.exists() else ''}") from error


def stop(data: Path, how: str) -> None:
    """Stop a server; one that does not run is stopped."""
    if (data / "postmaster.pid").exists():
        run(BIN / "pg_ctl", "-D", data, "-w", "-t", "60", "-s", "-m", how, "stop")


def run(*command: str | Path) -> str:
    """Run a program as the database's user; answers what it printed.

    Raises:
        Failed: When it fails, or does not end in time.
    """
    account = pwd.getpwnam("postgres") if os.geteuid() == 0 else None
    said = [str(part) for part in command]
    try:
        done = subprocess.run(
            said, user=account.pw_uid if account else None, group=account.pw_gid if account else None,
            extra_groups=[] if account else None, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, timeout=_STEP_S, check=False, cwd="/",
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise Failed(f"{said[0]} did not end within {_STEP_S:g} s") from error
    if done.returncode:
        raise Failed(f"{' '.join(said)} ended with {done.returncode}: {done.stdout[-2000:]}")
    return done.stdout


def until(holds: Callable[[], bool], within_s: float, what: str) -> None:
    """Wait for something.

    Raises:
        Failed: When it does not come about in time.
    """
    give_up_s = time.monotonic() + within_s
    while not holds():
        if time.monotonic() > give_up_s:
            raise Failed(f"within {within_s:g} s it was not so that {what}")
        time.sleep(_PACE_S)


def configuration(top: Path, data: Path, sockets: Path) -> str:
    """pgBackRest's, for a server of this repository."""
    return _PGBACKREST.format(top=top, data=data, sockets=sockets, stanza=STANZA, processes=PROCESSES)


def give(path: Path) -> None:
    """To the database's user."""
    if os.geteuid() == 0:
        account = pwd.getpwnam("postgres")
        os.chown(path, account.pw_uid, account.pw_gid)


def files(top: Path) -> Iterator[Path]:
    """All below it."""
    return (path for path in sorted(top.rglob("*")) if path.is_file() and not path.is_symlink())


def _position(database: psycopg.Connection[Any]) -> int:
    row: Any = database.execute("SELECT pg_current_wal_lsn()::text").fetchone()
    return wal.position(row[0])


def _archived(database: psycopg.Connection[Any]) -> str:
    row: Any = database.execute("SELECT coalesce(last_archived_wal, '') FROM pg_stat_archiver").fetchone()
    return str(row[0])
