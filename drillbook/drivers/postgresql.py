"""One region's PostgreSQL server, by its own protocol, as a role that may promote it and reads no table."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import pq, sql
from psycopg.conninfo import make_conninfo

from drillbook.drivers.libpq import patience
from drillbook.ports import DatabaseStatus, Refused, Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

_CONNECT_S = 3
_STATEMENT_S = 10
_PACE_S = 0.1
_OPTIONS = "-c statement_timeout={statement_ms} -c default_transaction_read_only=off -c TimeZone=UTC -c DateStyle=ISO"
"""Its time is read by pgBackRest and by another server, which may have settings of another country."""
_NOWHERE = " port=1"
"""libpq takes the last of two settings, so a standby with this at the end of its source's address finds nobody."""

_STATUS = """
SELECT NOT pg_is_in_recovery(), here.timeline, system_identifier::text,
  CASE WHEN pg_is_in_recovery() THEN coalesce(pg_last_wal_replay_lsn(), '0/0') - '0/0'::pg_lsn
    ELSE pg_current_wal_lsn() - '0/0'::pg_lsn END,
  EXISTS (SELECT FROM pg_stat_wal_receiver WHERE status = 'streaming'),
  -- Of the file: this session has a setting of its own.
  EXISTS (SELECT FROM pg_file_settings WHERE name = 'default_transaction_read_only' AND setting = 'on')
FROM pg_control_system(), LATERAL (SELECT CASE
    -- A primary's file names tell its timeline at once; its control file only after a checkpoint.
    WHEN NOT pg_is_in_recovery() THEN ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int
    -- A standby whose primary is gone has no receiver, and a control file as old as its last restartpoint.
    ELSE greatest((SELECT received_tli FROM pg_stat_wal_receiver),
      (SELECT min_recovery_end_timeline FROM pg_control_recovery()), (SELECT timeline_id FROM pg_control_checkpoint()),
      (SELECT max(('x' || left(name, 8))::bit(32)::int) FROM pg_ls_waldir() WHERE name ~ '^[0-9A-F]{24}$'))
  END AS timeline) AS here
"""


