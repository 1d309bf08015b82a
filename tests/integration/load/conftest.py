"""A stub server and loads against it, each a process of its own on loopback."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest
import requests

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).resolve().parents[3]
_STUB = Path(__file__).with_name("stub_server.py")
_WITHIN_S = 30.0


@dataclass(slots=True)
class Stub:
    """The stub server's process."""

    port: int
    process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        self.process = subprocess.Popen([sys.executable, str(_STUB), str(self.port)], stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"

    def kill(self) -> None:
        if self.process is not None and self.process.stdout is not None:
            self.process.kill()
            self.process.wait(10)
            self.process.stdout.close()
            self.process = None

    def switch(self, **switches: object) -> None:
        """Replace all faults."""
        url = f"http://127.0.0.1:{self.port}/_stub"
        assert requests.post(url, json=switches, timeout=5).status_code == 200


@dataclass(slots=True)
class RunningLoad:
    """A load's process and its drill folder."""

    drill_dir: Path
    process: subprocess.Popen[str]

    @property
    def folder(self) -> Path:
        return self.drill_dir / "load"

    def state(self) -> dict[str, Any]:
        with contextlib.suppress(FileNotFoundError):
            return json.loads((self.folder / "state.json").read_text())
        return {"phase": None}

    def wait_for(self, phase: str) -> None:
        deadline = time.monotonic() + _WITHIN_S
        while self.state()["phase"] != phase:
            assert self.process.poll() is None, "the load ended before"
            assert time.monotonic() < deadline, f"no phase {phase} within {_WITHIN_S} s: {self.state()}"
            time.sleep(0.02)

    def wait(self) -> int:
        return self.process.wait(_WITHIN_S)

    def rows(self, name: str = "requests") -> list[dict[str, Any]]:
        return pq.read_table(self.folder / f"{name}.parquet").to_pylist()


@pytest.fixture
def stub() -> Iterator[Stub]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    server = Stub(port)
    server.start()
    yield server
    server.kill()


@pytest.fixture
def load(tmp_path: Path) -> Iterator[Callable[..., RunningLoad]]:
    """Starts a load on a URL; keyword arguments replace parts of its plan."""
    started: list[RunningLoad] = []

    def start(url: str, **changes: Any) -> RunningLoad:
        drill_dir = tmp_path / f"drill-{len(started)}"
        folder = drill_dir / "load"
        folder.mkdir(parents=True)
        plan = {
            "base_url": url,
            "workload": "loadtests.analytics:AnalyticsWorkload",
            "meter": {"rate_hz": 50, "timeout_s": 1},
            "max_duration_s": 20,
            "output": str(folder),
            "namespace": f"test-{len(started)}",
        }
        (folder / "plan.json").write_text(json.dumps(plan | changes))
        with (folder / "load.log").open("w") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "loadtests", "--plan", str(folder / "plan.json")],
                cwd=ROOT,
                stdout=log,
                stderr=subprocess.STDOUT,
                text=True,
            )
        started.append(RunningLoad(drill_dir, process))
        return started[-1]

    yield start
    for running in started:
        if running.process.poll() is None:
            running.process.kill()
            running.process.wait(10)
