"""A receiver of webhooks for drills: keeps what it is told, each channel under a token of its own, and shows it.

`receiver.py ADDRESS:PORT TOKENS STORE`: TOKENS is a JSON file of channel to token, STORE a file of JSON lines that it
appends to. `POST /hooks/TOKEN` with `{"text": ...}` is kept once it is on disk; `GET /messages` gives the last 500.
It needs nothing but Python.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import cast

MOST_BYTES = 64 * 1024
SHOWN = 500
_TIMEOUT_S = 10


class Receiver(ThreadingHTTPServer):
    """Keeps messages."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, address: tuple[str, int], channels: dict[str, str], store: Path) -> None:
        """`channels` is token to channel."""
        super().__init__(address, _Handler)
        self.channels, self.store, self.writing = channels, store, threading.Lock()

    def keep(self, channel: str, text: str) -> None:
        """Append a message; it is on disk when this returns."""
        line = json.dumps({"channel": channel, "text": text, "at_s": time.time()}) + "\n"
        with self.writing, self.store.open("a", encoding="utf-8") as file:
            file.write(line)
            file.flush()
            os.fsync(file.fileno())

    def kept(self) -> list[object]:
        """The last messages, the oldest first."""
        with self.writing:
            lines = self.store.read_text(encoding="utf-8").splitlines() if self.store.is_file() else []
        return [json.loads(line) for line in lines[-SHOWN:]]


class _Handler(BaseHTTPRequestHandler):
    timeout = _TIMEOUT_S

    def do_POST(self) -> None:
        channel = self._receiver.channels.get(self.path.removeprefix("/hooks/"))
        if channel is None:
            return self._answer(404, {"error": "no such hook"})
        length = self.headers.get("Content-Length", "")
        if not length.isdigit() or int(length) > MOST_BYTES:
            return self._answer(413, {"error": f"a message has a length, of at most {MOST_BYTES} bytes"})
        try:
            text = json.loads(self.rfile.read(int(length)))["text"]
        except (ValueError, KeyError, TypeError):
            return self._answer(400, {"error": 'a message is {"text": "..."}'})
        if not isinstance(text, str):
            return self._answer(400, {"error": "`text` is to be a text"})
        self._receiver.keep(channel, text)
        return self._answer(200, {"ok": True})

    def do_GET(self) -> None:
        if self.path != "/messages":
            return self._answer(404, {"error": "there are /messages"})
        return self._answer(200, self._receiver.kept())

    @property
    def _receiver(self) -> Receiver:
        return cast("Receiver", self.server)

    def _answer(self, status: int, document: object) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        """Nothing: the path of a hook is a secret."""


def main(arguments: list[str]) -> None:
    """Serve until ended."""
    listen, tokens, store = arguments
    host, _, port = listen.rpartition(":")
    channels = {token: channel for channel, token in json.loads(Path(tokens).read_text(encoding="utf-8")).items()}
    Receiver((host, int(port)), channels, Path(store)).serve_forever()


if __name__ == "__main__":
    main(sys.argv[1:])
