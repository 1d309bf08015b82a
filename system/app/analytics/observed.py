"""The outermost layer: identity headers, metrics, logs and the service's state, on every answer including errors.

Plain ASGI: Starlette's BaseHTTPMiddleware costs a task and a queue for each request.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from analytics.metrics import CONTENT_TYPE

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from analytics.config import Settings
    from analytics.defects import Mischief
    from analytics.metrics import Metrics

_log = logging.getLogger("analytics.requests")
_CORRELATION_ID = re.compile(rb"[0-9A-Za-z._:-]{1,128}")
_SLOW_S = 0.3
_PROBES = frozenset({"/healthz", "/readyz", "/metrics"})


@dataclass(slots=True)
class State:
    """Where the process is in its life.

    Attributes:
        started: Start-up is finished.
        draining: SIGTERM came: answer what comes, but ask clients to connect elsewhere.
    """

    started: bool = False
    draining: bool = False


class Observed:
    """Wraps the application."""

    def __init__(
        self, application: ASGIApp, settings: Settings, metrics: Metrics, state: State, mischief: Mischief | None
    ) -> None:
        """`mischief` is None in a good release."""
        self._application = application
        self._metrics = metrics
        self._state = state
        self._mischief = mischief
        self._log_every = settings.log_every_request
        self._headers = [
            (b"x-version", settings.release.version.encode()),
            (b"x-slot", settings.slot.encode()),
            (b"x-region", settings.region.encode()),
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI scope."""
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        began_s = time.perf_counter()
        correlation_id = _correlation_id(scope)
        scope["correlation_id"] = correlation_id.decode()
        is_api = scope["path"] not in _PROBES
        code = 0
        extra = [*self._headers, (b"x-correlation-id", correlation_id)]

        async def send_with_identity(message: Message) -> None:
            nonlocal code
            if message["type"] == "http.response.start":
                code = message["status"]
                message["headers"] = [*message.get("headers", ()), *extra]
                if self._state.draining:
                    message["headers"].append((b"connection", b"close"))
            await send(message)

        if is_api:
            self._metrics.in_progress.inc()
        try:
            await self._serve(scope, receive, send_with_identity, is_api=is_api)
        except Exception:  # noqa: BLE001 - whatever it was, the client gets an answer and the log the trace
            _log.exception("The request failed.", extra={"fields": {"correlation_id": scope["correlation_id"]}})
            if not code:
                await send_json(send_with_identity, 500, {"error": "The service failed to answer this request."})
        finally:
            if is_api:
                self._metrics.in_progress.dec()
            self._note(scope, code, time.perf_counter() - began_s)

    async def _serve(self, scope: Scope, receive: Receive, send: Send, *, is_api: bool) -> None:
        if scope["path"] == "/metrics":
            await _send(send, 200, CONTENT_TYPE, self._metrics.expose())
            return
        if is_api and not self._state.started:
            await send_json(send, 503, {"error": "The service is starting; try again in a moment."})
            return
        if is_api and self._mischief is not None:
            self._mischief.count_request()
            await asyncio.sleep(self._mischief.delay_s())
            if self._mischief.fails():
                await send_json(send, 500, {"error": "The service failed to answer this request."})
                return
        await self._application(scope, receive, send)

    def _note(self, scope: Scope, code: int, duration_s: float) -> None:
        path = scope["path"]
        route = getattr(scope.get("route"), "path", path if path in _PROBES else "unmatched")
        self._metrics.record(scope["method"], route, code, duration_s)
        if self._log_every or code >= 500 or code == 0 or (duration_s > _SLOW_S and path not in _PROBES):  # noqa: PLR2004
            _log.log(
                logging.WARNING if code >= 500 or code == 0 else logging.INFO,  # noqa: PLR2004
                "%s %s answered %s.", scope["method"], path, code or "nothing",
                extra={"fields": {
                    "correlation_id": scope["correlation_id"],
                    "method": scope["method"],
                    "route": route,
                    "code": code,
                    "duration_ms": round(duration_s * 1000, 2),
                }},
            )  # fmt: skip


async def send_json(send: Send, code: int, content: object) -> None:
    """Answer a JSON document."""
    await _send(send, code, "application/json", json.dumps(content).encode())


async def _send(send: Send, code: int, content_type: str, body: bytes) -> None:
    headers = [(b"content-type", content_type.encode()), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": code, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _correlation_id(scope: Scope) -> bytes:
    for name, value in scope["headers"]:
        if name == b"x-correlation-id" and _CORRELATION_ID.fullmatch(value):
            return value
    return os.urandom(12).hex().encode()
