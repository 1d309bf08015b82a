"""An SSH agent, which signs with keys that it does not give away.

The protocol: draft-ietf-sshm-ssh-agent, https://datatracker.ietf.org/doc/draft-ietf-sshm-ssh-agent/; the forms of keys
and signatures: RFC 8709.
"""

from __future__ import annotations

import base64
import hashlib
import socket
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from drillbook.ports import Unreachable

if TYPE_CHECKING:
    from collections.abc import Iterator

_REQUEST_IDENTITIES, _IDENTITIES_ANSWER = 11, 12
_SIGN_REQUEST, _SIGN_RESPONSE = 13, 14
_KIND = b"ssh-ed25519"
_MOST_BYTES = 256 * 1024
_WITHIN_S = 60.0
"""An agent may ask somebody for a word."""


@dataclass(frozen=True, slots=True)
class SshAgent:
    """The agent behind a socket.

    Attributes:
        path: The socket, as `SSH_AUTH_SOCK` names it.
    """

    path: str

    def public_key(self, fingerprint: str) -> bytes:
        """The 32 bytes of an Ed25519 key.

        Args:
            fingerprint: As `ssh-add -l` shows it: `SHA256:...`.

        Raises:
            Unreachable: When there is no agent, or it has no such key.
        """
        return _fields(self._blob(fingerprint))[1]

    def signature(self, fingerprint: str, data: bytes) -> bytes:
        """A key's signature of the data: 64 bytes.

        Raises:
            Unreachable: When the agent does not sign.
        """
        request = bytes([_SIGN_REQUEST]) + _field(self._blob(fingerprint)) + _field(data) + struct.pack(">I", 0)
        kind, signature = _fields(_fields(self._asked(request, _SIGN_RESPONSE))[0])
        if kind != _KIND:
            raise Unreachable(f"the SSH agent made a signature of the kind {kind!r} with {fingerprint}")
        return signature

    def _blob(self, fingerprint: str) -> bytes:
        answer = self._asked(bytes([_REQUEST_IDENTITIES]), _IDENTITIES_ANSWER)
        for blob in _fields(answer[4:])[::2]:  # after their number: a key, a comment, a key, ...
            shown = base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
            if f"SHA256:{shown}" == fingerprint:
                if _fields(blob)[0] != _KIND:
                    raise Unreachable(f"the key {fingerprint} of the SSH agent is no Ed25519 key: see ssh-add -l")
                return blob
        raise Unreachable(f"the SSH agent at {self.path} has no key {fingerprint}: see ssh-add -l")

    def _asked(self, request: bytes, expected: int) -> bytes:
        """The agent's answer without its kind."""
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(_WITHIN_S)
                connection.connect(self.path)
                connection.sendall(_field(request))
                (length,) = struct.unpack(">I", _received(connection, 4))
                if not 0 < length <= _MOST_BYTES:
                    raise Unreachable(f"what answers at {self.path} is no SSH agent")
                answer = _received(connection, length)
        except OSError as error:
            raise Unreachable(f"the SSH agent at {self.path} does not answer: {error}") from error
        if answer[0] != expected:
            raise Unreachable(f"the SSH agent at {self.path} refused: it may be locked, or its key want a confirmation")
        return answer[1:]


def _received(connection: socket.socket, length: int) -> bytes:
    data = b""
    while len(data) < length:
        part = connection.recv(length - len(data))
        if not part:
            raise ConnectionResetError("it hung up")
        data += part
    return data


def _field(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


def _fields(data: bytes) -> list[bytes]:
    """All of a sequence of fields, each with its length in front.

    Raises:
        Unreachable: When a length does not fit.
    """
    return list(_each_field(data))


def _each_field(data: bytes) -> Iterator[bytes]:
    place = 0
    while place < len(data):
        end = place + 4
        end += int.from_bytes(data[place:end], "big")
        if end > len(data) or place + 4 > len(data):
            raise Unreachable("what the SSH agent answered breaks off")
        yield data[place + 4 : end]
        place = end
