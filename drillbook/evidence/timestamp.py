"""Timestamps of somebody else's: that something was there at a moment (RFC 3161)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography import x509
from rfc3161_client import (
    HashAlgorithm,
    PKIStatus,
    TimestampRequestBuilder,
    TimeStampResponse,
    VerificationError,
    VerifierBuilder,
    decode_timestamp_response,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

_MOST_BYTES = 1024 * 1024


class NotATimestamp(Exception):
    """A reply says nothing about the data; the text goes on from its name."""


@dataclass(frozen=True, slots=True)
class Question:
    """What an authority is asked.

    Attributes:
        request: In DER, as it is sent.
        nonce: That its reply has to repeat.
    """

    request: bytes
    nonce: int


def question(data: bytes) -> Question:
    """Ask for a timestamp of the data's SHA-512 digest; the data themselves are not sent."""
    asked = TimestampRequestBuilder().data(data).hash_algorithm(HashAlgorithm.SHA512).build()
    if asked.nonce is None:
        raise AssertionError  # it was asked for
    return Question(asked.as_bytes(), asked.nonce)


def moment(reply: bytes, data: bytes, nonce: int | None = None) -> datetime:
    """When a reply says that the data were there; whether to believe it is `vouched`.

    Args:
        reply: The authority's, in DER.
        data: What it has to be about.
        nonce: That it has to repeat; None when that was seen before.

    Raises:
        NotATimestamp: When it grants nothing, or is about something else.
    """
    found = _decoded(reply)
    if found.tst_info.message_imprint.message != hashlib.sha512(data).digest():
        raise NotATimestamp("is about something else than what was signed")
    if nonce is not None and found.tst_info.nonce != nonce:
        raise NotATimestamp("answers another question: it may be an old one")
    return found.tst_info.gen_time


def vouched(reply: bytes, data: bytes, roots: Sequence[x509.Certificate]) -> datetime:
    """The same, signed by an authority that one of these certificates vouches for.

    Raises:
        NotATimestamp: When it is not.
    """
    found, builder = _decoded(reply), VerifierBuilder()
    for root in roots:
        builder = builder.add_root_certificate(root)
    try:
        builder.build().verify(found, hashlib.sha512(data).digest())
    except (VerificationError, ValueError) as error:
        raise NotATimestamp(f"cannot be believed: {error}") from error
    return found.tst_info.gen_time


def roots_of(path: Path) -> list[x509.Certificate]:
    """The certificates of a PEM file.

    Raises:
        NotATimestamp: When there is none in it.
    """
    try:
        with path.open("rb") as file:
            return x509.load_pem_x509_certificates(file.read(_MOST_BYTES))
    except OSError as error:
        raise NotATimestamp(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise NotATimestamp(f"{path} holds no certificate in PEM") from error


def _decoded(reply: bytes) -> TimeStampResponse:
    try:
        found = decode_timestamp_response(reply)
        granted = found.status in {PKIStatus.GRANTED, PKIStatus.GRANTED_WITH_MODS}
    except ValueError as error:
        raise NotATimestamp("is no reply of a timestamp authority") from error
    if not granted:
        raise NotATimestamp(f"grants no timestamp: {' '.join(found.status_string) or found.status}")
    return found
