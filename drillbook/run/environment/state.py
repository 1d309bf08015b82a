"""Reads `recovery.files` and `recovery.secrets` of an environment file: the state beside the database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drillbook.domain.state_settings import FilesSettings, SecretsSettings
from drillbook.run.environment.paths import beside, credential

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

TABLES = (["files", "endpoints"], ["files", "keys"], ["secrets", "addresses"], ["secrets", "tokens"])
"""Places of tables that name each region once."""


def files(file: Path, section: Mapping[str, Any]) -> FilesSettings:
    """Where the files are."""
    return FilesSettings(
        bucket=section["bucket"],
        endpoints=dict(section["endpoints"]),
        keys={region: credential(file, key) for region, key in section["keys"].items()},
        ca_file=beside(file, section["ca_file"]) if "ca_file" in section else None,
    )


def secrets(file: Path, section: Mapping[str, Any]) -> SecretsSettings:
    """Where the secrets are."""
    return SecretsSettings(
        mount=section["mount"],
        addresses=dict(section["addresses"]),
        tokens={region: credential(file, token) for region, token in section["tokens"].items()},
        ca_file=beside(file, section["ca_file"]) if "ca_file" in section else None,
    )
