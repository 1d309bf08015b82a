"""`python3 -m copier`: keeps another region's secrets in this region's vault, version by version.

Reads there and writes here, through the API of the key-value engine (version 2), with a token for each that may do no
more. What this vault has of its own, or has more of than the other one, is never touched: a copy says in its custom
metadata what it is a copy of. Values are not written anywhere else, and not to the log either.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import ssl
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_TIMEOUT_S = 10.0
_RENEW_EVERY_S = 3600.0
_OK, _NO_CONTENT, _ABSENT = 200, 204, 404
_MOST_BYTES = 4 * 1024 * 1024
ORIGIN = "copy-of"
"""Key of a copy's custom metadata: when its original was made. Made anew under its name, that is another one."""


class VaultError(Exception):
    """A vault did not do as asked; the text has its answer's status, and nothing of what it holds."""


@dataclass(frozen=True)
class Vault:
    """One key-value engine.

    Attributes:
        url: Of the vault, without `/v1`.
        mount: Where the engine is.
        token: File that holds the token; read anew for each request.
        authorities: File of those that the vault's certificate is verified against.
    """

    url: str
    mount: str
    token: Path
    authorities: Path

    def names(self, folder: str = "") -> Iterator[str]:
        """Of all secrets below a folder."""
        found = self.ask("GET", f"{self.mount}/metadata/{folder}?list=true")
        for name in cast("list[str]", found["data"]["keys"]) if found else []:
            if name.endswith("/"):
                yield from self.names(f"{folder}{name}")
            else:
                yield f"{folder}{name}"

    def metadata(self, name: str) -> Mapping[str, Any]:
        """What it says of a secret; empty when there is none."""
        found = self.ask("GET", f"{self.mount}/metadata/{quote(name)}")
        return found["data"] if found else {}

    def value(self, name: str, version: int) -> Mapping[str, Any] | None:
        """Of one version; None when that one is gone."""
        found = self.ask("GET", f"{self.mount}/data/{quote(name)}?version={version}")
        return found["data"]["data"] if found else None

    def ask(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        """What it answers; empty where there is nothing.

        Raises:
            VaultError: When it does not answer, or refuses.
        """
        place, asked = urlsplit(self.url), f"{method} {self.url}/v1/{path.partition('?')[0]}"
        verifying = ssl.create_default_context(cafile=str(self.authorities))
        connection = http.client.HTTPSConnection(
            place.hostname or "", place.port or 443, timeout=_TIMEOUT_S, context=verifying
        )
        try:
            headers = {"X-Vault-Token": self.token.read_text().strip(), "Content-Type": "application/json"}
            payload = None if body is None else json.dumps(body)
            connection.request(method, f"/v1/{path}", body=payload, headers=headers)
            answer = connection.getresponse()
            content = answer.read(_MOST_BYTES)
        except (OSError, http.client.HTTPException) as error:
            raise VaultError(f"{asked}: {type(error).__name__}: {error}") from error
        finally:
            connection.close()
        if answer.status == _ABSENT:
            return {}
        if answer.status not in {_OK, _NO_CONTENT}:
            raise VaultError(f"{asked}: it answered {answer.status}")
        return json.loads(content) if content else {}


def copy_all(source: Vault, target: Vault) -> Iterator[str]:
    """Bring the target's copies up to the source; yields a sentence for each that was changed or cannot be.

    Raises:
        VaultError: When a vault does not answer, or refuses.
    """
    wanted, there = set(source.names()), set(target.names())
    for name in sorted(wanted):
        yield from copy(source, target, name)
    if not wanted:
        # Nobody does without every secret: whoever lists none has lost them, and the copies are what is left.
        if there:
            yield "the source has no secrets at all, so none is removed here"
        return
    for name in sorted(there - wanted):
        if _origin(target.metadata(name)):
            target.ask("DELETE", f"{target.mount}/metadata/{quote(name)}")
            yield f"{name}: removed, as it was there"


def copy(source: Vault, target: Vault, name: str) -> Iterator[str]:
    """Bring one secret up to the source's newest version; yields sentences likewise."""
    theirs = source.metadata(name)
    ours: Mapping[str, Any] = target.metadata(name)
    if not theirs:
        return
    origin = _origin(ours)
    if ours and not origin:
        yield f"{name}: left alone, it was made here"
        return
    if ours and origin != theirs["created_time"]:
        target.ask("DELETE", f"{target.mount}/metadata/{quote(name)}")
        yield f"{name}: removed, it was made anew there"
        ours = {}
    if not ours:
        target.ask("POST", f"{target.mount}/metadata/{quote(name)}", {
            "custom_metadata": {ORIGIN: theirs["created_time"]}, "max_versions": theirs.get("max_versions", 0),
        })  # fmt: skip
    last, newest = _newest(ours), _newest(theirs)
    if last > newest:
        yield f"{name}: left alone, it has version {last} here and {newest} there"
        return
    for version in range(last + 1, newest + 1):
        value = source.value(name, version)
        target.ask("POST", f"{target.mount}/data/{quote(name)}", {
            "data": {} if value is None else value, "options": {"cas": version - 1},
        })  # fmt: skip
        yield f"{name}: copied version {version}"
    yield from _copy_deletions(theirs, target, name)


def _newest(metadata: Mapping[str, Any]) -> int:
    found: int = metadata.get("current_version", 0)
    return found


def _origin(ours: Mapping[str, Any]) -> str:
    """Of what a secret is a copy; empty when it is none."""
    custom: Mapping[str, str] = ours.get("custom_metadata") or {}
    return custom.get(ORIGIN, "")


def _copy_deletions(theirs: Mapping[str, Any], target: Vault, name: str) -> Iterator[str]:
    """What may not be read there any more may not be read here; what may be again, may be."""
    ours = target.metadata(name).get("versions", {})
    for number, state in theirs.get("versions", {}).items():
        if number not in ours:
            continue
        for how, differs in (
            ("destroy", state["destroyed"] and not ours[number]["destroyed"]),
            ("delete", bool(state["deletion_time"]) and not ours[number]["deletion_time"]),
            ("undelete", not state["deletion_time"] and bool(ours[number]["deletion_time"])),
        ):
            if differs:
                verb = "PUT" if how == "destroy" else "POST"
                target.ask(verb, f"{target.mount}/{how}/{quote(name)}", {"versions": [int(number)]})
                yield f"{name}: version {number}: {how}"


def _say(text: str) -> None:
    sys.stdout.write(json.dumps({"at": time.strftime("%FT%TZ", time.gmtime()), "message": text}) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Copy for ever, every `INTERVAL_S` seconds; what goes wrong is said, once for as long as it is the same."""
    folder, mount = Path(os.environ["SECRETS"]), os.environ["MOUNT"]
    source = Vault(os.environ["SOURCE"], mount, folder / "source-token", folder / "ca.crt")
    target = Vault(os.environ["TARGET"], mount, folder / "target-token", folder / "ca.crt")
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda _number, _frame: ended.set())
    said: set[str] = set()
    renewed_s = -_RENEW_EVERY_S
    while not ended.is_set():
        sentences: list[str] = []
        try:
            if time.monotonic() - renewed_s > _RENEW_EVERY_S:
                for vault in (source, target):
                    vault.ask("POST", "auth/token/renew-self", {})
                renewed_s = time.monotonic()
            for sentence in copy_all(source, target):
                sentences.append(sentence)
                if sentence not in said:
                    _say(sentence)
        except VaultError as error:
            sentences.append(str(error))
            if str(error) not in said:
                _say(str(error))
        said = set(sentences)
        ended.wait(float(os.environ["INTERVAL_S"]))


if __name__ == "__main__":
    main()
