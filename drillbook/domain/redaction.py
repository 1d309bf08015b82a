"""Takes secrets out of text by their value, also where they are encoded or cut off."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import cast
from urllib.parse import quote, quote_plus

REDACTED = "[redacted]"

SHORTEST = 6
"""Characters of the shortest secret that is looked for. What is shorter is no secret worth the name, and occurs by
chance: `true`, `8080` or `blue` would be taken out of every sentence and number."""

_PIECE = 16
_LONG = 32
_CREDENTIALS_IN_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://)[^\s/@\"'<>]+@")
_REPEATED = re.compile(rf"(?:{re.escape(REDACTED)}){{2,}}")
_BASE64_CHARACTERS = 8


class Redactor:
    """Knows secrets and takes them out."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        """Those shorter than `SHORTEST` are left out."""
        self.secrets = frozenset(secret for secret in secrets if len(secret) >= SHORTEST)
        forms = {form for secret in self.secrets for form in _forms(secret)}
        # Longest first: what is left of a whole secret must not be what follows one of its own pieces.
        self._forms = sorted(forms, key=len, reverse=True)

    def text(self, text: str) -> str:
        """The text without secrets, and without what stands before the host in a URL."""
        for form in self._forms:
            if form in text:
                text = text.replace(form, REDACTED)
        if "://" in text:
            text = _CREDENTIALS_IN_URL.sub(rf"\1{REDACTED}@", text)
        return _REPEATED.sub(REDACTED, text) if REDACTED * 2 in text else text

    def document(self, value: object) -> object:
        """The same for every text, keys included, of a JSON-like document; other leaves stay what they are."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            items = cast("Mapping[object, object]", value).items()
            return {self.document(key): self.document(item) for key, item in items}
        if isinstance(value, list | tuple | set | frozenset):
            return [self.document(item) for item in cast("Iterable[object]", value)]
        return value


class _Known:
    """Where what a process writes is cleaned, whichever part of it writes: `drillbook.run.redaction` fills it."""

    def __init__(self) -> None:
        self.redactor: Callable[[], Redactor] = Redactor


_known = _Known()


def use(redactor: Callable[[], Redactor]) -> None:
    """From now on `clean` takes out what this redactor knows."""
    _known.redactor = redactor


def clean(text: str) -> str:
    """A text without the secrets that this process knows."""
    return _known.redactor().text(text) if text else text


def _forms(secret: str) -> set[str]:
    """A secret as it may stand in a text."""
    found = {secret, *_in_base64(secret)}
    # Of one that a message cut off, a piece is left.
    if len(secret) >= _LONG:
        found |= {secret[start : start + _PIECE] for start in range(0, len(secret) - _PIECE + 1, _PIECE)}
    # Of one with several lines, such as a key, each may come alone.
    found |= {line.strip() for line in secret.splitlines() if len(line.strip()) >= _PIECE and "-----" not in line}
    for form in tuple(found):
        found |= {
            quote(form, safe=""), quote(form), quote_plus(form), html.escape(form), html.escape(form, quote=False),
            json.dumps(form)[1:-1], json.dumps(form, ensure_ascii=False)[1:-1], repr(form)[1:-1],
        }  # fmt: skip
    return {form for form in found if len(form) >= SHORTEST}


def _in_base64(secret: str) -> set[str]:
    """What a secret is in Base64, wherever it begins in what was encoded; without what it shares with neighbours."""
    raw = secret.encode()
    found: set[str] = set()
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + raw).decode()
        first = -(-8 * before // 6)
        last = 8 * (before + len(raw)) // 6
        if last - first >= _BASE64_CHARACTERS:
            own = encoded[first:last]
            found |= {own, own.replace("+", "-").replace("/", "_")}
    return found
