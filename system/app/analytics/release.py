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
    def _numbers(self) -> tuple[int, ...]:
        return tuple(int(number) for number in self.version.partition("-")[0].split("."))

    @property
    def _minor(self) -> tuple[int, ...]:
        return self._numbers[:2]

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
        """The schema revision that this release is brought; it also works one expand step before and after it."""
        return "0002" if self._minor >= (1, 1) else "0001"

    @property
    def oldest_schema(self) -> str:
        """The oldest one with which it serves: 1.1.0 leaves out what is not there yet, or not any more."""
        return "0001"

    @property
    def newest_schema(self) -> str:
        """The newest one with which it serves; empty without an end. From 0003 on events say who stored them."""
        return "" if self.records_version else "0002"

    def serves_with(self, schema: str) -> bool:
        """Whether it works with a schema revision."""
        return self.oldest_schema <= schema and (not self.newest_schema or schema <= self.newest_schema)

    def before(self, other: Release) -> bool:
        """Whether it is an older release, what comes after the hyphen aside."""
        return self._numbers < other._numbers
