"""Timestamps, by an authority made of `openssl ts` on this machine."""

from __future__ import annotations

import subprocess
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest
from cryptography import x509

from drillbook.afterwards.signers import TimestampService
from drillbook.domain.verdict import Verdict
from drillbook.evidence import signing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

A, B = "20261122T081500Z-twin-aaaa", "20261123T081500Z-twin-bbbb"
SETTINGS = """\
[req]
distinguished_name = name
prompt = no
[name]
CN = timestamps
[root]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign
subjectKeyIdentifier = hash
[stamps]
extendedKeyUsage = critical, timeStamping
keyUsage = critical, digitalSignature
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[tsa]
default_tsa = own
[own]
serial = {folder}/serial
signer_cert = {folder}/tsa.crt
signer_key = {folder}/tsa.key
signer_digest = sha256
default_policy = 1.2.3.4
digests = sha512
"""


@dataclass
class Authority:
    """Answers what `openssl ts` says, or what a test makes of it."""

    folder: Path
    url: str = ""
    answered: Callable[[bytes], bytes] = field(default=lambda reply: reply)

    @property
    def root(self) -> x509.Certificate:
        return x509.load_pem_x509_certificate((self.folder / "root.crt").read_bytes())

    def make(self) -> None:
        settings = self.folder / "openssl.cnf"
        settings.write_text(SETTINGS.format(folder=self.folder))
        (self.folder / "serial").write_text("01")
        for name in ("root", "tsa"):
            self.openssl("genpkey", "-algorithm", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", f"{name}.key")
        asked = ("-key", "root.key", "-subj", "/CN=root", "-config", "openssl.cnf", "-extensions", "root")
        self.openssl("req", "-x509", *asked, "-days", "2", "-out", "root.crt")
        self.openssl("req", "-new", "-key", "tsa.key", "-config", "openssl.cnf", "-out", "tsa.csr")
        signed = ("-CA", "root.crt", "-CAkey", "root.key", "-extfile", "openssl.cnf", "-extensions", "stamps")
        self.openssl("x509", "-req", "-in", "tsa.csr", *signed, "-set_serial", "7", "-days", "2", "-out", "tsa.crt")

    def reply(self, request: bytes) -> bytes:
        (self.folder / "request").write_bytes(request)
        self.openssl(
            "ts", "-reply", "-config", "openssl.cnf", "-section", "own", "-queryfile", "request", "-out", "reply"
        )
        return self.answered((self.folder / "reply").read_bytes())

    def openssl(self, *arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=self.folder, check=True, capture_output=True, timeout=30)


@pytest.fixture
def authority(tmp_path: Path) -> Iterator[Authority]:
    (tmp_path / "tsa").mkdir()
    made = Authority(tmp_path / "tsa")
    made.make()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.headers["Content-Type"] == "application/timestamp-query"
            body = made.reply(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    made.url = f"http://127.0.0.1:{server.server_port}/tsr"
    yield made
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_timestamp_is_believed_by_who_vouches_for_it(signed, authority):
    run = signed.run(A, signed=False)
    assert signed.sign(run, authority=TimestampService(authority.url)).remarks == ()
    for roots in ([authority.root], []):
        found = signed.verify(run, timestamp_roots=roots)
        assert found.verdict is Verdict.PASS, found.findings
        assert found.stamped is not None
        assert abs(found.stamped - datetime.now(UTC)) < timedelta(minutes=5)


def test_an_authority_that_nobody_vouches_for_is_not_believed(signed, authority, tmp_path):
    run = signed.run(A, signed=False)
    signed.sign(run, authority=TimestampService(authority.url))
    (tmp_path / "other").mkdir()
    other = Authority(tmp_path / "other")
    other.make()
    (finding,) = signed.verify(run, timestamp_roots=[other.root]).findings
    assert "timestamp.dsse.json: cannot be believed" in str(finding)


def test_a_timestamp_of_another_run_is_seen(signed, authority):
    service = TimestampService(authority.url)
    for run in (A, B):
        signed.sign(signed.run(run, signed=False), authority=service)
    (signed.runs / B / "timestamp.dsse.json").write_bytes((signed.runs / A / "timestamp.dsse.json").read_bytes())
    (finding,) = signed.verify(signed.runs / B).findings
    assert "something else than what was signed" in str(finding)


@pytest.mark.parametrize(
    ("answered", "says"),
    [
        (lambda _: b"<html>", "is no reply of a timestamp authority"),
        (lambda _: b"", "is no reply of a timestamp authority"),
        (lambda _: bytes.fromhex("30053003020102"), ""),
    ],
)
def test_a_run_is_signed_although_no_timestamp_comes(signed, authority, answered, says):
    authority.answered = answered
    run = signed.run(A, signed=False)
    (remark,) = signed.sign(run, authority=TimestampService(authority.url)).remarks
    assert remark.startswith("signed without a timestamp: the answer of http://127.0.0.1")
    assert says in remark
    assert signed.verify(run).verdict is Verdict.PASS


def test_an_old_reply_is_no_answer(authority):
    service = TimestampService(authority.url)
    old: list[bytes] = []
    authority.answered = lambda reply: old.append(reply) or reply
    service.reply(b"data")
    authority.answered = lambda _: old[0]
    with pytest.raises(signing.NoTimestamp, match="answers another question"):
        service.reply(b"data")
