"""Reads `recovery.files` and `recovery.secrets` of an environment file: the state beside the database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drillbook.domain.state_settings import FilesSettings, SecretsSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

TABLES = (["files", "endpoints"], ["files", "keys"], ["secrets", "addresses"], ["secrets", "tokens"])
"""Places of tables that name each region once."""


def files(section: Mapping[str, Any], beside: Callable[[str], str], place: Callable[[str], Path]) -> FilesSettings:
    """Where the files are; `beside` and `place` find credentials and files wherever a command is given."""
    return FilesSettings(
        bucket=section["bucket"],
        endpoints=dict(section["endpoints"]),
        keys={region: beside(key) for region, key in section["keys"].items()},
        ca_file=place(section["ca_file"]) if "ca_file" in section else None,
    )


def secrets(section: Mapping[str, Any], beside: Callable[[str], str], place: Callable[[str], Path]) -> SecretsSettings:
    """Where the secrets are, likewise."""
    return SecretsSettings(
        mount=section["mount"],
        addresses=dict(section["addresses"]),
        tokens={region: beside(token) for region, token in section["tokens"].items()},
        ca_file=place(section["ca_file"]) if "ca_file" in section else None,
    )
