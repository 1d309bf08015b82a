"""What drills of the state beside the database need of the outside, beside `drillbook.ports`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping


class FileStore(Protocol):
    """A region's copy of the platform's files."""

    def digests(self) -> Mapping[str, str]:
        """Name to SHA-256 of the content, hexadecimal, of every file; all are read. Raises Unreachable."""
        ...

    def digest(self, name: str) -> str:
        """Of one file; empty when it is not there. Raises Unreachable."""
        ...

    def put(self, name: str, content: bytes) -> None:
        """Create or replace a file. Raises Unreachable."""
        ...

    def remove(self, name: str) -> None:
        """Idempotent. Raises Unreachable."""
        ...


class SecretStore(Protocol):
    """A region's copy of the platform's secrets; what they are never leaves it but as a keyed digest."""

    def digests(self, key: bytes) -> Mapping[str, str]:
        """Name to `version:digest` of every secret that can be read; raises Unreachable when one cannot.

        Args:
            key: Of the digests (HMAC-SHA256), so that nobody can guess a secret by its digest.
        """
        ...

    def digest(self, name: str, key: bytes) -> str:
        """Of one secret; empty when it is not there. Raises Unreachable."""
        ...

    def put(self, name: str, value: str) -> None:
        """Make a new version of a secret. Raises Unreachable."""
        ...

    def remove(self, name: str) -> None:
        """With all its versions. Idempotent. Raises Unreachable."""
        ...
