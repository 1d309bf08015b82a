"""`python3 -m analytics`: serve until SIGTERM, and a little longer."""

from __future__ import annotations

import asyncio
import logging
import math
import os
import signal
import sys
from typing import TYPE_CHECKING

import uvicorn

from analytics import logs
from analytics.api import application
from analytics.config import ConfigurationError, Settings
from analytics.observed import State

if TYPE_CHECKING:
    import socket
    from types import FrameType

_log = logging.getLogger("analytics")

_KEEP_ALIVE_S = 120
"""Longer than the gateway keeps idle connections (90 s by default): closing first would race with its next request."""


class DrainingServer(uvicorn.Server):
    """Serves on for a while after SIGTERM, because gateways learn of a pod's end later than the pod itself."""

    def __init__(self, config: uvicorn.Config, state: State, drain_s: float) -> None:
        """`drain_s` is in seconds."""
        super().__init__(config)
        self._state = state
        self._drain_s = drain_s
        self._loop: asyncio.AbstractEventLoop | None = None

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until told to end."""
        self._loop = asyncio.get_running_loop()
        await super().serve(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin the drain at the first SIGTERM; end at once at any other signal, or at the second."""
        if sig != signal.SIGTERM or self._state.draining or self._loop is None:
            super().handle_exit(sig, frame)
            return
        self._state.draining = True
        self._loop.call_soon_threadsafe(self._loop.call_later, self._drain_s, self._end)
        _log.info("SIGTERM: serving on for %g s.", self._drain_s)

    def _end(self) -> None:
        self.should_exit = True


def main() -> int:
    """Run the service."""
    try:
        settings = Settings.from_environment(os.environ)
    except ConfigurationError as error:
        sys.stderr.write(f"analytics cannot start: {error}\n")
        return 78  # EX_CONFIG
    logs.configure(settings)
    state = State()
    config = uvicorn.Config(
        application(settings, state),
        host="0.0.0.0",  # noqa: S104 - the pod's own network namespace
        port=settings.port,
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        ws="none",
        lifespan="on",
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=math.ceil(settings.longest_request_s),
    )
    server = DrainingServer(config, state, settings.drain_s)
    server.run()
    return 0 if server.started else 1


if __name__ == "__main__":
    sys.exit(main())
