"""What a release can do and which schema it needs.

One source tree makes all images; the version that an image carries switches what that version brought.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

_VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)(-[0-9A-Za-z.-]+)?")


@dataclass(frozen=True)
class Release:
    """A release of the service.

    Attributes:
        version: For example `1.1.0` or `1.2.0-bad`.
    """

    version: str

    def __post_init__(self) -> None:
        """Refuse what is not a version."""
        if not _VERSION.fullmatch(self.version):
            message = f"VERSION is {self.version!r}; it has to look like 1.1.0 or 1.2.0-name."
            raise ValueError(message)

    @cached_property
    def _minor(self) -> tuple[int, int]:
        major, minor, *_ = self.version.split(".")
        return int(major), int(minor)

    @property
    def has_median(self) -> bool:
        """Since 1.1.0 aggregates hold the median."""
        return self._minor >= (1, 1)

    @property
    def records_version(self) -> bool:
        """Since 1.1.0 each event keeps which release stored it."""
        return self._minor >= (1, 1)

    @property
    def schema(self) -> str:
        """The oldest schema revision that this release works with; every newer one serves it too."""
        return "0002" if self._minor >= (1, 1) else "0001"
