"""Asks one layer of a platform by itself, as whoever uses it would: one question, one answer, an end in time."""

from __future__ import annotations

import asyncio
import errno
import socket
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

import dns.asyncresolver
import dns.exception
import psycopg
from psycopg import AsyncConnection

from drillbook.domain.fencing import answer_of_commit
from drillbook.domain.traffic import Origin, Outcome
from drillbook.drivers.http_client import HttpClient
from drillbook.drivers.libpq import patience
from drillbook.drivers.reach import KnownNames, nameserver
from drillbook.ports import NotAsked, Unreachable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from drillbook.ports import Answer

NOBODYS_NAME = "nobody.drillbook.invalid"
"""A host that no route is for (RFC 2606): whatever a gateway answers for it, it answers by itself."""

_CONNECT_S = 2
"""For each server of an address; libpq knows no less."""
_SERVER_GIVES_UP = 0.8
"""Of our own time-out: a statement that we gave up must not be carried out later."""
_ASKED_AGAIN_S = 1.0
_REFUSALS = {errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH}
_SERVER_ERROR = 500
_OK = 200


@dataclass(frozen=True, slots=True)
class Told:
    """What a layer answered.

    Attributes:
        outcome: OK only when it did what its users need of it.
        text: The reason when it did not.
        leads: Regions of the addresses, where the question was for a name; in order.
    """

    outcome: Outcome
    text: str = ""
    leads: tuple[str, ...] = ()


class Question(Protocol):
    """One layer."""

    async def ask(self) -> Told:
        """Once; never raises for what the layer does."""
        ...


