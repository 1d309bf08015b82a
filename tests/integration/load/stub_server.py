"""A stand-in for the analytics service: one fast process, in memory, with faults that a test can switch.

`python stub_server.py PORT [ADDRESS]`; POST /_stub with a JSON object replaces the switches:
    error_share, wrong_share, lose_share  0 to 1, by turn and not by chance
    delay_ms                              before each answer
    hang                                  requests are read and never answered
    reset                                 each request is answered by a reset of its connection
    polite_close_after                    the server closes a connection this many seconds after an answer
    duplicate                             each event is stored twice
    version, slot                         what the answers' headers say
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import sys
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

_REASONS = {200: "OK", 201: "Created", 404: "Not Found", 500: "Internal Server Error"}
_LINGER_ZERO = struct.pack("ii", 1, 0)


class Stub:
    """State shared by all connections."""

    def __init__(self) -> None:
        self.events: dict[str, list[dict[str, Any]]] = {}
        self.by_source: dict[str, list[float]] = {}
        self.switches: dict[str, Any] = {}
        self.turns = 0

    def share(self, name: str) -> bool:
        """Whether it is this request's turn."""
        share = float(self.switches.get(name, 0))
        return int(self.turns * share) != int((self.turns - 1) * share)

    def answer(self, method: str, target: str, headers: dict[str, str], body: bytes) -> tuple[int, object]:
        """Status and JSON document."""
        url = urlsplit(target)
        if url.path == "/_stub":
            self.switches = json.loads(body)
            return 200, self.switches
        self.turns += 1
        if self.share("error_share"):
            return 500, {"error": "switched on"}
        if method == "POST" and url.path == "/v1/events":
            return self._ingest(headers["idempotency-key"], json.loads(body))
        if url.path.startswith("/v1/events/"):
            found = self.events.get(unquote(url.path[len("/v1/events/") :]))
            return (200, found[0]) if found else (404, {"error": "no such event"})
        if url.path == "/v1/aggregates":
            source = parse_qs(url.query)["source"][0]
            values = self.by_source.get(source, [])
            count, total = len(values), sum(values)
            if self.share("wrong_share"):
                total += 1
            return 200, {
                "source": source,
                "count": count,
                "sum": total,
                "mean": total / count if count else None,
                "min": min(values, default=None),
                "max": max(values, default=None),
            }
        return 404, {"error": "no such path"}

    def _ingest(self, key: str, event: dict[str, Any]) -> tuple[int, object]:
        if key in self.events:
            return 200, {"key": key, "stored": True}
        if not self.share("lose_share"):
            copies = 2 if self.switches.get("duplicate") else 1
            self.events[key] = [event | {"key": key}] * copies
            self.by_source.setdefault(event["source"], []).extend([event["value"]] * copies)
        return 201, {"key": key, "stored": True}


class Connection(asyncio.Protocol):
    """Reads requests with a Content-Length or none, one after the other."""

    def __init__(self, stub: Stub) -> None:
        self._stub = stub
        self._buffer = b""
        self._idle: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        if self._idle is not None:
            self._idle.cancel()

    def data_received(self, data: bytes) -> None:
        if self._idle is not None:
            self._idle.cancel()
        self._buffer += data
        while True:
            head, found, rest = self._buffer.partition(b"\r\n\r\n")
            if not found:
                return
            first, *lines = head.decode("latin-1").split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
            length = int(headers.get("content-length", 0))
            if len(rest) < length:
                return
            self._buffer = rest[length:]
            method, target, _ = first.split(" ")
            self._handle(method, target, headers, rest[:length])

    def _handle(self, method: str, target: str, headers: dict[str, str], body: bytes) -> None:
        switches = self._stub.switches if target != "/_stub" else {}
        if switches.get("hang"):
            return
        if switches.get("reset"):
            self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
            self._transport.abort()
            return
        status, document = self._stub.answer(method, target, headers, body)
        delay_s = float(switches.get("delay_ms", 0)) / 1000
        close = headers.get("connection") == "close"
        if delay_s:
            asyncio.get_running_loop().call_later(delay_s, self._reply, status, document, close)
        else:
            self._reply(status, document, close)

    def _reply(self, status: int, document: object, close: bool) -> None:
        switches = self._stub.switches
        body = json.dumps(document).encode()
        head = (
            f"HTTP/1.1 {status} {_REASONS[status]}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
            f"X-Version: {switches.get('version', '1.0.0')}\r\nX-Slot: {switches.get('slot', 'blue')}\r\n"
            f"X-Region: us-east-1\r\n{'Connection: close' if close else 'Connection: keep-alive'}\r\n\r\n"
        )
        self._transport.write(head.encode() + body)
        if close:
            self._transport.close()
        elif "polite_close_after" in switches:
            delay_s = float(switches["polite_close_after"])
            self._idle = asyncio.get_running_loop().call_later(delay_s, self._transport.close)


async def serve(port: int, address: str) -> None:
    """Until killed."""
    stub = Stub()
    server = await asyncio.get_running_loop().create_server(
        lambda: Connection(stub), address, port, backlog=4096, reuse_address=True
    )
    print("ready", flush=True)  # noqa: T201 - who started it waits for this
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "127.0.0.1"))
