"""Credentials of the twin for those who make faults, each for one fault: environments/twin.yaml names their files."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import requests

from drillbook.twin.kubectl import wait_until
from drillbook.twin.layout import state_directory

if TYPE_CHECKING:
    from pathlib import Path

POLICY = 'path "sys/seal" { capabilities = ["update", "sudo"] }\n'
_NAME = "drillbook-seal"
_TIMEOUT_S = 10.0
_READY_WITHIN_S = 60.0
_LASTS = "768h"
"""Of the token; each `twin up` makes a new one when it has ended."""


def directory() -> Path:
    """Where they are."""
    return state_directory() / "faults"


def write_database(address: str, password: str) -> None:
    """The libpq URI of the service's own role: what it can use up is what it would use."""
    _write("database-url", f"postgresql://analytics:{password}@{address}/analytics")


def write_vault(url: str, root_token: str, unseal_key: str) -> None:
    """A token that may seal the vault and nothing else, and the key that opens it again.

    Args:
        url: The vault's API, up to and with `/v1`.
        root_token: Of its administrator.
        unseal_key: The one share.

    Raises:
        ClusterError: When it does not know its administrator within a minute.
        requests.RequestException: When the vault does not answer or refuses.
    """
    _write("vault-unseal-key", unseal_key)
    wait_until(lambda: _not_ready(url, root_token), deadline_s=_READY_WITHIN_S)
    if _is_good(url, root_token):
        return
    _ask("PUT", f"{url}/sys/policies/acl/{_NAME}", root_token, {"policy": POLICY})
    wanted = {"policies": [_NAME], "no_default_policy": True, "no_parent": True, "ttl": _LASTS}
    made = _ask("POST", f"{url}/auth/token/create", root_token, wanted)
    _write("vault-token", str(made["auth"]["client_token"]))


def _not_ready(url: str, root_token: str) -> str:
    """Why nothing can be made in the vault yet: it says that it is active before its stores are there."""
    try:
        answer = requests.get(
            f"{url}/auth/token/lookup-self", headers={"X-Vault-Token": root_token}, timeout=_TIMEOUT_S
        )
    except requests.RequestException as error:
        return f"{url} does not answer: {error}"
    return "" if answer.ok else f"{url} answers its administrator with {answer.status_code}"


def _is_good(url: str, root_token: str) -> bool:
    """Whether the vault still knows the token that was made last."""
    path = directory() / "vault-token"
    if not path.is_file():
        return False
    answer = requests.post(
        f"{url}/auth/token/lookup", headers={"X-Vault-Token": root_token}, json={"token": path.read_text()},
        timeout=_TIMEOUT_S,
    )  # fmt: skip
    return answer.ok


def _ask(method: str, url: str, token: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = requests.request(method, url, headers={"X-Vault-Token": token}, json=body, timeout=_TIMEOUT_S)
    answer.raise_for_status()
    found: dict[str, Any] = json.loads(answer.text) if answer.text else {}
    return found


def _write(name: str, text: str) -> None:
    path = directory() / name
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    pending = path.with_suffix(".new")
    with os.fdopen(os.open(pending, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    pending.replace(path)
