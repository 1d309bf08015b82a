"""Fetches a credential from where an environment file says that it is; the file itself never holds one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from drillbook.drivers.vault import Vault, text_of
from drillbook.ports import Unreachable

if TYPE_CHECKING:
    from collections.abc import Mapping


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
        found = text_of(Path(place))
    elif kind == "env":
        found = variables.get(place, "")
    elif kind == "vault":
        found = _of_vault(place, variables)
    else:
        raise Unreachable(f"{reference!r} names no credential: say file:PATH, env:VARIABLE or vault:PATH#KEY")
    if not found or not found.isprintable() or not found.isascii():
        raise Unreachable(f"there is no credential at {reference}, or it has characters that no header may have")
    return found


def _of_vault(place: str, variables: Mapping[str, str]) -> str:
    path, _, key = place.partition("#")
    if not key:
        raise Unreachable(f"the credential vault:{place} needs a #KEY at its end")
    return Vault.of(variables, f"the credential vault:{place}").secret(path, key)
