"""Sessions that every region honours without asking another one: what a token says is signed with a key that all have.

A token is `CONTENT.SIGNATURE`, both base64url without padding: CONTENT is a JSON object with `user` and `until` (in
seconds since the epoch), SIGNATURE its HMAC-SHA256 (RFC 2104). Nothing is stored, so nothing has to be replicated but
the key.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from dataclasses import dataclass
from typing import Any

SHORTEST_KEY = 32
"""Bytes; a shorter one than HMAC-SHA256's own length would weaken it (RFC 2104, section 3)."""

_TOKEN = re.compile(r"([A-Za-z0-9_-]{1,2000})\.([A-Za-z0-9_-]{43})")


class NoSessionError(Exception):
    """There is no session to honour; the text says why, and nothing of the token."""


class NoSessionKeyError(Exception):
    """This process was given no key, so it neither opens nor honours sessions."""


@dataclass(frozen=True, slots=True)
class Session:
    """Whose requests these are.

    Attributes:
        user: Who opened it.
        until_s: When it ends; seconds since the epoch.
    """

    user: str
    until_s: float


class Sessions:
    """Opens and honours sessions."""

    def __init__(self, key: bytes) -> None:
        """The same key in every region; empty for none."""
        self._key = key

    def open(self, session: Session) -> str:
        """The token of a session.

        Raises:
            NoSessionKeyError: When there is no key.
        """
        content = _encoded(json.dumps({"user": session.user, "until": session.until_s}).encode())
        return f"{content}.{self._signature(content)}"

    def honoured(self, token: str, now_s: float) -> Session:
        """Whose session a token is.

        Raises:
            NoSessionError: When it is not signed with this key, or its time is over.
            NoSessionKeyError: When there is no key.
        """
        found = _TOKEN.fullmatch(token)
        if found is None:
            raise NoSessionError("The header Authorization has to be `Bearer` and a token of POST /v1/sessions.")
        content, signature = found.groups()
        # Nothing that a stranger wrote is read before its signature holds.
        if not hmac.compare_digest(signature, self._signature(content)):
            raise NoSessionError("The session was not opened by this platform; open a new one.")
        said: dict[str, Any] = json.loads(base64.urlsafe_b64decode(content + "=" * (-len(content) % 4)))
        session = Session(said["user"], said["until"])
        if now_s >= session.until_s:
            raise NoSessionError("The session is over; open a new one.")
        return session

    def _signature(self, content: str) -> str:
        if not self._key:
            raise NoSessionKeyError("This process has no key for sessions; SESSION_KEY_FILE has to name one.")
        return _encoded(hmac.digest(self._key, content.encode(), hashlib.sha256))


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
