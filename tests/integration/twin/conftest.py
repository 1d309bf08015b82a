"""A registry and a container runtime of the tests' own, on loopback and in a temporary directory."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import requests

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

_START_DEADLINE_S = 20.0
_STOP_DEADLINE_S = 10.0


@dataclass(frozen=True)
class Runtime:
    """A containerd of the tests' own."""

    socket: Path
    registry: str

    def run(self, name: str, *command: str, seconds: float = 60) -> subprocess.CompletedProcess[str]:
        """Pull an image and run a command in it until it ends."""
        reference = f"{self.registry}/{name}"
        self.ctr("images", "pull", "--plain-http", reference, seconds=seconds)
        identity = f"test-{time.monotonic_ns()}"
        return self.ctr("run", "--rm", "--read-only", reference, identity, *command, seconds=seconds)

    def ctr(self, *arguments: str, seconds: float = 60) -> subprocess.CompletedProcess[str]:
        """Run containerd's client."""
        done = subprocess.run(
            ["ctr", "--address", str(self.socket), *arguments],
            capture_output=True, text=True, timeout=seconds, check=False,
        )  # fmt: skip
        assert done.returncode == 0 or arguments[0] == "run", done.stderr
        return done


@pytest.fixture(scope="session")
def registry_url(tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    """An empty image registry."""
    if shutil.which("docker-registry") is None:
        pytest.fail("docker-registry is not installed; run: make install")
    directory = tmp_path_factory.mktemp("registry")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    configuration = directory / "registry.yaml"
    configuration.write_text(
        "version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\n"
        f"storage: {{filesystem: {{rootdirectory: {directory}/storage}}, delete: {{enabled: true}}}}\n"
        f'http: {{addr: "127.0.0.1:{port}"}}\n'
    )
    url = f"http://127.0.0.1:{port}"
    command = ("docker-registry", "serve", str(configuration))
    with _process(command, directory / "registry.log", lambda: _answers(f"{url}/v2/")):
        yield url


@pytest.fixture(scope="session")
def runtime(registry_url: str) -> Generator[Runtime]:
    """A containerd with its own root, state and socket; every trace of it is gone afterwards."""
    if os.geteuid() != 0 or shutil.which("containerd") is None:
        pytest.fail("this test needs root and containerd; run: make install")
    with tempfile.TemporaryDirectory(prefix="drillbook-containerd-") as name:
        directory = Path(name)
        address = directory / "containerd.sock"
        configuration = directory / "containerd.toml"
        configuration.write_text(
            f'version = 2\nroot = "{directory}/root"\nstate = "{directory}/state"\n'
            'disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.snapshotter.v1.btrfs", '
            '"io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.aufs"]\n'
            f'[grpc]\n  address = "{address}"\n[ttrpc]\n  address = "{address}.ttrpc"\n'
        )
        command = ("containerd", "--config", str(configuration))
        with _process(command, directory / "containerd.log", address.exists):
            yield Runtime(address, registry_url.removeprefix("http://"))


@contextmanager
def _process(command: Sequence[str], log_path: Path, ready: Callable[[], bool]) -> Generator[None]:
    with log_path.open("wb") as log:
        environment = {**os.environ, "OTEL_TRACES_EXPORTER": "none"}
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
        try:
            deadline_s = time.monotonic() + _START_DEADLINE_S
            while not ready():
                assert process.poll() is None, log_path.read_text()[-2000:]
                assert time.monotonic() < deadline_s, f"{command[0]} did not start: {log_path.read_text()[-2000:]}"
                time.sleep(0.05)
            yield
        finally:
            process.terminate()
            try:
                process.wait(_STOP_DEADLINE_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=1).ok
    except requests.RequestException:
        return False
