"""One user at the public address: a connection of its own for each request, bounded in time and size."""

from __future__ import annotations

import http.client
import ipaddress
import json
import ssl
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from drillbook.drivers import bounds
from drillbook.drivers.reach import Names
from drillbook.ports import Answer, NotAsked, Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from drillbook.domain.traffic import Origin

MAX_BODY = 1024 * 1024
"""Bytes of an answer's body that are read; a larger one is refused."""

_CHUNK = 64 * 1024


@dataclass(frozen=True, slots=True)
class HttpClient:
    """Sends single requests.

    Attributes:
        base_url: Scheme, host and port of the public address.
        origin_of: Tells from an answer's headers (names in lower case) who answered; the workload's own rule.
        names: Finds the host's address, anew for each request.
        ca_file: Authorities that its certificate is verified against; the system's when left out.
    """

    base_url: str
    origin_of: Callable[[Mapping[str, str]], Origin]
    names: Names = field(default_factory=Names)
    ca_file: Path | None = None

    def get(self, path: str, *, headers: Mapping[str, str] | None = None, timeout_s: float = 5.0) -> Answer:
        """A GET on a connection of its own."""
        return self.send("GET", path, headers=headers, timeout_s=timeout_s)

    def send(
        self,
        method: str,
        path: str,
        *,
        body: object = None,
        headers: Mapping[str, str] | None = None,
        timeout_s: float = 5.0,
    ) -> Answer:
        """One request; `timeout_s` covers everything from the name's resolution to the last byte.

        A body of bytes is sent as it is, any other as JSON.

        Raises:
            Unreachable: When there is no complete answer in time, or it is larger than 1 MiB; `NotAsked` when the
                authorities cannot be read, as while they are replaced.
        """
        url = urlsplit(self.base_url)
        asked = f"{method} {self.base_url}{path}"
        sent_headers = {"Host": url.netloc, "Connection": "close", **(headers or {})}
        payload = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        if payload is not None:
            sent_headers.setdefault("Content-Type", "application/json")
        started = time.monotonic()
        deadline = started + timeout_s
        connection = self._connection(url.scheme, url.hostname or "", url.port, deadline)
        try:
            connection.request(method, path, body=payload, headers=sent_headers)
            response = connection.getresponse()
            content = _read(response)
        except TimeoutError as late:
            raise Unreachable(f"{asked} was not answered within {timeout_s:g} s") from late
        except (OSError, http.client.HTTPException) as error:
            raise Unreachable(f"{asked} was not answered: {type(error).__name__}: {error}") from error
        finally:
            connection.close()
        received = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, received, content, time.monotonic() - started)

    def origin(self, answer: Answer) -> Origin:
        """Who answered.

        Raises:
            Unreachable: When the workload's rule breaks on the answer, as on a gateway's own, which names nobody.
        """
        try:
            return self.origin_of(answer.headers)
        except Exception as error:
            broke = f"the adapter could not read it: {type(error).__name__}: {error}"
            raise Unreachable(f"nobody can tell who answered: {broke}") from error

    def _connection(self, scheme: str, host: str, port: int | None, deadline: float) -> http.client.HTTPConnection:
        port = port or (443 if scheme == "https" else 80)
        address = host if _is_address(host) else self.names.addresses(host, port)[0]
        left = max(deadline - time.monotonic(), 0.001)
        if scheme == "https":
            connection = _SecureConnection(address, port, server_name=host, verifying=self._verifying(), timeout=left)
        else:
            connection = http.client.HTTPConnection(address, port, timeout=left)
        connection.response_class = bounds.response_class(MAX_BODY + bounds.HEAD, lambda: deadline - time.monotonic())
        return connection

    def _verifying(self) -> ssl.SSLContext:
        """By the authorities as they are now: a runner that works for hours outlives them."""
        try:
            return ssl.create_default_context(cafile=str(self.ca_file) if self.ca_file is not None else None)
        except OSError as error:
            raise NotAsked(f"the authorities in {self.ca_file} cannot be read: {error}") from error


class _SecureConnection(http.client.HTTPSConnection):
    """TLS to an address, verified for a name."""

    def __init__(self, address: str, port: int, *, server_name: str, verifying: ssl.SSLContext, timeout: float) -> None:
        super().__init__(address, port, timeout=timeout, context=verifying)
        self._verifying = verifying
        self._server_name = server_name

    def connect(self) -> None:
        http.client.HTTPConnection.connect(self)
        self.sock = self._verifying.wrap_socket(self.sock, server_hostname=self._server_name)


def _read(response: http.client.HTTPResponse) -> bytes:
    parts: list[bytes] = []
    size = 0
    while part := response.read1(_CHUNK):
        parts.append(part)
        size += len(part)
        if size > MAX_BODY:
            raise bounds.TooLarge(f"the answer is larger than {MAX_BODY} bytes")
    return b"".join(parts)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
