"""A command line that is given something wrong, and servers that answer wrongly; all on loopback."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from ruamel.yaml import YAML

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

PROJECT = Path(__file__).resolve().parents[3]


@pytest.fixture
def drillbook() -> Callable[..., tuple[int, str]]:
    """The real command: exit code and everything that it printed."""

    def run(*arguments: str) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-m", "drillbook", *arguments],
            cwd=PROJECT, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        return done.returncode, done.stdout + done.stderr

    return run


@pytest.fixture
def environment(tmp_path: Path) -> Callable[..., Path]:
    """An environment file that is right but for one thing, with a kubeconfig beside it."""

    def make(change: Callable[[dict[str, Any]], None] | None = None, *, server: str = "", name: str = "sample") -> Path:
        yaml = YAML(typ="safe", pure=True)
        document = yaml.load((PROJECT / "environments" / "twin.yaml").read_text())
        document["name"] = name
        del document["reach"]
        document["regions"] = {"us-east-1": {"kubeconfig": "kubeconfig.yaml", "role": "primary"}}
        directory = tmp_path / "environments"
        directory.mkdir(exist_ok=True)
        if not (tmp_path / "system").exists():
            (tmp_path / "system").symlink_to(PROJECT / "system")
        (directory / "kubeconfig.yaml").write_text(
            json.dumps(kubeconfig(server or f"http://127.0.0.1:{closed_port()}"))
        )
        if change is not None:
            change(document)
        path = directory / f"{name}.yaml"
        with path.open("w") as file:
            yaml.dump(document, file)
        return path

    return make


def kubeconfig(server: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1", "kind": "Config", "current-context": "here",
        "clusters": [{"name": "here", "cluster": {"server": server}}],
        "users": [{"name": "me", "user": {"token": "a-token-that-has-expired"}}],
        "contexts": [{"name": "here", "context": {"cluster": "here", "user": "me"}}],
    }  # fmt: skip


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def answering(status: int, body: bytes, content_type: str = "application/json") -> Generator[str]:
    """A server that gives one answer to everything; its URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815 - the library's names

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def recording() -> Generator[tuple[str, list[str]]]:
    """A server that answers an empty object; its URL, and the credentials that it was shown."""
    seen: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(self.headers["Authorization"])
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}", seen
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def silent() -> Generator[str]:
    """A server that accepts and never says anything; its URL."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
