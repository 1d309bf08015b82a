"""Ed25519 keys: who signs, who is believed, and what a key is called."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

if TYPE_CHECKING:
    from pathlib import Path

_MOST_BYTES = 64 * 1024


class KeyUnusable(Exception):
    """A key cannot be used; the text says which and why, and nothing of what it holds."""


class Signer(Protocol):
    """Something that holds a private key, or asks whoever holds it."""

    def public_key(self) -> PublicKey:
        """The public half.

        Raises:
            KeyUnusable: When nobody can tell.
        """
        ...

    def sign(self, data: bytes) -> bytes:
        """The Ed25519 signature of the data, 64 bytes.

        Raises:
            KeyUnusable: When it cannot be made.
        """
        ...


@dataclass(frozen=True, slots=True)
class PublicKey:
    """An Ed25519 public key.

    Attributes:
        raw: Its 32 bytes.
    """

    raw: bytes

    @classmethod
    def read(cls, path: Path) -> PublicKey:
        """From a PEM file.

        Raises:
            KeyUnusable: When there is none in it.
        """
        try:
            with path.open("rb") as file:
                found = load_pem_public_key(file.read(_MOST_BYTES))
        except OSError as error:
            raise KeyUnusable(f"the public key {path} cannot be read: {error.strerror}") from error
        except (ValueError, UnsupportedAlgorithm) as error:
            raise KeyUnusable(f"{path} holds no public key in PEM: give what `openssl pkey -pubout` writes") from error
        if not isinstance(found, Ed25519PublicKey):
            raise KeyUnusable(f"{path} is no Ed25519 key, and evidence is signed with those")
        return cls(found.public_bytes_raw())

    @property
    def id(self) -> str:
        """SHA-256 of its SubjectPublicKeyInfo, in hexadecimal: `openssl pkey -pubin -outform DER | openssl dgst`."""
        der = self._loaded().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return hashlib.sha256(der).hexdigest()

    @property
    def pem(self) -> str:
        """As openssl reads it."""
        return self._loaded().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    def verifies(self, signature: bytes, data: bytes) -> bool:
        """Whether the signature is this key's, of this data."""
        try:
            self._loaded().verify(signature, data)
        except InvalidSignature:
            return False
        return True

    def _loaded(self) -> Ed25519PublicKey:
        return Ed25519PublicKey.from_public_bytes(self.raw)


@dataclass(frozen=True, slots=True)
class FileSigner:
    """A private key in a PEM file, read anew for each signature and not kept.

    Attributes:
        path: The file.
    """

    path: Path

    def public_key(self) -> PublicKey:
        """See `Signer`."""
        return PublicKey(self._load().public_key().public_bytes_raw())

    def sign(self, data: bytes) -> bytes:
        """See `Signer`."""
        return self._load().sign(data)

    def _load(self) -> Ed25519PrivateKey:
        repository = next((parent for parent in self.path.resolve().parents if (parent / ".git").exists()), None)
        if repository is not None:
            raise KeyUnusable(
                f"the key {self.path} lies in the repository {repository}, from where it would be published: move it"
            )
        try:
            with self.path.open("rb") as file:
                found = load_pem_private_key(file.read(_MOST_BYTES), password=None)
        except OSError as error:
            raise KeyUnusable(f"the key {self.path} cannot be read: {error.strerror}") from error
        except (ValueError, TypeError, UnsupportedAlgorithm):
            # The library's own sentence may quote the file.
            raise KeyUnusable(
                f"{self.path} holds no private key in PEM without a passphrase: make one with "
                "`openssl genpkey -algorithm ed25519`"
            ) from None
        if not isinstance(found, Ed25519PrivateKey):
            raise KeyUnusable(f"{self.path} is no Ed25519 key: make one with `openssl genpkey -algorithm ed25519`")
        return found
