"""What a restore brought back, by what its script printed: each rung of the ladder, and what was written with its hash.

A backup that verifies is not yet one that restores, and one that restores is not yet what was promised: a rung that was
not come to is unknown, and nothing that is missing counts as well.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from drillbook.domain.pgbackrest import NotUnderstood

if TYPE_CHECKING:
    from collections.abc import Mapping

RUNGS: Mapping[str, str] = {
    "verify": "pgbackrest verify finds the repository sound",
    "restore": "the backup is restored",
    "recovery": "it recovers to the moment, and not less far",
    "recovering": "it has left recovery",
    "checksums": "every page has its checksum",
    "amcheck": "every index has what its table has",
    "objects": "it has the tables, indexes, sequences and views that the primary has",
    "sequences": "no sequence gives a number again",
    "writes": "it takes writes",
}
"""What is looked at, and in which words it holds."""

RUNGS_OF_TABLE: Mapping[str, str] = {
    **{rung: RUNGS[rung] for rung in ("restore", "recovery", "recovering", "sequences")},
    "rows": "its rows are those that were destroyed, by their number and a sum of their hashes",
    "put-back": "the table is put back as it was restored",
    "sequences-put-back": "no sequence gives a number again once it is put back",
}
"""The same of a table that is restored to be put back, in this order."""

_BY_CODE = ("restore", "recovery", "checksums", "amcheck", "put-back")
_SUMMED = re.compile(r"[1-9]\d* -?\d+", re.ASCII)
_SOUND = "status: ok"
_LONGEST = 300


@dataclass(frozen=True, slots=True)
class Restored:
    """One restore.

    Attributes:
        said: What the script told, by name.
        events: Key to hash of what was written, as it was restored.
        originals: The same, as the primary had it then.
    """

    said: Mapping[str, str]
    events: Mapping[str, str]
    originals: Mapping[str, str]

    @classmethod
    def printed(cls, text: str) -> Restored:
        """From the script's output.

        Raises:
            NotUnderstood: When it did not come to its end, or says something twice.
        """
        said: dict[str, str] = {}
        found: dict[str, dict[str, str]] = {"restored": {}, "original": {}}
        for line in text.splitlines():
            name, _, rest = line.partition(" ")
            if name in found:
                key, _, hash_ = rest.rpartition(" ")
                if not key or not hash_ or key in found[name]:
                    raise NotUnderstood(
                        f"a line of what was written names a key once and its hash, and got {line[:60]!r}"
                    )
                found[name][key] = hash_
            elif name in said:
                raise NotUnderstood(f"it says {name!r} twice")
            else:
                said[name] = rest.strip()
        if "end" not in said:
            raise NotUnderstood("it does not come to its end")
        return cls(said, found["restored"], found["original"])

    def holds(self, rung: str) -> bool | None:
        """Whether a rung of `RUNGS` or `RUNGS_OF_TABLE` holds; None when it was not come to, or is told of no row."""
        told = self.said.get(rung)
        if not told:
            return None
        if rung == "verify":
            return self._code(rung) == 0 and _SOUND in told
        if rung in _BY_CODE:
            return self._code(rung) == 0
        if rung == "objects":
            other = self.said.get("objects-of-primary")
            return told == other if other else None
        if rung == "rows":
            other = self.said.get("rows-destroyed", "")
            return told == other if _SUMMED.fullmatch(told) and _SUMMED.fullmatch(other) else None
        return told == {"recovering": "f", "sequences": "0", "sequences-put-back": "0", "writes": "1"}[rung]

    def words(self, rung: str) -> str:
        """What was said of it, cut."""
        return self.said.get(rung, "")[:_LONGEST]

    def number(self, name: str) -> float | None:
        """`bytes` of the data; `restore-ms`, `recovery-ms` and `put-back-ms`; None when it was not told."""
        try:
            return float(self.said[name])
        except (KeyError, ValueError):
            return None

    def _code(self, rung: str) -> int | None:
        code = self.said[rung].partition(" ")[0]
        return int(code) if code.isdigit() else None
