"""Fetches a credential from where an environment file says that it is; the file itself never holds one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from drillbook.domain.traffic import Origin
from drillbook.drivers.http_client import HttpClient
from drillbook.ports import Unreachable

if TYPE_CHECKING:
    from collections.abc import Mapping

_MOST_BYTES = 64 * 1024
_OK = 200


def read(reference: str, variables: Mapping[str, str]) -> str:
    """A credential.

    Args:
        reference: `file:PATH`, `env:VARIABLE` or `vault:PATH#KEY`.
        variables: The process' environment variables; for Vault `VAULT_ADDR`, `VAULT_TOKEN` or `VAULT_TOKEN_FILE`, and
            `VAULT_CACERT`.

    Raises:
        Unreachable: When it is not there; says where it was looked for, and never what was found.
    """
    kind, _, place = reference.partition(":")
    if kind == "file":
        found = _of_file(Path(place))
    elif kind == "env":
        found = variables.get(place, "")
    elif kind == "vault":
        found = _of_vault(place, variables)
    else:
        raise Unreachable(f"{reference!r} names no credential: say file:PATH, env:VARIABLE or vault:PATH#KEY")
    if not found or not found.isprintable() or not found.isascii():
        raise Unreachable(f"there is no credential at {reference}, or it has characters that no header may have")
    return found


def _of_file(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_MOST_BYTES).decode(errors="replace").strip()
    except OSError as error:
        raise Unreachable(f"the credential in {path} cannot be read: {error.strerror}") from error


def _of_vault(place: str, variables: Mapping[str, str]) -> str:
    path, _, key = place.partition("#")
    address = variables.get("VAULT_ADDR", "").rstrip("/")
    own = variables.get("VAULT_TOKEN", "")
    if not own and "VAULT_TOKEN_FILE" in variables:
        own = _of_file(Path(variables["VAULT_TOKEN_FILE"]))
    if not address or not own or not key:
        raise Unreachable(
            f"the credential vault:{place} needs the variables VAULT_ADDR and VAULT_TOKEN or VAULT_TOKEN_FILE, and a "
            "#KEY at its end"
        )
    authorities = Path(variables["VAULT_CACERT"]) if "VAULT_CACERT" in variables else None
    client = HttpClient(address, lambda _: Origin(), ca_file=authorities)
    answer = client.get(f"/v1/{quote(path)}", headers={"X-Vault-Token": own})
    try:
        data: Any = json.loads(answer.body)["data"] if answer.status == _OK else {}
        # The second version of the key-value store wraps its data once more.
        found: Any = data["data"] if isinstance(data.get("data"), dict) else data
        return str(found.get(key, ""))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise Unreachable(f"what {address} answers for {path} is no secret of a vault") from error
