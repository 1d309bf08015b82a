"""Which state both regions have beside the database, as an environment's file says it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class FilesSettings:
    """The platform's files: a bucket in each region.

    Attributes:
        bucket: Name of the bucket, the same in both.
        endpoints: Region to the URL of its S3.
        keys: Region to where the access key and its secret are, with a colon between.
        ca_file: Authorities that the certificates are verified against; the usual ones when None.
    """

    bucket: str
    endpoints: Mapping[str, str]
    keys: Mapping[str, str]
    ca_file: Path | None = None


@dataclass(frozen=True, slots=True)
class SecretsSettings:
    """The platform's secrets: a key-value engine, version 2, in each region's vault.

    Attributes:
        mount: Where the engine is, the same in both.
        addresses: Region to the URL of its vault, without `/v1`.
        tokens: Region to where a token is.
        ca_file: Authorities that the certificates are verified against; the usual ones when None.
    """

    mount: str
    addresses: Mapping[str, str]
    tokens: Mapping[str, str]
    ca_file: Path | None = None