@dataclass(frozen=True, slots=True)
class AskServer:
    """A database, or the pooler before it, on a connection of its own.

    Attributes:
        address: libpq's keywords.
        password: Of its role.
        write: Statement that writes one row of the role's own; without it nothing is written.
        timeout_s: Of the statement.
        pooled: Whether a pooler is there, which takes no settings of a session.
    """

    address: str
    password: str
    write: str
    timeout_s: float
    pooled: bool = False

    async def ask(self) -> Told:
        """Connect, and write or read."""
        severities: list[str] = []
        try:
            async with await self._connected() as connection:
                connection.add_notice_handler(lambda notice: severities.append(notice.severity_nonlocalized or ""))
                cursor = await connection.execute((self.write or "SELECT 1").encode(), prepare=False)
                return self._judged(cursor.statusmessage or "", cursor.rowcount, severities)
        except (psycopg.errors.QueryCanceled, psycopg.errors.ConnectionTimeout) as error:
            return Told(Outcome.TIMEOUT, _line(error))
        except (psycopg.Error, OSError) as error:
            return Told(Outcome.REFUSED, _line(error))

    def _judged(self, tag: str, rows: int, severities: Sequence[str]) -> Told:
        if answer_of_commit(tag, severities) != "acknowledged":
            return Told(Outcome.WRONG_ANSWER, f"the statement ended with {tag or 'nothing'} and {list(severities)}")
        if rows != 1:
            return Told(Outcome.WRONG_ANSWER, f"the statement found {rows} rows, and there is one of its own")
        return Told(Outcome.OK)

    async def _connected(self) -> AsyncConnection[Any]:
        gives_up_ms = round(self.timeout_s * 1000 * _SERVER_GIVES_UP)
        settings = patience(self.address)
        if not self.pooled:
            settings |= {"options": f"-c statement_timeout={gives_up_ms}", "tcp_user_timeout": gives_up_ms}
        return await AsyncConnection.connect(
            self.address, password=self.password, autocommit=True, connect_timeout=_CONNECT_S,
            application_name="drillbook layers", **settings,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class AskGateway:
    """A gateway at its addresses: for what it answers by itself, or for what the application behind it does.

    Attributes:
        clients: One for each address, in the order in which users try them.
        path: What is asked for.
        host: Which host is said to be meant; the public one when empty.
        timeout_s: Of the whole.
    """

    clients: tuple[HttpClient, ...]
    path: str
    host: str
    timeout_s: float

    async def ask(self) -> Told:
        """One request, at the first address that takes the connection."""
        return await asyncio.to_thread(self._ask)

    def _ask(self) -> Told:
        deadline = time.monotonic() + self.timeout_s
        told = Told(Outcome.REFUSED, "there is no address")
        for client in self.clients:
            left_s = max(0.001, deadline - time.monotonic())
            try:
                answer = client.get(self.path, headers={"Host": self.host} if self.host else None, timeout_s=left_s)
            except NotAsked as error:
                return Told(Outcome.UNABLE, str(error))
            except Unreachable as error:
                cause = error.__cause__
                told = Told(Outcome.TIMEOUT if isinstance(cause, TimeoutError) else Outcome.REFUSED, str(error))
                if not (isinstance(cause, OSError) and cause.errno in _REFUSALS):
                    break
            else:
                return self._judged(answer)
        return told

    def _judged(self, answer: Answer) -> Told:
        if answer.status >= _SERVER_ERROR:
            return Told(Outcome.SERVER_ERROR, f"status {answer.status}")
        if not self.host and answer.status != _OK:
            return Told(Outcome.WRONG_ANSWER, f"status {answer.status}")
        return Told(Outcome.OK)


def gateway(  # noqa: PLR0917 - what a gateway is asked
    public_url: str, addresses: Sequence[str], path: str, host: str, ca_file: Path | None, timeout_s: float
) -> AskGateway:
    """What asks at these addresses as if the public's name led there; arguments as in `AskGateway`."""
    clients = [HttpClient(public_url, lambda _: Origin(), KnownNames(known=(it,)), ca_file) for it in addresses]
    return AskGateway(tuple(clients), path, host, timeout_s)


@dataclass(slots=True)
class AskName:
    """Where the public's name leads a user who keeps an answer for its time to live, and no longer.

    Attributes:
        host: The name.
        nameservers: Of the users, as `address` or `address#port`; the system's, which tell no time to live, when empty.
        regions: Region to the addresses that the name may have there.
        timeout_s: Of one look-up.
    """

    host: str
    nameservers: tuple[str, ...]
    regions: Mapping[str, Sequence[str]]
    timeout_s: float
    _kept: Told = field(default=Told(Outcome.DNS))
    _until_s: float = -1.0

    async def ask(self) -> Told:
        """What is kept; else what the resolver answers now."""
        asked_s = time.monotonic()
        if asked_s < self._until_s:
            return self._kept
        try:
            addresses, lasts_s = await (self._of_nameservers() if self.nameservers else self._of_system())
        except dns.exception.Timeout as error:
            return Told(Outcome.TIMEOUT, _line(error))
        except (dns.exception.DNSException, OSError) as error:
            return Told(Outcome.DNS, _line(error))
        told = self._led(addresses)
        self._kept, self._until_s = replace(told, text=f"{told.text} (kept)".strip()), asked_s + lasts_s
        return told

    def _led(self, addresses: Sequence[str]) -> Told:
        leads = tuple(region for region, known in self.regions.items() if set(known) & set(addresses))
        strange = sorted(set(addresses) - {address for known in self.regions.values() for address in known})
        if strange or not leads:
            return Told(Outcome.WRONG_ANSWER, f"it leads to {', '.join(strange) or 'nowhere'}", leads)
        return Told(Outcome.OK, leads=leads)

    async def _of_nameservers(self) -> tuple[list[str], float]:
        resolver = dns.asyncresolver.Resolver(configure=False)
        resolver.nameservers = [nameserver(text) for text in self.nameservers]
        resolver.timeout = _ASKED_AGAIN_S
        answer = await resolver.resolve(self.host, "A", lifetime=self.timeout_s, search=False)
        return [record.to_text() for record in answer], float(answer.chaining_result.minimum_ttl)

    async def _of_system(self) -> tuple[list[str], float]:
        found = await asyncio.get_running_loop().getaddrinfo(self.host, None, type=socket.SOCK_STREAM)
        return [str(entry[4][0]) for entry in found], 0.0


def _line(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"
