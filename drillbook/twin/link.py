"""The link between two regions of the twin: cut, or slowed, by packet filters in the first region's machines."""

# ruff: noqa: ARG002 - a pair is given what was noted, also one that needs none of it

from __future__ import annotations

import socket
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from drillbook.ports import Unreachable
from drillbook.ports.fault import Look
from drillbook.twin.layout import PROFILES
from drillbook.twin.network import inside
from drillbook.twin.packet_filter import PacketFilter, above

if TYPE_CHECKING:
    from collections.abc import Mapping

CHAIN = "DRILLBOOK-LINK"
_SENT = 512 * 1024
_TRIES_S = 3.0
_WELL_BYTES_S = 4 * 1024 * 1024
"""A link on one machine lets through hundreds of times as much; a busy machine less."""


@dataclass(frozen=True, slots=True)
class End:
    """One end of the link.

    Attributes:
        namespaces: Network namespaces of the region's machines; the first is tried.
        address: IPv4 address of the first.
        networks: CIDR of everything in the region.
    """

    namespaces: tuple[str, ...]
    address: str
    networks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Link:
    """The link.

    Attributes:
        here: Where the filters are.
        there: The other region.
        kib_s: What is let through, in KiB a second in each direction and for each pair of machines; 0 for nothing.
    """

    here: End
    there: End
    kib_s: int = 0

    @property
    def named(self) -> str:
        """Which one."""
        return f"link between {self.here.networks[0]} and {self.there.networks[0]}"

    def note(self) -> Mapping[str, Any]:
        """Nothing; `look` says whether it is well."""
        return {}

    def take(self) -> None:
        """Put the filters into each machine."""
        self._filter.put()

    def give_back(self, noted: Mapping[str, Any]) -> None:
        """Take them out."""
        self._filter.clear()

    def look(self, noted: Mapping[str, Any]) -> Look:
        """What a transfer from the other end gets through.

        Raises:
            Unreachable: When nobody can try one.
        """
        try:
            rate = self._transferred()
        except OSError as error:
            raise Unreachable(f"nobody can tell what the {self.named} lets through: {error.strerror}") from error
        text = f"the {self.named} lets {rate / 1024:.0f} KiB/s through"
        # A burst goes through before the rate holds.
        gone = rate <= 3 * 1024 * self.kib_s
        return Look(gone, rate >= _WELL_BYTES_S, text, {"bytes_s": rate})

    @property
    def _filter(self) -> PacketFilter:
        ways = (f"{way} {network}{above(self.kib_s)}" for network in self.there.networks for way in ("-s", "-d"))
        return PacketFilter(CHAIN, self.here.namespaces, tuple(ways))

    def _transferred(self) -> float:
        """Bytes a second from there to here, over a connection of its own; 0 when there is none in time."""
        with inside(self.there.namespaces[0]):
            listener = socket.create_server((self.there.address, 0))
        with listener:
            listener.settimeout(_TRIES_S)
            with inside(self.here.namespaces[0]):
                caller = socket.socket()
            sender = threading.Thread(target=_send, args=(listener,))
            sender.start()
            try:
                with caller:
                    return _received(caller, listener.getsockname())
            finally:
                sender.join()


def _received(caller: socket.socket, address: Any) -> float:
    caller.settimeout(_TRIES_S)
    began_s, received = time.monotonic(), 0
    try:
        caller.connect(address)
        while received < _SENT and time.monotonic() - began_s < _TRIES_S:
            chunk = caller.recv(65536)
            if not chunk:
                break
            received += len(chunk)
    except TimeoutError:
        pass  # so much came through
    except OSError:
        return 0.0
    return received / max(time.monotonic() - began_s, 1e-6)


def end(region: str) -> End:
    """A region of the twin as an end of the link.

    Raises:
        Unreachable: When the twin has no such region.
    """
    found = next((one for one in PROFILES["staging"].regions if one.name == region), None)
    if found is None:
        raise Unreachable(f"the twin has no region {region!r}; correct faults.link.regions in the environment file")
    machines = (found.control_plane, *found.workers)
    networks = (f"10.77.{found.index}.0/24", found.pod_network)
    return End(tuple(machine.namespace for machine in machines), found.control_plane.address, networks)


def _send(listener: socket.socket) -> None:
    try:
        connection, _ = listener.accept()
        with connection:
            connection.settimeout(_TRIES_S)
            connection.sendall(bytes(_SENT))
    except OSError:
        return  # nobody came, or he left: the other side knows how much it got
