"""The process with sessions and jobs, beside two regions' services on one real database that goes away for a moment."""

from __future__ import annotations

import contextlib
import json
import selectors
import signal
import socket
import socketserver
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from drillbook.domain import crossing
from drillbook.domain.crossing import Count
from drillbook.domain.interval import Interval
from drillbook.domain.measurement import Window
from probes import crossing as probe
from tests.integration.system.conftest import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.integration.system.conftest import Migrate, Postgres, Service

ROOT = Path(__file__).resolve().parents[3]
EAST, WEST = "us-east-1", "us-west-2"
ADDRESSES = {EAST: "127.0.0.2", WEST: "127.0.0.3"}
EVER = Window(0.0, 1e12)
_WITHIN_S = 60.0


class Gateway(socketserver.ThreadingTCPServer):
    """Hands every connection on to a region's service."""

    allow_reuse_address = True
    daemon_threads = True
    service = 0


class Passing(socketserver.BaseRequestHandler):
    """Both ways, until either side ends."""

    def handle(self) -> None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.server.service), 5) as service:
            other = {self.request: service, service: self.request}
            with selectors.DefaultSelector() as ready:
                for side in other:
                    ready.register(side, selectors.EVENT_READ)
                while True:
                    for key, _ in ready.select():
                        data = key.fileobj.recv(65536)
                        if not data:
                            return
                        other[key.fileobj].sendall(data)


@pytest.fixture
def gateways() -> Iterator[Callable[[dict[str, int]], int]]:
    """Lets each region's service be reached at the region's address; answers the port."""
    servers: list[Gateway] = []

    def serve(services: dict[str, int]) -> int:
        port = free_port()
        for region, address in ADDRESSES.items():
            server = Gateway((address, port), Passing)
            server.service = services[region]
            servers.append(server)
            threading.Thread(target=server.serve_forever, daemon=True).start()
        return port

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def beside(
    database: str, migrate: Migrate, service: Callable[..., Service], gateways: Any, tmp_path: Path
) -> Iterator[Callable[..., tuple[Path, subprocess.Popen[bytes]]]]:
    """Starts the process beside two services; answers the drill's folder."""
    assert migrate(database, "1.0.0", "upgrade").returncode == 0
    started: list[subprocess.Popen[bytes]] = []

    def start(**keys: str) -> tuple[Path, subprocess.Popen[bytes]]:
        ports = {}
        for region in ADDRESSES:
            file = tmp_path / f"key-{region}"
            file.write_text(keys[region.replace("-", "_")])
            running = service(database, REGION=region, SESSION_KEY_FILE=str(file))
            running.wait_until("/readyz", 200, within_s=_WITHIN_S)
            ports[region] = int(running.url.rpartition(":")[2])
        folder = tmp_path / "drill" / probe.FOLDER
        folder.mkdir(parents=True)
        load = {
            "base_url": f"http://service.test:{gateways(ports)}", "workload": "loadtests.analytics:AnalyticsWorkload",
            "meter": {"rate_hz": 1, "timeout_s": 3}, "output": str(folder), "namespace": "test-jobs",
        }  # fmt: skip
        plan = {"load": load, "regions": {region: [address] for region, address in ADDRESSES.items()}}
        (folder / "plan.json").write_text(json.dumps(plan))
        with (folder / "load.log").open("wb") as log:
            command = [sys.executable, "-m", "loadtests.crossing", "--plan", str(folder / "plan.json")]
            started.append(subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log))
        return folder.parent, started[-1]

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
            process.wait(10)


def wait_for(process: subprocess.Popen[bytes], holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + _WITHIN_S
    while not holds():
        assert process.poll() is None, "the process ended before"
        assert time.monotonic() < deadline, f"not within {_WITHIN_S:g} s"
        time.sleep(0.05)


def is_running(drill_dir: Path) -> bool:
    path = drill_dir / probe.FOLDER / "state.json"
    return path.is_file() and json.loads(path.read_text())["phase"] == "running"


def end(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    assert process.wait(_WITHIN_S) == 0


def refused_tries(drill_dir: Path) -> int:
    return sum(it.state != "acknowledged" for it in probe.tries(drill_dir))


def test_what_the_database_left_unfinished_in_one_region_is_finished_in_the_other(beside: Any, postgres: Postgres):
    drill_dir, process = beside(us_east_1="shared" * 8, us_west_2="shared" * 8)
    wait_for(process, lambda: is_running(drill_dir) and len(probe.tries(drill_dir)) > 5)
    assert refused_tries(drill_dir) == 0
    began_s = probe.tries(drill_dir)[-1].done_s
    postgres.stop()
    try:
        wait_for(process, lambda: refused_tries(drill_dir) > 8)
    finally:
        postgres.start()
    end(process)

    tries, asks = probe.tries(drill_dir), probe.asks(drill_dir)
    switch = Interval(began_s, max(it.sent_s for it in tries if it.state != "acknowledged" and not it.again))
    for left, took_over in ((EAST, WEST), (WEST, EAST)):
        keys = crossing.in_flight(tries, left, switch)
        assert len(keys) >= 2
        assert crossing.unfinished(tries, keys, took_over) == Count(len(keys), 0, 0)
        assert crossing.wrongly_kept(probe.kept(drill_dir), keys, ADDRESSES) == Count(len(keys), 0, 0)
        assert crossing.answered_otherwise(tries, keys, ADDRESSES) == Count(len(keys), 0, 0)
    opened = {ask.session for ask in asks if ask.kind == "good"}
    assert len(opened) == 20
    for region in ADDRESSES:
        assert crossing.not_honoured(asks, opened, region, EVER) == Count(20, 0, 0)
        for kind in ("forged", "over"):
            assert crossing.wrongly_honoured(asks, kind, region, EVER) == Count(2, 0, 0)
    # What a token says begins so, in base64url.
    assert not [it for it in (drill_dir / probe.FOLDER).iterdir() if "eyJ1c2Vy" in it.read_text()]


def test_a_region_with_another_key_honours_none_of_the_others_sessions(beside: Any):
    drill_dir, process = beside(us_east_1="shared" * 8, us_west_2="another" * 8)
    wait_for(process, lambda: is_running(drill_dir))
    end(process)
    asks = probe.asks(drill_dir)
    opened = {ask.session for ask in asks if ask.kind == "good"}
    for region in ADDRESSES:
        assert crossing.not_honoured(asks, opened, region, EVER) == Count(20, 10, 0)
