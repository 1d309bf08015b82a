# ruff: noqa: INP001 - one module, no package
"""`python3 -m scoring`: stands in for the external scoring service where there is none (development, staging).

Answers `POST /v1/score` with a score that depends on nothing but the request, so that a test knows it beforehand.
"""

from __future__ import annotations

import json
import math
import os
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import FrameType

_LONGEST_BODY = 64 * 1024


def score(value: float) -> float:
    """The score of a value, between 0 and 1."""
    return 1 / (1 + math.exp(-max(-500.0, min(500.0, value / 100))))


class Handler(BaseHTTPRequestHandler):
    """Serves one connection."""

    protocol_version = "HTTP/1.1"
    timeout = 120
    delay_s = float(os.environ.get("SCORING_DELAY_MS", "0")) / 1000

    def do_GET(self) -> None:
        """`/healthz`."""
        if self.path == "/healthz":
            self._answer(200, {"alive": True})
        else:
            self._answer(404, {"error": "There is /healthz and POST /v1/score."})

    def do_POST(self) -> None:
        """`/v1/score`."""
        length = int(self.headers.get("Content-Length") or 0)
        if not 0 < length <= _LONGEST_BODY:
            self.close_connection = True
            self._answer(422, {"error": f"The body has to be JSON of 1 to {_LONGEST_BODY} bytes."})
            return
        body = self.rfile.read(length)
        if self.path != "/v1/score":
            self._answer(404, {"error": "There is /healthz and POST /v1/score."})
            return
        try:
            value = float(json.loads(body)["value"])
            if not math.isfinite(value):
                raise ValueError(value)  # noqa: TRY301 - the same answer as for what is no number at all
        except (ValueError, KeyError, TypeError):
            self._answer(422, {"error": 'The body has to be JSON like {"source": "pump-7", "value": 3.2}.'})
            return
        time.sleep(self.delay_s)
        self._answer(200, {"score": score(value)})

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's signature
        """Say nothing of single requests."""

    def _answer(self, code: int, content: dict[str, Any]) -> None:
        body = json.dumps(content).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        correlation_id = self.headers.get("X-Correlation-Id")
        if correlation_id:
            self.send_header("X-Correlation-Id", correlation_id)
        self.end_headers()
        self.wfile.write(body)


def main() -> int:
    """Serve until SIGTERM."""
    port = int(os.environ.get("PORT", "8080"))
    server = ThreadingHTTPServer(("0.0.0.0", port), Handler)  # noqa: S104 - the pod's own network namespace
    server.daemon_threads = True

    def end(_number: int, _frame: FrameType | None) -> None:
        # `shutdown` waits for the loop that the signal interrupted, so it must not run in its thread.
        threading.Thread(target=server.shutdown).start()

    signal.signal(signal.SIGTERM, end)
    server.serve_forever(poll_interval=0.2)
    return 0


if __name__ == "__main__":
    sys.exit(main())
