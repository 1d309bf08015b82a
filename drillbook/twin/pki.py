"""The certificates of a region's cluster, made when missing and kept for the twin's life."""

from __future__ import annotations

import datetime as dt
import ipaddress
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_LIFE = dt.timedelta(days=365)
_BACKDATED = dt.timedelta(hours=2)
"""A clock that is put back by an hour must not make a certificate one of the future."""


_CERTIFIES = x509.KeyUsage(
    key_cert_sign=True, crl_sign=True, digital_signature=False, content_commitment=False, key_encipherment=False,
    data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Authority:
    """A certificate authority in a directory of its own."""

    directory: Path

    @property
    def certificate(self) -> Path:
        """PEM of the authority's certificate."""
        return self.directory / "ca.crt"

    def issue(self, name: str, *, user: str, groups: Sequence[str] = (), hosts: Sequence[str] = ()) -> Leaf:
        """A certificate for a user of the API and, when hosts are given, for a server; kept under `name`."""
        leaf = Leaf(self.directory / f"{name}.crt", self.directory / f"{name}.key")
        if leaf.certificate.is_file() and leaf.key.is_file():
            return leaf
        signer_key, signer = self._signer()
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name(
            [
                *(x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups),
                x509.NameAttribute(NameOID.COMMON_NAME, user),
            ]
        )
        builder = _builder(subject, signer.subject, key.public_key(), signer_key.public_key()).add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]), critical=False
        )
        if hosts:
            builder = builder.add_extension(
                x509.SubjectAlternativeName([_general_name(h) for h in hosts]), critical=False
            )
        certificate = builder.sign(signer_key, hashes.SHA256())
        _write_private(leaf.key, _pem(key))
        leaf.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        return leaf

    def token_key(self) -> Leaf:
        """The RSA pair that service-account tokens are signed with; its `certificate` is the public key."""
        pair = Leaf(self.directory / "service-account.pub", self.directory / "service-account.key")
        if not pair.certificate.is_file():
            key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
            _write_private(pair.key, _pem(key))
            public = key.public_key().public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            )
            pair.certificate.write_bytes(public)
        return pair

    def _signer(self) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
        key_path = self.directory / "ca.key"
        if not self.certificate.is_file():
            self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            made = ec.generate_private_key(ec.SECP256R1())
            name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "drillbook twin")])
            certificate = (
                _builder(name, name, made.public_key(), made.public_key())
                .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
                .add_extension(_CERTIFIES, critical=True)
                .sign(made, hashes.SHA256())
            )
            _write_private(key_path, _pem(made))
            self.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        key = serialization.load_pem_private_key(key_path.read_bytes(), None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            msg = f"{key_path} does not hold the elliptic-curve key that was written there; delete {self.directory}"
            raise TypeError(msg)
        return key, x509.load_pem_x509_certificate(self.certificate.read_bytes())


@dataclass(frozen=True, slots=True)
class Leaf:
    """Paths of a certificate and its key."""

    certificate: Path
    key: Path


def kubeconfig(authority: Authority, leaf: Leaf, *, server: str, name: str) -> dict[str, object]:
    """A kubeconfig that refers to the files by path, so that no key is copied."""
    user = {"client-certificate": str(leaf.certificate), "client-key": str(leaf.key)}
    return _kubeconfig(authority.certificate, user, server=server, name=name)


def token_kubeconfig(authority: Path, token: str, *, server: str, name: str) -> dict[str, object]:
    """A kubeconfig for a service account."""
    return _kubeconfig(authority, {"token": token}, server=server, name=name)


def _kubeconfig(authority: Path, user: Mapping[str, str], *, server: str, name: str) -> dict[str, object]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": {"server": server, "certificate-authority": str(authority)}}],
        "users": [{"name": name, "user": dict(user)}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "current-context": name,
    }


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    public_key: ec.EllipticCurvePublicKey,
    issuers_key: ec.EllipticCurvePublicKey,
) -> x509.CertificateBuilder:
    """With what RFC 5280 asks of every certificate; Python 3.13 refuses those without key identifiers."""
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(now + _LIFE)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuers_key), critical=False)
    )


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write_private(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
