"""DSSE and in-toto by their specifications, keys, and what is refused."""

from __future__ import annotations

import base64
import json
import subprocess
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from sample import BROKEN, DRILL, UNDECIDED
from signed_runs import NOW_S, make_key

from drillbook.domain.verdict import Verdict
from drillbook.evidence import envelope, signing
from drillbook.evidence.envelope import NotAuthentic
from drillbook.evidence.keys import FileSigner, KeyUnusable, PublicKey

if TYPE_CHECKING:
    from pathlib import Path

    from signed_runs import Signed

RUN = "20261123T081500Z-twin-bbbb"


def _payload(run: Path) -> dict:
    return json.loads(envelope.parsed((run / "evidence.dsse.json").read_bytes()).payload)


def test_the_encoding_is_the_specifications() -> None:
    # The specification's own example.
    assert envelope.pae("http://example.com/HelloWorld", b"hello world") == (
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )
    assert envelope.pae("ä", b"") == b"DSSEv1 2 \xc3\xa4 0 "


@pytest.mark.parametrize(
    ("check", "result", "verdict"),
    [(None, "PASSED", "PASS"), (BROKEN, "FAILED", "FAIL"), (UNDECIDED, "FAILED", "INCONCLUSIVE")],
)
def test_the_statement_is_a_test_result(signed: Signed, check: object, result: str, verdict: str) -> None:
    run = signed.run(RUN, **({"checks": (check,)} if check else {}))
    document = _payload(run)
    assert document["_type"] == "https://in-toto.io/Statement/v1"
    assert document["predicateType"] == "https://in-toto.io/attestation/test-result/v0.1"
    predicate = document["predicate"]
    assert predicate["result"] == result
    assert predicate["drillbook"]["verdict"] == verdict
    assert predicate["passedTests" if verdict == "PASS" else "failedTests"] == [DRILL]
    assert all(set(entry) == {"name", "digest"} for entry in predicate["configuration"])
    names = [subject["name"] for subject in document["subject"]]
    assert names == sorted(
        str(p.relative_to(run)) for p in run.rglob("*") if p.is_file() and p.suffixes != [".dsse", ".json"]
    )
    openssl = subprocess.run(["openssl", "dgst", "-sha256", "-r", run / names[0]], capture_output=True, check=True)
    assert openssl.stdout.split()[0].decode() == document["subject"][0]["digest"]["sha256"]


def test_a_verdict_that_the_evidence_does_not_carry_is_not_signed(signed: Signed) -> None:
    run = signed.run(RUN, checks=(UNDECIDED,), signed=False)
    (run / "run.json").write_text((run / "run.json").read_text().replace("INCONCLUSIVE", "PASS"))
    assert signed.sign(run).verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('"FAILED"', '"PASSED"', "contradict"),
        ("test-result/v0.1", "svr/v0.1", "not about the result of a test"),
        ('"sequence": 1', '"sequence": "x"', "no statement"),
        ('"sha256": "', '"sha256": "z', "a digest that is none"),
    ],
)
def test_a_signed_statement_that_makes_no_sense_is_not_believed(signed: Signed, old: str, new: str, told: str) -> None:
    run = signed.run(RUN, checks=(BROKEN,))
    payload = envelope.parsed((run / "evidence.dsse.json").read_bytes()).payload.decode().replace(old, new)
    forged = envelope.seal(envelope.IN_TOTO, payload.encode(), signed.signer)
    (run / "evidence.dsse.json").write_bytes(forged.rendered())
    (finding,) = signed.verify(run).findings
    assert told in finding.text


def test_only_a_key_that_is_believed_counts(signed: Signed, tmp_path: Path) -> None:
    run = signed.run(RUN)
    other = make_key(tmp_path / "other.pem")
    data = (run / "evidence.dsse.json").read_bytes()
    with pytest.raises(NotAuthentic, match="none of those that are believed"):
        envelope.opened(data, envelope.IN_TOTO, [other.public_key()])
    found = envelope.opened(data, envelope.IN_TOTO, [other.public_key(), *signed.keys])
    # Under the stranger's name the signature is none of his.
    renamed = replace(found, key_id=other.public_key().id).rendered()
    with pytest.raises(NotAuthentic, match="does not fit"):
        envelope.opened(renamed, envelope.IN_TOTO, [other.public_key()])
    with pytest.raises(NotAuthentic, match="belongs"):
        envelope.opened(data, envelope.TIMESTAMP_REPLY, signed.keys)


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b"\xff", b'{"signatures": []}', b"[" * 100_000])
def test_what_is_no_envelope_is_said_to_be_none(data: bytes) -> None:
    with pytest.raises(NotAuthentic, match="no DSSE envelope"):
        envelope.parsed(data)


