"""The link's filters, in two network namespaces of the test's own: real packets, no twin."""

from __future__ import annotations

import contextlib
import os
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from drillbook.domain.traffic import Origin
from drillbook.drivers.http_client import HttpClient
from drillbook.twin.link import CHAIN, End, Link
from drillbook.twin.network import inside
from drillbook.twin.slow_store import SlowStore

if TYPE_CHECKING:
    from collections.abc import Generator

NAMES = tuple(f"test-link-{end}-{os.getpid()}" for end in ("a", "b"))
ADDRESSES = ("10.99.1.1", "10.99.2.1")


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, timeout=20, capture_output=True)


@pytest.fixture(scope="module")
def ends() -> Generator[tuple[End, End]]:
    for name in NAMES:
        ip("netns", "add", name)
    try:
        ip("-netns", NAMES[0], "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", NAMES[1])
        for name, address in zip(NAMES, ADDRESSES, strict=True):
            ip("-netns", name, "address", "add", f"{address}/16", "dev", "eth0")
            ip("-netns", name, "link", "set", "eth0", "up")
        here, there = (
            End((name,), address, (f"{address.rpartition('.')[0]}.0/24",))
            for name, address in zip(NAMES, ADDRESSES, strict=True)
        )
        yield here, there
    finally:
        for name in NAMES:
            ip("netns", "delete", name)


def filters(end: End) -> str:
    return subprocess.run(
        ["ip", "netns", "exec", end.namespaces[0], "iptables", "-S"],
        check=True,
        timeout=20,
        capture_output=True,
        text=True,
    ).stdout


@pytest.mark.parametrize("kib_s", [0, 64], ids=["cut", "slowed"])
def test_a_link_is_taken_and_given_back_without_a_trace(ends, kib_s):
    link = Link(*ends, kib_s)
    before = filters(ends[0])
    link.give_back({})
    assert link.look({}).well, link.look({}).text
    link.take()
    link.take()
    taken = link.look({})
    assert taken.gone, taken.text
    assert not taken.well
    assert (taken.data["bytes_s"] > 0) == (kib_s > 0)
    assert filters(ends[0]).count(f"-j {CHAIN}") == 3, "taken twice is taken once"
    link.give_back({})
    assert link.look({}).well, link.look({}).text
    assert filters(ends[0]) == before


def test_what_was_half_taken_is_given_back(ends):
    link = Link(*ends)
    before = filters(ends[0])
    subprocess.run(
        ["ip", "netns", "exec", NAMES[0], "sh", "-c", f"iptables -N {CHAIN} && iptables -I INPUT -j {CHAIN}"],
        check=True, timeout=20,
    )  # fmt: skip
    link.give_back({})
    assert filters(ends[0]) == before


def test_a_link_that_was_not_taken_is_not_gone(ends):
    assert not Link(*ends).look({}).gone


@pytest.fixture
def store(ends) -> Generator[SlowStore]:
    """Something at a port of the other end that answers with 64 KiB, asked from this one."""
    here, there = ends
    with inside(there.namespaces[0]):
        server = ThreadingHTTPServer((there.address, 0), Big)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()

    def ask() -> None:
        with inside(here.namespaces[0]):
            HttpClient(f"http://{there.address}:{server.server_port}", lambda _: Origin()).get("/", timeout_s=5.0)

    yield SlowStore(there.namespaces, server.server_port, 8, ask)
    server.shutdown()
    server.server_close()
    thread.join(10)


class Big(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "65536")
        self.end_headers()
        with contextlib.suppress(OSError):  # who has waited for too long is gone
            self.wfile.write(bytes(65536))

    def log_message(self, *_: object) -> None:
        return


def test_a_store_answers_slowly_and_then_again_at_once(store, ends):
    before = filters(ends[1])
    assert store.look({}).well, store.look({}).text
    store.take()
    slow = store.look({})
    assert slow.gone, slow.text
    store.give_back({})
    store.give_back({})
    assert store.look({}).well, store.look({}).text
    assert filters(ends[1]) == before
