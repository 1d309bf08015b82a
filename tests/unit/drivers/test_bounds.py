"""Servers that want to keep us, fill us or send us elsewhere; all on loopback."""

from __future__ import annotations

import gzip
import json
import socket
import ssl
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import pytest

from drillbook.domain.traffic import Origin
from drillbook.drivers import kubernetes as kubernetes_driver
from drillbook.drivers import prometheus as prometheus_driver
from drillbook.drivers.http_client import MAX_BODY, HttpClient
from drillbook.drivers.kubernetes import KubernetesCluster, connect
from drillbook.drivers.kubernetes_lease import KubernetesLease
from drillbook.drivers.prometheus import Prometheus
from drillbook.drivers.reach import Names
from drillbook.ports import Unreachable
from drillbook.twin.pki import Authority

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

WITHIN_S = 0.15
GIGABYTE = 1 << 30


class Wire:
    """A server that says bytes, and counts what was taken from it."""

    def __init__(self) -> None:
        self.url = ""
        self.taken = 0
        self.asked: list[bytes] = []


@contextmanager
def saying(speak: Callable[[Wire, socket.socket], None], context: ssl.SSLContext | None = None) -> Iterator[Wire]:
    wire = Wire()
    ended = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0.05)
        wire.url = f"http{'s' if context else ''}://127.0.0.1:{listening.getsockname()[1]}"

        def talk(connection: socket.socket) -> None:
            with suppress(OSError), connection:
                connection.settimeout(5)
                spoken = context.wrap_socket(connection, server_side=True) if context else connection
                with spoken:
                    wire.asked.append(spoken.recv(65536))
                    speak(wire, spoken)

        def serve() -> None:
            while not ended.is_set():
                with suppress(TimeoutError):
                    threading.Thread(target=talk, args=(listening.accept()[0],), daemon=True).start()

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield wire
        finally:
            ended.set()
            thread.join()


def a_gigabyte(wire: Wire, connection: socket.socket) -> None:
    connection.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: {GIGABYTE}\r\n\r\n".encode())
    block = b"x" * (1 << 20)
    while wire.taken < GIGABYTE:
        connection.sendall(block)
        wire.taken += len(block)


