"""Looks at how far the archive reaches, in every region's database, beside whatever else goes on.

`python -m drillbook.beside.archive_watch --plan plan.json` is a process beside a drill's load, from before the fault
until it is told to end (SIGTERM). It reads and changes nothing. `looks.jsonl` has a line for each look, answered or
not; `state.json` says `running` once a primary has answered.
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
from drillbook.drivers import credentials
from drillbook.drivers.libpq import patience
from drillbook.ports import Unreachable
from drillbook.run.clock import SteadyClock

if TYPE_CHECKING:
    from collections.abc import Mapping

_LOOK = """
SELECT NOT pg_is_in_recovery(),
  CASE WHEN pg_is_in_recovery() THEN NULL ELSE (pg_current_wal_lsn() - '0/0'::pg_lsn)::bigint END,
  last_archived_wal, failed_count,
  extract(epoch FROM clock_timestamp()
    - (SELECT modification FROM pg_ls_waldir() WHERE name = last_archived_wal))::float8
FROM pg_stat_archiver
"""


@dataclass(frozen=True, slots=True)
class Plan:
    """What `plan.json` says.

    Attributes:
        addresses: Region to libpq's keywords, without a password.
        password: Where that is: `file:`, `env:` or `vault:`.
        every_s: From one look to the next.
        timeout_s: Of each, connecting included.
        output: Folder.
        clock: The run's.
    """

    addresses: Mapping[str, str]
    password: str
    every_s: float
    timeout_s: float
    output: Path
    clock: SteadyClock

    @classmethod
    def read(cls, path: Path) -> Plan:
        """From its file."""
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return cls(
            addresses={str(region): str(address) for region, address in document["addresses"].items()},
            password=str(document["password"]),
            every_s=float(document["every_s"]),
            timeout_s=float(document["timeout_s"]),
            output=Path(document["output"]),
            clock=SteadyClock.from_document(document["clock"]),
        )

    def document(self) -> Mapping[str, Any]:
        """What `read` reads."""
        return {
            "addresses": dict(self.addresses),
            "password": self.password,
            "every_s": self.every_s,
            "timeout_s": self.timeout_s,
            "output": str(self.output),
            "clock": self.clock.as_document(),
        }


@dataclass(slots=True)
class Watch:
    """The looks.

    Attributes:
        plan: What is looked at.
        password: Of its addresses.
    """

    plan: Plan
    password: str
    _process: Companion = field(init=False)
    _running: bool = False

    def __post_init__(self) -> None:
        self._process = Companion(self.plan.output, self.plan.clock)

    async def keep(self) -> None:
        """Until told to end."""
        self._process.begin()
        async with asyncio.TaskGroup() as regions:
            for region, address in self.plan.addresses.items():
                regions.create_task(self._look_on(region, address))
        self._process.enter("done")

    async def _look_on(self, region: str, address: str) -> None:
        """At one region, again and again; after an error on a new connection."""
        connection: AsyncConnection[Any] | None = None
        due_s = self.plan.clock.now()
        while await self._process.is_due(due_s):
            asked_s = self.plan.clock.now()
            due_s = asked_s + self.plan.every_s
            try:
                async with asyncio.timeout(self.plan.timeout_s):
                    connection = connection or await self._connected(address)
                    row: Any = await (await connection.execute(_LOOK)).fetchone()
                self._tell(region, asked_s, row, "")
            except (psycopg.Error, OSError, TimeoutError) as error:
                self._tell(region, asked_s, None, f"{type(error).__name__}: {error}")
                await drop(connection)
                connection = None
        await drop(connection)

    async def _connected(self, address: str) -> AsyncConnection[Any]:
        gives_up_ms = round(self.plan.timeout_s * 1000)
        return await AsyncConnection.connect(
            address, password=self.password, autocommit=True, application_name="drillbook archive watch",
            options=f"-c statement_timeout={gives_up_ms}", **patience(address, tcp_user_timeout=gives_up_ms),
        )  # fmt: skip

    def _tell(self, region: str, asked_s: float, row: Any, error: str) -> None:
        primary, position, archived, failed, ago_s = row or (None, None, None, None, None)
        line = {
            "region": region, "asked_s": asked_s, "answered_s": self.plan.clock.now(), "primary": primary,
            "position": position, "archived": archived, "failed": failed, "written_ago_s": ago_s,
            "error": in_one_line(error),
        }  # fmt: skip
        with (self.plan.output / "looks.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        if primary and not self._running:
            self._running = True
            self._process.enter("running")


def main() -> None:
    """Look on as the plan says."""
    plan = Plan.read(Path(sys.argv[sys.argv.index("--plan") + 1]))
    try:
        watch = Watch(plan, credentials.read(plan.password, os.environ))
    except Unreachable as error:
        sys.exit(f"the archive cannot be looked at: {error}")
    asyncio.run(watch.keep())


if __name__ == "__main__":
    main()