def test_an_envelope_laid_out_anew_is_not_the_one_that_was_written(signed: Signed) -> None:
    data = (signed.run(RUN) / "evidence.dsse.json").read_bytes()
    with pytest.raises(NotAuthentic, match="laid out"):
        envelope.parsed(json.dumps(json.loads(data)).encode())


@dataclass(frozen=True)
class _WithAnotherKey:
    signer: FileSigner
    other: FileSigner

    def public_key(self) -> PublicKey:
        return self.other.public_key()

    def sign(self, data: bytes) -> bytes:
        return self.signer.sign(data)


def test_a_signer_that_signs_with_another_key_signs_nothing(signed: Signed, tmp_path: Path) -> None:
    run = signed.run(RUN, signed=False)
    with pytest.raises(KeyUnusable, match="nothing was signed"):
        signing.sign(run, _WithAnotherKey(signed.signer, make_key(tmp_path / "other.pem")), now_s=NOW_S)
    assert not (run / "evidence.dsse.json").exists()


def test_what_cannot_be_signed_is_named(signed: Signed, tmp_path: Path) -> None:
    run = signed.run(RUN, signed=False)
    (run / "link").symlink_to(tmp_path)
    with pytest.raises(signing.NotSigned, match="link is a link"):
        signed.sign(run)
    (run / "link").unlink()
    run.rename(run.with_name("other"))
    with pytest.raises(signing.NotSigned, match="called other"):
        signed.sign(run.with_name("other"))


def test_a_key_is_called_what_openssl_calls_it(signed: Signed, tmp_path: Path) -> None:
    subprocess.run(["openssl", "pkey", "-in", signed.signer.path, "-pubout", "-out", tmp_path / "pub.pem"], check=True)
    key = PublicKey.read(tmp_path / "pub.pem")
    assert key == signed.signer.public_key()
    assert key.pem == (tmp_path / "pub.pem").read_text()
    der = subprocess.run(
        ["openssl", "pkey", "-pubin", "-in", tmp_path / "pub.pem", "-outform", "DER"], capture_output=True, check=True
    ).stdout
    assert (
        key.id
        == subprocess.run(["openssl", "dgst", "-sha256", "-r"], input=der, capture_output=True, check=True)
        .stdout.split()[0]
        .decode()
    )


def test_keys_that_are_none_are_refused_without_quoting_them(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    secret = base64.b64encode(b"a secret that nobody may see").decode()
    for content in ("", f"-----BEGIN PRIVATE KEY-----\n{secret}\n-----END PRIVATE KEY-----\n"):
        path.write_text(content)
        with pytest.raises(KeyUnusable) as raised:
            FileSigner(path).sign(b"")
        assert secret not in str(raised.value)
        assert raised.value.__cause__ is None
    with pytest.raises(KeyUnusable, match="cannot be read"):
        FileSigner(tmp_path / "none.pem").sign(b"")
    with pytest.raises(KeyUnusable, match="cannot be read"):
        PublicKey.read(tmp_path / "none.pem")
    with pytest.raises(KeyUnusable, match="no public key"):
        PublicKey.read(path)


def test_keys_of_another_kind_are_refused(tmp_path: Path) -> None:
    other = ec.generate_private_key(ec.SECP256R1())
    private, public = tmp_path / "key.pem", tmp_path / "pub.pem"
    private.write_bytes(other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public.write_bytes(other.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    with pytest.raises(KeyUnusable, match="no Ed25519 key"):
        FileSigner(private).public_key()
    with pytest.raises(KeyUnusable, match="no Ed25519 key"):
        PublicKey.read(public)


def test_a_key_in_a_repository_is_refused(tmp_path: Path) -> None:
    (tmp_path / "project" / ".git").mkdir(parents=True)
    signer = make_key(tmp_path / "project" / "key.pem")
    with pytest.raises(KeyUnusable, match="lies in the repository"):
        signer.sign(b"")