def endless_head(wire: Wire, connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    while wire.taken < GIGABYTE:
        connection.sendall(b"X-Header: y\r\n" * 1000)
        wire.taken += 13000


def a_byte_now_and_then(start: bytes) -> Callable[[Wire, socket.socket], None]:
    def speak(wire: Wire, connection: socket.socket) -> None:
        connection.sendall(start)
        while True:
            connection.sendall(b"x")
            wire.taken += 1
            time.sleep(0.02)

    return speak


SLOW = {
    "in the head": a_byte_now_and_then(b"HTTP/1.1 200 OK\r\nX-Slow: "),
    "in the status": a_byte_now_and_then(b"HTTP/1.1 2"),
    "in the body": a_byte_now_and_then(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"),
    "in the chunks": a_byte_now_and_then(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
}


def mute(_wire: Wire, connection: socket.socket) -> None:
    connection.recv(1)  # until the client goes


def packed(_wire: Wire, connection: socket.socket) -> None:
    body = gzip.compress(b"x" * (64 << 20), 1)
    connection.sendall(
        f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
    )


def nested(_wire: Wire, connection: socket.socket) -> None:
    body = b"[" * 200_000
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    connection.sendall(head.encode() + body)


def elsewhere(url: str) -> Callable[[Wire, socket.socket], None]:
    def speak(_wire: Wire, connection: socket.socket) -> None:
        connection.sendall(f"HTTP/1.1 302 Found\r\nLocation: {url}/\r\nContent-Length: 0\r\n\r\n".encode())

    return speak


def ask_user(url: str, _path, **options) -> None:
    HttpClient(url, lambda _: Origin(), **options).get("/", timeout_s=WITHIN_S)


def ask_prometheus(url: str, _path, **options) -> None:
    Prometheus(url, now=lambda: 0.0, timeout_s=WITHIN_S, **options).query("up")


def ask_kubernetes(url: str, path, **cluster) -> None:
    KubernetesCluster(connect(kubeconfig(url, path, **cluster)), "analytics").slot("blue")


def kubeconfig(url: str, path, **cluster):
    document = {
        "apiVersion": "v1", "kind": "Config", "current-context": "c", "users": [{"name": "u", "user": {"token": "t0"}}],
        "clusters": [{"name": "k", "cluster": {"server": url, **cluster}}],
        "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
    }  # fmt: skip
    file = path / "kubeconfig.json"
    file.write_text(json.dumps(document))
    return file


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(kubernetes_driver, "TIMEOUT_S", (WITHIN_S, WITHIN_S))
    monkeypatch.setattr(kubernetes_driver, "MAX_ANSWER", MAX_BODY)
    monkeypatch.setattr(prometheus_driver, "MAX_BODY", MAX_BODY)


ASK = pytest.mark.parametrize("ask", [ask_user, ask_prometheus, ask_kubernetes], ids=["user", "prometheus", "cluster"])


@pytest.mark.slow
@ASK
@pytest.mark.parametrize("speak", [a_gigabyte, endless_head], ids=["body", "head"])
def test_a_gigabyte_is_cut_off(ask, speak, tmp_path):
    with saying(speak) as wire:
        with pytest.raises(Unreachable) as refused:
            ask(wire.url, tmp_path)
        assert wire.url.partition("://")[2] in str(refused.value)
        # What the kernel's buffers took counts as well, once more for the cluster's second try.
        assert wire.taken < 32 << 20


@pytest.mark.slow
@ASK
@pytest.mark.parametrize("speak", SLOW.values(), ids=SLOW)
def test_a_server_that_dribbles_is_left_in_time(ask, speak, tmp_path):
    with saying(speak) as wire:
        started = time.monotonic()
        with pytest.raises(Unreachable) as refused:
            ask(wire.url, tmp_path)
        # The cluster is asked twice, with a pause.
        assert time.monotonic() - started < 2 * WITHIN_S + 0.7
        assert wire.taken > 1
        assert wire.url.partition("://")[2] in str(refused.value)


@pytest.mark.parametrize("speak", [mute, SLOW["in the head"]], ids=["mute", "dribbling"])
def test_a_lease_is_asked_for_once_and_for_no_longer_than_it_may_take(speak, tmp_path, monkeypatch):
    """Whoever waits for one region must renew the other's lock before that lapses."""
    monkeypatch.setattr(kubernetes_driver, "TIMEOUT_S", (10.0, 10.0))
    with saying(speak) as wire:
        lease = KubernetesLease(connect(kubeconfig(wire.url, tmp_path)), timeout_s=(WITHIN_S, WITHIN_S))
        started = time.monotonic()
        with pytest.raises(Unreachable, match="no whole answer came in time"):
            lease.holder()
        assert time.monotonic() - started < 5.0
        assert len(wire.asked) == 1


@ASK
@pytest.mark.parametrize("speak", [packed, nested], ids=["packed", "nested"])
def test_an_answer_that_swells_is_refused(ask, speak, tmp_path):
    if ask is ask_user:
        pytest.skip("answers of users are judged by the workload, which gets the bytes as they came")
    with saying(speak) as wire, pytest.raises(Unreachable):
        ask(wire.url, tmp_path)


@ASK
def test_nobody_is_sent_elsewhere(ask, tmp_path):
    with saying(a_gigabyte) as other, saying(elsewhere(other.url)) as wire:
        with suppress(Unreachable):
            ask(wire.url, tmp_path)
        assert len(wire.asked) >= 1
        assert other.asked == []


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="module")
def context(authority):
    leaf = authority.issue("server", user="server", hosts=["127.0.0.1", "named.test"])
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(leaf.certificate, leaf.key)
    return made


def fine(_wire: Wire, connection: socket.socket) -> None:
    body = json.dumps(
        {"status": "success", "data": {"resultType": "vector", "result": []}, "kind": "x", "items": []}
    ).encode()
    connection.sendall(
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n"
        + f"Content-Length: {len(body)}\r\n\r\n".encode() + body
    )  # fmt: skip


@ASK
def test_a_certificate_that_nobody_vouches_for_is_refused(ask, tmp_path, context, authority):
    with saying(fine, context) as wire:
        with pytest.raises(Unreachable, match=r"(?i)certificate"):
            ask(wire.url, tmp_path)
        assert wire.asked == []
        trusting = (
            {"certificate-authority": str(authority.certificate)}
            if ask is ask_kubernetes
            else {"ca_file": authority.certificate}
        )
        with suppress(Unreachable):  # what it answers need not make sense
            ask(wire.url, tmp_path, **trusting)
        assert len(wire.asked) >= 1


def test_a_certificate_for_another_name_is_refused(tmp_path, authority, monkeypatch):
    leaf = authority.issue("other", user="server", hosts=["another.test"])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(leaf.certificate, leaf.key)
    monkeypatch.setattr(Names, "addresses", lambda *_: ["127.0.0.1"])
    with saying(fine, context) as wire:
        port = wire.url.rpartition(":")[2]
        with pytest.raises(Unreachable, match=r"not valid for"):
            ask_user(f"https://named.test:{port}", tmp_path, ca_file=authority.certificate)
        assert wire.asked == []


def test_a_kubeconfig_that_turns_verification_off_is_refused(tmp_path):
    with pytest.raises(Unreachable, match="insecure-skip-tls-verify"):
        ask_kubernetes("https://127.0.0.1:1", tmp_path, **{"insecure-skip-tls-verify": True})
