"""HashiCorp Vault, or OpenBao: reads a secret, and has data signed by a key that never leaves it (transit engine)."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote

from drillbook.domain.traffic import Origin
from drillbook.drivers.http_client import HttpClient
from drillbook.ports import Unreachable

if TYPE_CHECKING:
    from collections.abc import Mapping

_MOST_BYTES = 64 * 1024
_OK = 200
_ED25519_KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class Vault:
    """One server, and who asks it.

    Attributes:
        address: Base URL.
        token: The asker's.
        ca_file: Authorities that the server's certificate is verified against; the usual ones when None.
    """

    address: str
    token: str
    ca_file: Path | None = None

    @classmethod
    def of(cls, variables: Mapping[str, str], purpose: str) -> Vault:
        """As the usual variables name it: VAULT_ADDR, VAULT_TOKEN or VAULT_TOKEN_FILE, VAULT_CACERT.

        Args:
            variables: The process' environment variables.
            purpose: What it is needed for, for the error.

        Raises:
            Unreachable: When they do not say, or the token's file cannot be read.
        """
        address, token = variables.get("VAULT_ADDR", "").rstrip("/"), variables.get("VAULT_TOKEN", "")
        if not token and "VAULT_TOKEN_FILE" in variables:
            token = text_of(Path(variables["VAULT_TOKEN_FILE"]))
        if not address or not token:
            raise Unreachable(f"{purpose} needs the variables VAULT_ADDR and VAULT_TOKEN or VAULT_TOKEN_FILE")
        return cls(address, token, Path(variables["VAULT_CACERT"]) if "VAULT_CACERT" in variables else None)

    def secret(self, path: str, key: str) -> str:
        """A value of the key-value store, of either version; empty when it is not there.

        Raises:
            Unreachable: When there is no answer, or one that is no secret.
        """
        status, data = self._ask("GET", path)
        found: Any = data["data"] if isinstance(data.get("data"), dict) else data
        return str(found.get(key, "")) if status == _OK else ""

    def public_key(self, mount: str, key: str) -> bytes:
        """The public half of the newest version of an Ed25519 key: its 32 bytes.

        Raises:
            Unreachable: When it is not told, or the key is another kind's.
        """
        status, data = self._ask("GET", f"{mount}/keys/{key}")
        what = f"the key {key} of {self.address} at {mount}"
        if status != _OK:
            raise Unreachable(f"{what} is not shown ({status}): see that it is there, and what the token may do")
        try:
            raw = base64.b64decode(data["keys"][str(data["latest_version"])]["public_key"], validate=True)
        except (KeyError, TypeError, binascii.Error) as error:
            raise Unreachable(f"{what} has no public key: make one of the type ed25519") from error
        if data.get("type") != "ed25519" or len(raw) != _ED25519_KEY_BYTES:
            raise Unreachable(f"{what} is of the type {data.get('type')!r}: make one of the type ed25519")
        return raw

    def signature(self, mount: str, key: str, data: bytes) -> bytes:
        """The newest version's signature of the data, which is sent there: 64 bytes.

        Raises:
            Unreachable: When there is none.
        """
        asked = {"input": base64.b64encode(data).decode()}
        status, answered = self._ask("POST", f"{mount}/sign/{key}", asked)
        # The form is vault:v1:BASE64, with the key's version in the middle.
        encoded = str(answered.get("signature", "")).rpartition(":")[2]
        refused = Unreachable(f"{self.address} did not sign with the key {key} at {mount} ({status})")
        if status != _OK or not encoded:
            raise refused
        try:
            return base64.b64decode(encoded, validate=True)
        except binascii.Error as error:
            raise refused from error

    def _ask(self, method: str, path: str, body: Mapping[str, str] | None = None) -> tuple[int, Mapping[str, Any]]:
        client = HttpClient(self.address, lambda _: Origin(), ca_file=self.ca_file)
        answer = client.send(method, f"/v1/{quote(path)}", headers={"X-Vault-Token": self.token}, body=body)
        if answer.status != _OK:
            return answer.status, {}
        try:
            data: Any = json.loads(answer.body)["data"]
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise Unreachable(f"what {self.address} answers for {path} is nothing of a vault's") from error
        if not isinstance(data, dict):
            raise Unreachable(f"what {self.address} answers for {path} is nothing of a vault's")
        return answer.status, cast("dict[str, Any]", data)


def text_of(path: Path) -> str:
    """What a small file holds, without space around it.

    Raises:
        Unreachable: When it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return file.read(_MOST_BYTES).decode(errors="replace").strip()
    except OSError as error:
        raise Unreachable(f"the credential in {path} cannot be read: {error.strerror}") from error
