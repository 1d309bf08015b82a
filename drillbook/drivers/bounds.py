"""Bounds what a server may send, in bytes and in time, where it is read from the socket: head, body and all.

A time-out of the socket's counts from the last byte, so a server that sends one now and then keeps its client for ever;
and a limit on the body alone leaves the head. Here both hold for the whole of an answer.
"""

from __future__ import annotations

import http.client
import io
import time
from functools import partial
from typing import TYPE_CHECKING, Any

from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    import urllib3
    from _typeshed import WriteableBuffer

HEAD = 256 * 1024
"""Bytes that an answer's head, and the framing of its body, may have."""


class TooLarge(http.client.HTTPException):
    """An answer had more bytes than it may have."""


def response_class(most_bytes: int, remaining_s: Callable[[], float]) -> Any:
    """What a connection of `http.client` makes its answers with, so that they are bounded.

    Args:
        most_bytes: Of the whole answer, as it comes over the network.
        remaining_s: How long it may still take, in seconds.
    """

    def make(sock: socket.socket, *arguments: Any, **options: Any) -> http.client.HTTPResponse:
        bounded: Any = _Bounded(sock, most_bytes, remaining_s)
        return http.client.HTTPResponse(bounded, *arguments, **options)

    return make


def bound_pools(manager: urllib3.PoolManager, *, most_bytes: int, within_s: float) -> None:
    """Bound every answer of a pool manager of urllib3, for requests made from now on.

    The manager unpacks no bodies, of which a small one can hold gigabytes: whoever asks for packed ones bounds that.

    Args:
        manager: It must not have been used yet.
        most_bytes: Of one answer.
        within_s: From the end of the request to the end of the answer; a request's own time-out to read, where that is
            shorter.
    """

    def make(sock: socket.socket, *arguments: Any, **options: Any) -> http.client.HTTPResponse:
        # What the request was given is the socket's time-out until the first byte is read.
        until = time.monotonic() + min(within_s, sock.gettimeout() or within_s)
        return response_class(most_bytes, lambda: until - time.monotonic())(sock, *arguments, **options)

    # Annotated as classes; whatever makes a pool will do.
    classes: Any = {"http": partial(_Pool, answer=make), "https": partial(_SecurePool, answer=make)}
    manager.pool_classes_by_scheme = classes


class _Bounded:
    """Stands for a socket where an answer is read from it."""

    def __init__(self, sock: socket.socket, most_bytes: int, remaining_s: Callable[[], float]) -> None:
        self._sock = sock
        self._most_bytes = most_bytes
        self._remaining_s = remaining_s

    def makefile(self, _mode: str) -> io.BufferedReader:
        """What `http.client` reads an answer from."""
        return io.BufferedReader(_Source(self._sock, self._most_bytes, self._remaining_s))


class _Source(io.RawIOBase):
    def __init__(self, sock: socket.socket, most_bytes: int, remaining_s: Callable[[], float]) -> None:
        super().__init__()
        self._sock = sock
        # Its own, so that the socket lives as long as the answer, like one of the socket's.
        self._behind: io.RawIOBase = sock.makefile("rb", buffering=0)
        self._most_bytes = most_bytes
        self._remaining_s = remaining_s
        self._got = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int | None:
        left = self._remaining_s()
        if left <= 0:
            raise TimeoutError("the answer was not complete in time")
        self._sock.settimeout(left)
        got = self._behind.readinto(buffer)
        self._got += got or 0
        if self._got > self._most_bytes:
            raise TooLarge(f"the answer is larger than {self._most_bytes} bytes")
        return got

    def close(self) -> None:
        self._behind.close()
        super().close()


class _Pool(HTTPConnectionPool):
    def __init__(self, *arguments: Any, answer: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._answer = answer

    def _new_conn(self) -> Any:
        connection: Any = super()._new_conn()
        connection.response_class = self._answer
        return connection

    def urlopen(self, *arguments: Any, **options: Any) -> Any:  # type: ignore[override]
        return super().urlopen(*arguments, **{**options, "decode_content": False})


class _SecurePool(_Pool, HTTPSConnectionPool):
    """The same with TLS."""
