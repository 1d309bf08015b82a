"""A command line that is given something wrong, and servers that answer wrongly; all on loopback."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from ruamel.yaml import YAML

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

PROJECT = Path(__file__).resolve().parents[3]
TOKEN = "a-token-that-has-expired"  # noqa: S105 - no server knows it


@dataclass(frozen=True)
class Said:
    """What a command ended with, and everything that it printed."""

    code: int
    output: str

    def refused(self, *sentences: str) -> None:
        """Exit code 2, and each of these is said."""
        self._ended(2, sentences)

    def inconclusive(self, *sentences: str) -> None:
        """Exit code 75, and each of these is said."""
        self._ended(75, sentences)

    def _ended(self, code: int, sentences: tuple[str, ...]) -> None:
        assert self.code == code, self.output
        for sentence in sentences:
            assert sentence in self.output
        assert "Traceback" not in self.output
        assert "INTERNALERROR" not in self.output
        assert TOKEN not in self.output


def drillbook(*arguments: object) -> Said:
    """The real command."""
    done = subprocess.run(
        [sys.executable, "-m", "drillbook", *map(str, arguments)],
        cwd=PROJECT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    return Said(done.returncode, done.stdout + done.stderr)


@pytest.fixture
def environment(tmp_path: Path) -> Callable[..., Path]:
    """Writes an environment file that is right but for one thing, with a kubeconfig beside it."""

    def make(change: Callable[[dict[str, Any]], None] | None = None, *, server: str = "") -> Path:
        return written(tmp_path, "sample", change, server=server)

    return make


def written(
    directory: Path, name: str, change: Callable[[dict[str, Any]], None] | None = None, *, server: str = ""
) -> Path:
    """The twin's environment, changed, whose cluster is at `server`; where that is left out nobody listens."""
    yaml = YAML(typ="safe", pure=True)
    document = yaml.load((PROJECT / "environments" / "twin.yaml").read_text())
    document["name"] = name
    del document["reach"], document["recovery"]
    document["regions"] = {"us-east-1": {"kubeconfig": "kubeconfig.yaml", "role": "primary"}}
    environments = directory / "environments"
    if not environments.exists():
        environments.mkdir()
        (directory / "system").symlink_to(PROJECT / "system")
    credentials = kubeconfig(server or f"http://127.0.0.1:{closed_port()}")
    (environments / "kubeconfig.yaml").write_text(json.dumps(credentials))
    if change is not None:
        change(document)
    path = environments / f"{name}.yaml"
    with path.open("w") as file:
        yaml.dump(document, file)
    return path


def at(*keys, to):
    """A change of one value of an environment file."""

    def change(document):
        place = document
        for key in keys[:-1]:
            place = place[key]
        place[keys[-1]] = to

    return change


def kubeconfig(server: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1", "kind": "Config", "current-context": "here",
        "clusters": [{"name": "here", "cluster": {"server": server}}],
        "users": [{"name": "me", "user": {"token": TOKEN}}],
        "contexts": [{"name": "here", "context": {"cluster": "here", "user": "me"}}],
    }  # fmt: skip


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@dataclass
class Server:
    """One that answers as a test says, and remembers what it was asked to change.

    Attributes:
        url: Where it listens.
        changes: Method, path and body of each request that was no question.
        credentials: What it was shown, with each request.
    """

    url: str
    changes: list[tuple[str, str, Any]] = field(default_factory=list)
    credentials: list[str | None] = field(default_factory=list)


@contextmanager
def answering(answer: Callable[[str, str, Any], tuple[int, bytes]]) -> Generator[Server]:
    """A server on loopback; `answer` gets method, path and body and gives status and body."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            asked = json.loads(self.rfile.read(length)) if length else None
            found.credentials.append(self.headers["Authorization"])
            if self.command != "GET":
                found.changes.append((self.command, self.path, asked))
            status, body = answer(self.command, self.path, asked)
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815 - the library's names

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        found = Server(f"http://127.0.0.1:{server.server_address[1]}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield found
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def listening(first: bytes | None) -> Generator[Server]:
    """A server that says this to whoever connects and hangs up; that says nothing and stays when it is None."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        thread = threading.Thread(target=_say, args=(server, first), daemon=True)
        if first is not None:
            thread.start()
        yield Server(f"http://127.0.0.1:{server.getsockname()[1]}")
        if first is not None:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()


def _say(server: socket.socket, first: bytes) -> None:
    while True:
        try:
            connection, _ = server.accept()
        except OSError:  # the test is over
            return
        with connection:
            connection.recv(65536)
            connection.sendall(first)


class Cluster:
    """As much of a Kubernetes API as the environment's lock and Drillbook's own documents need.

    Attributes:
        holder: Who has the lock.
        renewed: When its holder last said so, as Kubernetes writes it.
        takings: How often it was taken so far.
        lives: Whether its holder renews it, so that it is never seen twice as it was.
        version: Of the lock's document.
        documents: The ConfigMaps' answer: status and body.
    """

    def __init__(self, holder: str = "", renewed: str | None = None) -> None:
        self.holder = holder
        self.renewed = renewed
        self.lives = bool(holder)
        self.version = 1
        self.takings = 1
        self.documents = (200, json.dumps({"kind": "ConfigMapList", "apiVersion": "v1", "items": []}).encode())

    def answer(self, method: str, path: str, asked: Any) -> tuple[int, bytes]:
        if "/leases/" in path:
            self.version += self.lives or method == "PUT"
            if method == "PUT":
                self.holder = asked["spec"].get("holderIdentity", "")
                self.renewed = asked["spec"].get("renewTime")
                self.takings = asked["spec"].get("leaseTransitions")
            return 200, json.dumps(self._lease()).encode()
        if "/configmaps" in path:
            return self.documents
        return 404, json.dumps({"kind": "Status", "apiVersion": "v1", "code": 404}).encode()

    def _lease(self) -> dict[str, Any]:
        return {
            "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
            "metadata": {"name": "environment", "resourceVersion": str(self.version)},
            "spec": {
                "holderIdentity": self.holder, "leaseTransitions": self.takings, "leaseDurationSeconds": 15,
                "acquireTime": self.renewed, "renewTime": self.renewed,
            },
        }  # fmt: skip