@dataclass(frozen=True, slots=True)
class PostgreSQL:
    """A server.

    Attributes:
        region: Whose, for what is said.
        address: libpq's, without a password.
        password: Gives it when it is needed, so that none is kept here.
        applications: Role whose sessions are ended when writes are held.
        sleep: Waits, between two looks.
    """

    region: str
    address: str
    password: Callable[[], str]
    applications: str
    sleep: Callable[[float], None] = time.sleep

    def status(self) -> DatabaseStatus:
        """What it is now.

        Raises:
            Unreachable: When it does not answer.
        """
        with self._asking("say what it is") as connection:
            row: Any = connection.execute(_STATUS).fetchone()
        primary, timeline, system, position, receiving, held = row
        return DatabaseStatus(primary, int(timeline), system, int(position), receiving, held)

    def moment(self) -> str:
        """Its time now, with its offset.

        Raises:
            Unreachable: When it does not answer.
        """
        with self._asking("say what time it is") as connection:
            row: Any = connection.execute("SELECT clock_timestamp()::text").fetchone()
        return str(row[0])

    def archive_timeout_s(self) -> float:
        """After how many seconds it ends a segment of WAL that is not full; 0 when never.

        Raises:
            Unreachable: When it does not answer.
        """
        with self._asking("say when it ends a segment") as connection:
            # In seconds, however it is written in the file.
            setting = "SELECT setting::float8 FROM pg_settings WHERE name = 'archive_timeout'"
            row: Any = connection.execute(setting).fetchone()
        return float(row[0])

    def promote(self, *, wait_s: float) -> None:
        """Make a standby the primary; idempotent.

        Raises:
            Unreachable: When it does not answer, or is no primary in time.
        """
        with self._asking("be promoted", statement_s=wait_s + _STATEMENT_S) as connection:
            row: Any = connection.execute("SELECT NOT pg_is_in_recovery()").fetchone()
            if not row[0]:
                row = connection.execute("SELECT pg_promote(true, %s)", [max(1, round(wait_s))]).fetchone()
                if not row[0]:
                    raise Unreachable(
                        f"the database in {self.region} is not the primary {wait_s:g} s after it was promoted; see its "
                        "log: it may still replay what it had received"
                    )
            # pg_rewind knows a source's timeline from its last checkpoint.
            connection.execute("CHECKPOINT")

    def detach(self) -> None:
        """Let a standby receive no more; returns once it does not."""
        self._source(lambda source: source if source.endswith(_NOWHERE) else source + _NOWHERE)
        for _ in range(round(_STATEMENT_S / _PACE_S)):
            if not self.status().receiving:
                return
            self.sleep(_PACE_S)
        raise Unreachable(f"the database in {self.region} still receives from its primary, {_STATEMENT_S} s after it "
                          "was told not to")  # fmt: skip

    def attach(self) -> None:
        """Let a standby receive again."""
        self._source(lambda source: source.removesuffix(_NOWHERE))

    def hold_writes(self) -> None:
        """New transactions are read-only, and the applications' sessions are ended."""
        with self._asking("hold writes") as connection:
            connection.execute("ALTER SYSTEM SET default_transaction_read_only = on")
            connection.execute("SELECT pg_reload_conf()")
            # The postmaster tells the others; a session that starts before it has is ended by the second look.
            for _ in range(2):
                self.sleep(_PACE_S)
                connection.execute(
                    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = %s "
                    "AND backend_type = 'client backend'",
                    [self.applications],
                )

    def release_writes(self) -> None:
        """Undo of `hold_writes`."""
        with self._asking("take writes") as connection:
            connection.execute("ALTER SYSTEM RESET default_transaction_read_only")
            connection.execute("SELECT pg_reload_conf()")

    def _source(self, change: Callable[[str], str]) -> None:
        with self._asking("change where it receives from") as connection:
            row: Any = connection.execute("SELECT current_setting('primary_conninfo')").fetchone()
            changed = change(row[0])
            if changed != row[0]:
                statement = sql.SQL("ALTER SYSTEM SET primary_conninfo = {}").format(sql.Literal(changed))
                connection.execute(statement)
                connection.execute("SELECT pg_reload_conf()")

    @contextmanager
    def _asking(self, what: str, *, statement_s: float = _STATEMENT_S) -> Generator[psycopg.Connection[Any]]:
        """A session, for one question or order.

        Raises:
            Refused: When the server is up, and this role cannot be let in now.
            Unreachable: When it does not answer, or not as it should.
        """
        told = f"the database in {self.region} did not {what}"
        try:
            connection = psycopg.connect(
                self.address, password=self.password(), autocommit=True, connect_timeout=_CONNECT_S,
                application_name="drillbook", **patience(self.address),
                options=_OPTIONS.format(statement_ms=round(statement_s * 1000)),
            )  # fmt: skip
        except (psycopg.Error, Unreachable) as error:
            kind = Refused if self._is_up(error) else Unreachable
            raise kind(f"{told}: {_first_line(error)}") from error
        try:
            with connection:
                yield connection
        except psycopg.Error as error:
            raise Unreachable(f"{told}: {_first_line(error)}") from error

    def _is_up(self, error: Exception) -> bool:
        """Whether there is a server behind a connection that did not come about.

        libpq's ping needs no role: what refuses one is up, what starts or stops is not, see PostgreSQL's
        `PQpingParams`. One that has let the time pass is not asked again, for that would take as long once more.
        """
        if isinstance(error, psycopg.errors.ConnectionTimeout):
            return False
        address = make_conninfo(self.address, connect_timeout=_CONNECT_S)
        return pq.PGconn.ping(address.encode()) == pq.Ping.OK


def _first_line(error: Exception) -> str:
    said = str(error).strip().splitlines()
    return said[0] if said else type(error).__name__
