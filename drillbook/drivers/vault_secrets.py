"""Secrets in a key-value engine, version 2, of HashiCorp Vault or OpenBao; read to be compared, and never told."""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote

from drillbook.domain.traffic import Origin
from drillbook.drivers.http_client import HttpClient
from drillbook.ports import Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

_OK, _NO_CONTENT, _ABSENT = 200, 204, 404
_DEEPEST = 16


@dataclass(frozen=True, slots=True)
class VaultSecrets:
    """One region's vault.

    Attributes:
        region: Its name.
        url: Of the vault, without `/v1`.
        mount: Where the engine is.
        token: Gives a token that may read, and write only where drills write.
        ca_file: Authorities that the certificate is verified against; the usual ones when None.
    """

    region: str
    url: str
    mount: str
    token: Callable[[], str]
    ca_file: Path | None = None

    def digests(self, key: bytes) -> Mapping[str, str]:
        """Of every secret whose newest version can be read; of another one, that it is gone. None of a sealed vault."""
        if self._sealed():
            return {}
        return {name: self.digest(name, key) or "no value" for name in self._names()}

    def digest(self, name: str, key: bytes) -> str:
        """Of one secret: `version:digest`; empty when it is not there."""
        found = self._ask("GET", f"{self.mount}/data/{quote(name)}")
        if found is None:
            return ""
        try:
            value, version = found["data"]["data"], found["data"]["metadata"]["version"]
        except (KeyError, TypeError):
            raise self._strange("GET") from None
        text = json.dumps(value, sort_keys=True, ensure_ascii=False)
        return f"{version}:{hmac.new(key, text.encode(), hashlib.sha256).hexdigest()}"

    def put(self, name: str, value: str) -> None:
        """Make a new version."""
        self._ask("POST", f"{self.mount}/data/{quote(name)}", {"data": {"value": value}})

    def remove(self, name: str) -> None:
        """With all its versions. Idempotent."""
        self._ask("DELETE", f"{self.mount}/metadata/{quote(name)}")

    def _sealed(self) -> bool:
        answer = HttpClient(self.url, lambda _: Origin(), ca_file=self.ca_file).get("/v1/sys/seal-status")
        try:
            return bool(json.loads(answer.body)["sealed"])
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise Unreachable(f"what the {self._named} answers for its seal is nothing of a vault's") from error

    def _names(self, folder: str = "", depth: int = 0) -> Iterator[str]:
        if depth > _DEEPEST:
            raise Unreachable(f"the {self._named} has folders deeper than {_DEEPEST}: {folder}")
        found = self._ask("GET", f"{self.mount}/metadata/{quote(folder)}?list=true")
        names: Any = found["data"].get("keys") if found else []
        if not isinstance(names, list):
            raise self._strange("GET")
        for name in cast("list[object]", names):
            if str(name).endswith("/"):
                yield from self._names(f"{folder}{name}", depth + 1)
            else:
                yield f"{folder}{name}"

    def _ask(self, method: str, path: str, body: object = None) -> Any:
        """What it answers, None where there is nothing; its answer is part of no error."""
        client = HttpClient(self.url, lambda _: Origin(), ca_file=self.ca_file)
        headers = {"X-Vault-Token": self.token()}
        answer = client.send(method, f"/v1/{path}", body=body, headers=headers)
        if answer.status in {_ABSENT, _NO_CONTENT}:
            return None
        if answer.status != _OK:
            raise Unreachable(f"the {self._named} refuses {method} {path.partition('?')[0]} ({answer.status})")
        try:
            found: Any = json.loads(answer.body)
            found["data"].keys()
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            # Not chained: the text of such an error has a piece of what was read.
            raise self._strange(method) from None
        return found

    def _strange(self, method: str) -> Unreachable:
        return Unreachable(f"what the {self._named} answers to {method} is nothing of a vault's")

    @property
    def _named(self) -> str:
        return f"vault in {self.region} ({self.url})"
