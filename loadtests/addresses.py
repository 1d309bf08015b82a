"""Names to addresses the way a client with a small cache does it: for as long as the record's TTL, no longer."""

from __future__ import annotations

import ipaddress
import time
from typing import TYPE_CHECKING, Protocol, cast

import dns.exception
import dns.nameserver
import dns.resolver
import gevent
import gevent.socket
from gevent.event import AsyncResult

if TYPE_CHECKING:
    from collections.abc import Sequence


class LookupFailed(Exception):
    """The name has no address for us now; the text says what the resolver said."""


class Lookup(Protocol):
    """One way to ask."""

    def __call__(self, host: str, timeout_s: float) -> tuple[tuple[str, ...], float]:
        """Addresses and for how many seconds they may be used."""
        ...


class Addresses:
    """Addresses of one host.

    Requests that find the cached answer expired wait for one look-up together, each for as long as its own deadline
    lets it. A failure is not cached: the next request asks again.
    """

    def __init__(self, host: str, nameservers: Sequence[str], timeout_s: float) -> None:
        """`timeout_s` bounds one look-up."""
        self._host = host
        self._timeout_s = timeout_s
        self._lookup: Lookup = _Nameservers(nameservers) if nameservers else _of_system
        self._known: tuple[str, ...] = ()
        self._expires_s = 0.0
        self._running: AsyncResult[tuple[str, ...]] | None = None
        if _is_address(host):
            self._known, self._expires_s = (host,), float("inf")

    def now(self) -> tuple[str, ...]:
        """At least one address.

        Raises:
            LookupFailed: When the look-up fails.
        """
        if time.monotonic() < self._expires_s:
            return self._known
        if self._running is None:
            self._running = AsyncResult()
            gevent.spawn(self._ask, self._running)
        return cast("tuple[str, ...]", self._running.get())

    def _ask(self, result: AsyncResult[tuple[str, ...]]) -> None:
        asked_s = time.monotonic()
        try:
            self._known, ttl_s = self._lookup(self._host, self._timeout_s)
        except LookupFailed as error:
            result.set_exception(error)
        else:
            self._expires_s = asked_s + ttl_s
            result.set(self._known)
        finally:
            self._running = None


class _Nameservers:
    def __init__(self, servers: Sequence[str]) -> None:
        self._resolver = dns.resolver.Resolver(configure=False)
        self._resolver.nameservers = [_nameserver(server) for server in servers]
        self._resolver.timeout = 1.0

    def __call__(self, host: str, timeout_s: float) -> tuple[tuple[str, ...], float]:
        try:
            answer = self._resolver.resolve(host, "A", lifetime=timeout_s, raise_on_no_answer=False)
            if answer.rrset is None:
                answer = self._resolver.resolve(host, "AAAA", lifetime=timeout_s)
        except dns.exception.DNSException as error:
            msg = f"{type(error).__name__}: {error}"
            raise LookupFailed(msg) from error
        return tuple(record.to_text() for record in answer), float(answer.chaining_result.minimum_ttl)


def _nameserver(text: str) -> dns.nameserver.Nameserver:
    """`address` or `address#port`."""
    address, _, port = text.partition("#")
    return dns.nameserver.Do53Nameserver(address, int(port or 53))


def _of_system(host: str, timeout_s: float) -> tuple[tuple[str, ...], float]:
    """The system tells no TTL, so every connection asks; those that ask at once share the answer."""
    try:
        with gevent.Timeout(timeout_s):
            found = gevent.socket.getaddrinfo(host, None, type=gevent.socket.SOCK_STREAM)
    except gevent.Timeout as error:
        msg = f"the system's resolver did not answer for {host} within {timeout_s:g} s"
        raise LookupFailed(msg) from error
    except OSError as error:
        msg = f"{error.strerror or error} ({host})"
        raise LookupFailed(msg) from error
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in found)), 0.0


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
