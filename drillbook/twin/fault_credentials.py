"""Credentials of the twin for those who make faults, each for one fault: environments/twin.yaml names their files."""

from __future__ import annotations

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
        ClusterError: When it does not take them within a minute.
    """
    _write("vault-unseal-key", unseal_key)
    wait_until(lambda: _lacks(url, root_token), deadline_s=_READY_WITHIN_S)


def _lacks(url: str, root_token: str) -> str:
    """Why the token is not there yet.

    A vault that has just begun says that it is active before its stores are there, and sends whoever asks to an address
    of the cluster while it does not lead itself.
    """
    try:
        if not ask("GET", f"{url}/auth/token/lookup-self", root_token).ok:
            return f"{url} does not know its administrator"
        if _is_good(url, root_token):
            return ""
        wanted = {"policies": [_NAME], "no_default_policy": True, "no_parent": True, "ttl": _LASTS}
        kept = ask("PUT", f"{url}/sys/policies/acl/{_NAME}", root_token, {"policy": POLICY})
        made = ask("POST", f"{url}/auth/token/create", root_token, wanted) if kept.ok else kept
    except requests.RequestException as error:
        return f"{url} does not answer: {error}"
    if made.status_code != requests.codes.ok:
        return f"{url} answers its administrator with {made.status_code}"
    _write("vault-token", str(made.json()["auth"]["client_token"]))
    return ""


def _is_good(url: str, root_token: str) -> bool:
    """Whether the vault still knows the token that was made last."""
    path = directory() / "vault-token"
    return path.is_file() and ask("POST", f"{url}/auth/token/lookup", root_token, {"token": path.read_text()}).ok


def ask(method: str, url: str, token: str, body: dict[str, Any] | None = None) -> requests.Response:
    """What a vault answers.

    Raises:
        requests.RequestException: When it does not, or sends elsewhere.
    """
    answer = requests.request(
        method, url, headers={"X-Vault-Token": token}, json=body, timeout=_TIMEOUT_S, allow_redirects=False
    )
    if answer.is_redirect:
        raise requests.TooManyRedirects(f"it sends to {answer.headers['Location']}", response=answer)
    return answer


def _write(name: str, text: str) -> None:
    path = directory() / name
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    pending = path.with_suffix(".new")
    with os.fdopen(os.open(pending, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    pending.replace(path)
