"""A database's connections used up: a process of ours holds idle ones until the server refuses more.

`python -m drillbook.drivers.held_connections MOST SECONDS` is that process; it gets the URI by its standard input, and
ends by itself in time. It is on the leash of whoever starts it, so that connections come free with the harness' death.
"""

# ruff: noqa: ARG002 - a pair is given what was noted, also one that needs none of it

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import psycopg

from drillbook.drivers.libpq import patience
from drillbook.ports import Unreachable
from drillbook.ports.fault import Look
from drillbook.run import leash, processes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

VARIABLE = "DRILLBOOK_HOLDS"
"""Environment variable by which the holding process is found; its value says of what."""

NAME = "drillbook-holds"
"""`application_name` of the connections."""

_CONNECT_S = 3
_TRY_AGAIN_S = 0.2
# By its text, since libpq does not hand on the code of a refused connection; and that, 53300, is one for all limits:
# https://www.postgresql.org/docs/15/errcodes-appendix.html
_REFUSED = ("too many", "remaining connection slots")
_ROLES_OWN = "too many connections for role"


@dataclass(frozen=True, slots=True)
class HeldConnections:
    """The connections of one server.

    Attributes:
        url: Gives the libpq URI when it is needed, so that none is kept here.
        most: Connections held at most.
        lives_s: After which they are let go, whatever becomes of the harness, in seconds.
        service: Role that the service connects as; empty where nobody has said.
    """

    url: Callable[[], str]
    most: int
    lives_s: float
    service: str = ""
    _started: list[subprocess.Popen[bytes]] = field(default_factory=list["subprocess.Popen[bytes]"], compare=False)

    @property
    def where(self) -> str:
        """The server in words: who reads the journal is told which one, and no password."""
        place = urlsplit(self.url())
        return f"{place.hostname}:{place.port or 5432}{place.path}"

    @property
    def named(self) -> str:
        """Which one."""
        return f"connections of the database at {self.where}"

    def note(self) -> Mapping[str, Any]:
        """Nothing; `look` says whether there is room."""
        return {}

    def take(self) -> None:
        """Start to hold."""
        command = leash.command(os.getpid(), "drillbook.drivers.held_connections", str(self.most), f"{self.lives_s:g}")
        holder = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env={**os.environ, **self._mark},
        )  # fmt: skip
        self._started.append(holder)
        assert holder.stdin is not None  # noqa: S101 - asked for one line above
        with contextlib.suppress(BrokenPipeError), holder.stdin as pipe:  # `look` tells that nothing is held
            pipe.write(self.url().encode())

    def give_back(self, noted: Mapping[str, Any]) -> None:
        """End whoever holds; elsewhere than on his machine they come free when he ends by himself.

        Raises:
            Unreachable: When he has not ended some seconds after he was killed.
        """
        try:
            processes.end(self._mark)
            while self._started:
                self._started.pop().wait(_CONNECT_S)
        except (processes.StillThere, subprocess.TimeoutExpired) as error:
            raise Unreachable(f"the {self.named} are held still: {error}") from error

    def look(self, noted: Mapping[str, Any]) -> Look:
        """Try to connect, as an application would.

        A limit of the role that tries leaves the service's connections as they are, unless it is the service's role.

        Raises:
            Unreachable: When the server refuses for another reason than having no connection left.
        """
        url = self.url()
        try:
            with psycopg.connect(url, connect_timeout=_CONNECT_S, autocommit=True, **patience(url)) as connection:
                row: Any = connection.execute(
                    "SELECT count(*) FROM pg_stat_activity WHERE application_name = %s", [NAME]
                ).fetchone()
        except psycopg.OperationalError as error:
            said = (str(error).strip().splitlines() or [type(error).__name__])[-1]
            if any(words in said for words in _REFUSED):
                return self._refused(said)
            raise Unreachable(f"the database at {self.where} does not answer: {said}") from error
        held = int(row[0])
        text = f"the database at {self.where} takes connections, and {held} are held"
        return Look(gone=False, well=held == 0, text=text, data={"held": held})

    def _refused(self, said: str) -> Look:
        text = f"the database at {self.where} refuses a connection: {said}"
        if _ROLES_OWN not in said or (self.service and f'"{self.service}"' in said):
            return Look(gone=True, well=False, text=text)
        advice = "that is a limit of the role of faults.connections alone, and others may connect; lift its limit"
        return Look(gone=False, well=False, text=f"{text}; {advice}")

    @property
    def _mark(self) -> dict[str, str]:
        return {VARIABLE: self.where}


def hold(url: str, most: int, lives_s: float) -> None:
    """Take connections until there is none left, keep them, and take again what comes free."""
    held: list[psycopg.Connection[Any]] = []
    until_s = time.monotonic() + lives_s
    settings: dict[str, Any] = {"application_name": NAME, "connect_timeout": _CONNECT_S, **patience(url)}
    while time.monotonic() < until_s:
        held = [connection for connection in held if not connection.broken]
        try:
            while len(held) < most:
                held.append(psycopg.connect(url, autocommit=True, **settings))
        except psycopg.OperationalError:
            # Used up, which is what it is for; or the server is away, and may be back.
            time.sleep(_TRY_AGAIN_S)
        else:
            time.sleep(_TRY_AGAIN_S)


if __name__ == "__main__":
    hold(sys.stdin.read(), int(sys.argv[1]), float(sys.argv[2]))
