"""A network with nothing in it but a server whose latencies are known, and one load after the other on it."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import time
import urllib.request
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from benchmarks.peers import known
from benchmarks.peers.k6_loads import HERE
from benchmarks.peers.k6_trial import Trial
from drillbook.twin import golang

if TYPE_CHECKING:
    from benchmarks.peers.k6_loads import Asked, Tool
    from benchmarks.peers.known import Behaviour, Floats

ROOT = HERE.parents[1]
TARGET = golang.Program("target", "1", ".", 5, modules=HERE / "go")
_ADDRESS = "127.0.0.1:8080"
URL = f"http://{_ADDRESS}"
_START_S, _END_S, _PACE_S, _EDGE_S = 30.0, 60.0, 0.02, 0.5
_NS = 1e9


class Server:
    """The server; entered once."""

    def __init__(self, program: Path) -> None:
        """Touches nothing."""
        self._program = program

    def __enter__(self) -> Self:
        """Start it.

        Raises:
            RuntimeError: When this network has a way out, or the server does not answer.
        """
        names = [name for _, name in socket.if_nameindex()]
        if names != ["lo"]:
            raise RuntimeError(f"loads of other tools run where nothing but loopback is, and here are {names}")
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True, timeout=10)
        # As important as a load: an answer that comes late for want of a processor is latency that nobody knows of.
        self._process = subprocess.Popen(["chrt", "--rr", "1", str(self._program), _ADDRESS])
        deadline_s = time.monotonic() + _START_S
        while True:
            with contextlib.suppress(OSError):
                self._ask("/count")
                return self
            if self._process.poll() is not None or time.monotonic() > deadline_s:
                self.__exit__()
                raise RuntimeError(f"the server did not answer on {_ADDRESS} within {_START_S:.0f} s")
            time.sleep(_PACE_S)

    def __exit__(self, *_: object) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()

    def trial(self, tool: Tool, asked: Asked, behaviour: Behaviour) -> Trial:
        """Put one load on it.

        Raises:
            RuntimeError: When the load does not begin, breaks, or does not end.
        """
        self._ask("/plan", {
            "latencies_ms": [1000 * each for each in behaviour.latencies_s],
            "stalls": [asdict(each) for each in behaviour.stalls],
        })  # fmt: skip
        asked.folder.mkdir(parents=True)
        log = asked.folder / "log"
        with log.open("wb") as stream:
            process = subprocess.Popen(
                tool.command(asked), cwd=ROOT, env=dict(tool.settings(asked)), stdin=subprocess.DEVNULL,
                stdout=stream, stderr=stream,
            )  # fmt: skip
        try:
            self._wait_for_first(tool, process, log)
            cores = _cores(process.pid, asked.seconds)
            if not tool.ends:
                time.sleep(_EDGE_S)
                process.terminate()
            code = process.wait(_END_S)
        except subprocess.TimeoutExpired as error:
            raise RuntimeError(f"{tool.name} did not end within {_END_S:.0f} s: {_tail(log)}") from error
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        if code != 0:
            raise RuntimeError(f"{tool.name} ended with {code}: {_tail(log)}")
        return self._judged(tool, asked, behaviour, cores)

    def _judged(self, tool: Tool, asked: Asked, behaviour: Behaviour, cores: float) -> Trial:
        record = self._ask("/record")
        came_s, due_s, done_s = (np.array(record[name]) / _NS for name in ("came_ns", "due_ns", "done_ns"))
        told = tool.told(asked, record["first_query"])
        first_s = float(came_s.min())
        start_s = first_s if told.start_s is None else told.start_s
        schedule = known.Schedule(start_s, asked.rate_hz, asked.seconds)
        return Trial(
            tool=tool.name,
            rate_hz=asked.rate_hz,
            on_time=None if told.start_s is None else known.on_time(schedule, came_s),
            came_hz=int((came_s < start_s + asked.seconds).sum()) / asked.seconds,
            unsent=told.unsent,
            cores=cores,
            quantiles_s=told.quantiles_s,
            truth_s=known.quantiles_s(known.latencies_s(schedule, behaviour, first_s)),
            server_late_s=_late_s(due_s, done_s),
        )

    def _wait_for_first(self, tool: Tool, process: subprocess.Popen[bytes], log: Path) -> None:
        deadline_s = time.monotonic() + _START_S
        while not self._ask("/count"):
            if process.poll() is not None or time.monotonic() > deadline_s:
                raise RuntimeError(f"{tool.name} did not send anything within {_START_S:.0f} s: {_tail(log)}")
            time.sleep(_PACE_S)

    def _ask(self, path: str, body: object = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(f"{URL}{path}", data, timeout=_START_S) as answer:  # noqa: S310 -- loopback
            return json.loads(answer.read() or b"null")


def _late_s(due_s: Floats, done_s: Floats) -> float:
    answered = done_s > 0
    return float(np.quantile(done_s[answered] - due_s[answered], 0.999))


def _cores(pid: int, seconds: float) -> float:
    """In the middle of a load that lasts so long."""
    time.sleep(_EDGE_S)
    before_s, cpu_before_s = time.monotonic(), _cpu_s(pid)
    time.sleep(seconds - 2 * _EDGE_S)
    return (_cpu_s(pid) - cpu_before_s) / (time.monotonic() - before_s)


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _tail(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace")[-1500:]
