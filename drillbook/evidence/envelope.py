"""DSSE envelopes (Dead Simple Signing Envelope 1.0): signing exactly the bytes that are read.

https://github.com/secure-systems-lab/dsse/blob/master/protocol.md
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from drillbook.evidence.keys import KeyUnusable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from drillbook.evidence.keys import PublicKey, Signer

IN_TOTO = "application/vnd.in-toto+json"
TIMESTAMP_REPLY = "application/timestamp-reply"
LARGEST = 64 * 1024 * 1024
"""Bytes of an envelope that are read."""


class NotAuthentic(Exception):
    """An envelope is none, or nobody who is believed has signed it; the text says what is wrong."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """One payload under one signature.

    Attributes:
        payload_type: What the payload is.
        payload: Its bytes.
        key_id: The signing key's id; only a hint until `authentic` has compared it.
        signature: Of `pae(payload_type, payload)`.
    """

    payload_type: str
    payload: bytes
    key_id: str
    signature: bytes

    def rendered(self) -> bytes:
        """As a file: a field a line, so that a shell's tools can take it apart."""
        parts = (
            "{",
            f'"payloadType": {json.dumps(self.payload_type)},',
            f'"payload": "{_encoded(self.payload)}",',
            '"signatures": [',
            f'{{"keyid": {json.dumps(self.key_id)},',
            f'"sig": "{_encoded(self.signature)}"}}',
            "]",
            "}",
        )
        return ("\n".join(parts) + "\n").encode()


def pae(payload_type: str, payload: bytes) -> bytes:
    """Pre-authentication encoding: lengths in front, so that no two pairs are encoded alike."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def seal(payload_type: str, payload: bytes, signer: Signer) -> Envelope:
    """Sign a payload, and see that the signature is what the public key says.

    Raises:
        KeyUnusable: When the signer does not sign, or signs with another key than it names.
    """
    key, data = signer.public_key(), pae(payload_type, payload)
    signature = signer.sign(data)
    if not key.verifies(signature, data):
        raise KeyUnusable(f"the signature that was made is not one of the key {key.id}: nothing was signed")
    return Envelope(payload_type, payload, key.id, signature)


def opened(data: bytes, payload_type: str, keys: Iterable[PublicKey]) -> Envelope:
    """An envelope that one of these keys has signed.

    It has to be laid out exactly as `Envelope.rendered` does: spaces, the key's id or the unused bits of the Base64 are
    under no signature, and nobody may change even those unseen.

    Raises:
        NotAuthentic: When it is not.
    """
    found = parsed(data)
    if found.payload_type != payload_type:
        raise NotAuthentic(f"holds {found.payload_type!r} where {payload_type!r} belongs")
    key = next((key for key in keys if key.id == found.key_id), None)
    if key is None:
        raise NotAuthentic(f"is signed by the key {found.key_id}, which is none of those that are believed")
    if not key.verifies(found.signature, pae(found.payload_type, found.payload)):
        raise NotAuthentic("has a signature that does not fit what it holds: it was changed after it was signed")
    return found


def parsed(data: bytes) -> Envelope:
    """An envelope of which nothing is believed yet.

    Raises:
        NotAuthentic: When it is none, or laid out otherwise than by `Envelope.rendered`.
    """
    try:
        document: Any = json.loads(data)
        (signature,) = document["signatures"]
        found = Envelope(
            str(document["payloadType"]),
            base64.b64decode(document["payload"], validate=True),
            str(signature["keyid"]),
            base64.b64decode(signature["sig"], validate=True),
        )
    except (ValueError, KeyError, TypeError, RecursionError, binascii.Error) as error:
        raise NotAuthentic("is no DSSE envelope with one signature: damaged, or written by something else") from error
    if found.rendered() != data:
        raise NotAuthentic("is not laid out as it was written: it was changed where no signature reaches")
    return found


def _encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()
