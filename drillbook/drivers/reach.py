"""Being where the environment can be reached: in another network namespace, with its own name servers."""

from __future__ import annotations

import ctypes
import os
import socket
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import dns.exception
import dns.nameserver
import dns.resolver

from drillbook.ports import Unreachable

if TYPE_CHECKING:
    from collections.abc import Sequence

_NAMESPACES = Path("/run/netns")
_CLONE_NEWNET = 0x40000000


def enter_network(namespace: str) -> None:
    """Move this thread, and all threads and processes that it starts from now on, into a named network namespace.

    Idempotent. To be called from the main thread, before it starts another one.

    Raises:
        Unreachable: When there is no such namespace, or no right to enter it.
    """
    path = _NAMESPACES / namespace
    try:
        with path.open("rb") as wanted:
            if os.fstat(wanted.fileno()).st_ino != Path("/proc/thread-self/ns/net").stat().st_ino:
                _set_namespace(wanted.fileno())
    except FileNotFoundError as missing:
        raise Unreachable(
            f"the environment is reached through the network namespace {namespace!r}, which this machine does not "
            "have; bring the twin up with `drillbook twin up`"
        ) from missing
    except OSError as refused:
        raise Unreachable(
            f"the network namespace {namespace!r} cannot be entered ({refused.strerror}); run as root"
        ) from refused


def _set_namespace(descriptor: int) -> None:
    """`os.setns` came with Python 3.12."""
    if ctypes.CDLL(None, use_errno=True).setns(descriptor, _CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


@dataclass(frozen=True, slots=True)
class Names:
    """Finds the addresses of host names.

    Attributes:
        nameservers: IP addresses to ask; the system's resolver when empty.
        timeout_s: How long an answer may take.
    """

    nameservers: tuple[str, ...] = ()
    timeout_s: float = 2.0

    def addresses(self, name: str, port: int) -> Sequence[str]:
        """IP addresses of a host name, asked anew each time.

        Raises:
            Unreachable: When it has none, or no server answers in time.
        """
        if not self.nameservers:
            try:
                found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
            except OSError as error:
                raise Unreachable(f"the name {name} cannot be resolved by this machine: {error.strerror}") from error
            return [str(entry[4][0]) for entry in found]
        return [record.to_text() for record in self._answer(name)]

    def ttl_s(self, name: str) -> float:
        """For how long the answer may be kept, in seconds; 0 where the system's resolver is asked, which does not say.

        Raises:
            Unreachable: When no server answers in time.
        """
        if not self.nameservers:
            return 0.0
        rrset = self._answer(name).rrset
        return float(rrset.ttl) if rrset is not None else 0.0

    def _answer(self, name: str) -> dns.resolver.Answer:
        try:
            return _resolver(self.nameservers).resolve(name, "A", lifetime=self.timeout_s, search=False)
        except dns.exception.DNSException as error:
            servers = ", ".join(self.nameservers)
            raise Unreachable(f"the name {name} cannot be resolved by {servers}: {error}") from error


@dataclass(frozen=True, slots=True)
class KnownNames(Names):
    """Finds the same addresses whatever is asked for: those that a name would lead to if it were well.

    Attributes:
        known: IP addresses, at least one.
    """

    known: tuple[str, ...] = ()

    def addresses(self, name: str, port: int) -> Sequence[str]:  # noqa: ARG002 - as whoever has to look
        """The known ones."""
        return self.known


def nameserver(text: str) -> dns.nameserver.Nameserver:
    """What to ask at `address` or `address#port`."""
    address, _, port = text.partition("#")
    return dns.nameserver.Do53Nameserver(address, int(port or 53))


@lru_cache(maxsize=4)
def _resolver(nameservers: tuple[str, ...]) -> dns.resolver.Resolver:
    resolver = dns.resolver.Resolver(configure=False)
    resolver.nameservers = [nameserver(text) for text in nameservers]
    resolver.cache = None
    return resolver
