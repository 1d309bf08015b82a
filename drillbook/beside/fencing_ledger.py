"""Keeps trying to write to one database server at its own address, and writes each try down: a process of its own.

`python -m drillbook.beside.fencing_ledger --plan PLAN`. It goes past every name, pooler and application, from before a
loss until it is told to end (SIGTERM), at a stated rate; half of the tries on a connection that is kept while it lasts,
half each on one of its own. What it writes is a row in a table of its own, committed by itself. `attempts.jsonl` has a
line for each try, `state.json` says `running` once the server has taken the first.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import AsyncConnection

from drillbook.beside.process import Companion, drop, in_one_line
from drillbook.domain.fencing import answer_of_commit
from drillbook.drivers import credentials
from drillbook.drivers.libpq import patience
from drillbook.ports import Unreachable
from drillbook.run.clock import SteadyClock

if TYPE_CHECKING:
    from collections.abc import Mapping

    from drillbook.domain.fencing import Answer

_SERVER_GIVES_UP = 0.8
"""Of our own time-out: a statement that we gave up must not be carried out later."""
_SETS_UP_WITHIN_S = 10.0

_THERE = "SELECT to_regclass('drillbook.fencing') IS NOT NULL"
_SCHEMA = "CREATE SCHEMA IF NOT EXISTS drillbook"
_TABLE = "CREATE TABLE drillbook.fencing (id text PRIMARY KEY, sent_s double precision NOT NULL)"
_WRITE = "INSERT INTO drillbook.fencing VALUES (%s, %s)"


@dataclass(frozen=True, slots=True)
class Plan:
    """What `plan.json` says.

    Attributes:
        address: libpq's keywords, without a password.
        password: Where that is: `file:`, `env:` or `vault:`.
        rate_hz: Tries a second.
        timeout_s: Of each, connecting included.
        namespace: Prefix of the rows' ids.
        output: Folder.
        clock: The run's.
    """

    address: str
    password: str
    rate_hz: float
    timeout_s: float
    namespace: str
    output: Path
    clock: SteadyClock

    @classmethod
    def read(cls, path: Path) -> Plan:
        """From its file."""
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return cls(
            address=str(document["address"]),
            password=str(document["password"]),
            rate_hz=float(document["rate_hz"]),
            timeout_s=float(document["timeout_s"]),
            namespace=str(document["namespace"]),
            output=Path(document["output"]),
            clock=SteadyClock.from_document(document["clock"]),
        )

    def document(self) -> Mapping[str, Any]:
        """What `read` reads."""
        return {
            "address": self.address,
            "password": self.password,
            "rate_hz": self.rate_hz,
            "timeout_s": self.timeout_s,
            "namespace": self.namespace,
            "output": str(self.output),
            "clock": self.clock.as_document(),
        }


@dataclass(slots=True)
class _Try:
    """One try.

    Attributes:
        id: Of its row.
        sent_s: When it began; once there is a connection, when the statement was sent.
        connection: That it is made on; None for a new one. Afterwards the one that may be used again.
        arrived: Whether the statement may have reached the server.
    """

    id: str
    sent_s: float
    connection: AsyncConnection[Any] | None
    arrived: bool = False
    answer: Answer = "refused"
    told: str = ""


@dataclass(slots=True)
class Ledger:
    """The tries.

    Attributes:
        plan: What is tried.
        password: Of its address.
    """

    plan: Plan
    password: str
    _process: Companion = field(init=False)
    _number: int = 0
    _running: bool = False

    def __post_init__(self) -> None:
        self._process = Companion(self.plan.output, self.plan.clock)

    async def keep(self) -> None:
        """Until told to end; then until the last try has ended."""
        self._process.begin()
        async with asyncio.timeout(_SETS_UP_WITHIN_S):
            await self._set_up()
        await asyncio.gather(self._on_one_connection(), self._on_new_connections())
        self._process.enter("done")

    async def _set_up(self) -> None:
        """A table of its own, without the rows of earlier drills."""
        async with await self._connected() as connection:
            row: Any = await (await connection.execute(_THERE)).fetchone()
            if not row[0]:
                await connection.execute(_SCHEMA)
                await connection.execute(_TABLE)
            await connection.execute("DELETE FROM drillbook.fencing")

    async def _on_one_connection(self) -> None:
        """One try after the other."""
        connection: AsyncConnection[Any] | None = None
        due_s = self.plan.clock.now()
        while await self._process.is_due(due_s):
            connection = await self._attempt("kept", connection)
            due_s = max(due_s + self._period_s, self.plan.clock.now())
        await drop(connection)

    async def _on_new_connections(self) -> None:
        """Each when it is due, whatever became of those before."""
        due_s = self.plan.clock.now() + self._period_s / 2
        async with asyncio.TaskGroup() as tries:
            while await self._process.is_due(due_s):
                tries.create_task(self._once())
                due_s = max(due_s + self._period_s, self.plan.clock.now() - self._period_s)

    async def _once(self) -> None:
        await drop(await self._attempt("new", None))

    @property
    def _period_s(self) -> float:
        return 2.0 / self.plan.rate_hz

    async def _attempt(self, kind: str, connection: AsyncConnection[Any] | None) -> AsyncConnection[Any] | None:
        """One try, written down; answers the connection while it may be used again."""
        self._number += 1
        this = _Try(f"{self.plan.namespace}-{self._number}", self.plan.clock.now(), connection)
        writing = asyncio.create_task(self._write(this))
        if not await self._process.is_done(writing, self.plan.timeout_s):
            this.told = f"no answer within {self.plan.timeout_s:g} s"
            this.answer = "indeterminate" if this.arrived else "refused"
            this.connection = None
        self._tell(kind, this)
        return this.connection

    async def _write(self, this: _Try) -> None:
        severities: list[str] = []

        def heard(notice: psycopg.errors.Diagnostic) -> None:
            severities.append(notice.severity_nonlocalized or "")

        connection = this.connection
        try:
            if connection is None:
                connection = await self._connected()
            connection.add_notice_handler(heard)
            this.sent_s, this.arrived = self.plan.clock.now(), True
            cursor = await connection.execute(_WRITE, [this.id, this.sent_s], prepare=False)
            this.told = cursor.statusmessage or ""
            this.answer = answer_of_commit(this.told, severities)
            connection.remove_notice_handler(heard)
            this.connection = connection
        except (psycopg.Error, OSError) as error:
            this.answer, this.told = _answer_of_error(error, arrived=this.arrived), f"{type(error).__name__}: {error}"
            this.connection = None
            await drop(connection)
        except asyncio.CancelledError:
            await drop(connection)
            raise

    async def _connected(self) -> AsyncConnection[Any]:
        gives_up_ms = round(self.plan.timeout_s * 1000 * _SERVER_GIVES_UP)
        return await AsyncConnection.connect(
            self.plan.address, password=self.password, autocommit=True, application_name="drillbook fencing ledger",
            # What is still on its way when we give up is not sent any more.
            options=f"-c statement_timeout={gives_up_ms}",
            **patience(self.plan.address, tcp_user_timeout=gives_up_ms),
        )  # fmt: skip

    def _tell(self, kind: str, this: _Try) -> None:
        line = {
            "id": this.id, "connection": kind, "sent_s": this.sent_s, "done_s": self.plan.clock.now(),
            "answer": this.answer, "told": in_one_line(this.told),
        }  # fmt: skip
        with (self.plan.output / "attempts.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        if this.answer == "acknowledged" and not self._running:
            self._running = True
            self._process.enter("running")


def _answer_of_error(error: BaseException, *, arrived: bool) -> Answer:
    """Without a connection nothing was written; an ERROR of the server rolls back, and all else may have come too late.

    FATAL ends the session, and may end it after a commit and before its answer.
    """
    if not arrived:
        return "refused"
    if isinstance(error, psycopg.Error) and error.diag.severity_nonlocalized == "ERROR":
        return "refused"
    return "indeterminate"


def main() -> None:
    """Keep the ledger that the plan describes."""
    plan = Plan.read(Path(sys.argv[sys.argv.index("--plan") + 1]))
    try:
        ledger = Ledger(plan, credentials.read(plan.password, os.environ))
        asyncio.run(ledger.keep())
    except (psycopg.Error, TimeoutError, Unreachable) as error:
        sys.exit(f"the fencing ledger cannot set up its table: {type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
