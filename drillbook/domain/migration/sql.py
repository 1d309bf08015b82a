"""As much of PostgreSQL's language as the rules need beyond the linter's: what kind of statement stands there."""

from __future__ import annotations

import re
from functools import lru_cache

_HIDES = re.compile(r"--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'|\$(\w*)\$.*?\$\1\$", re.DOTALL)
_BLANKS = re.compile(r"\s+")
_LOCK_TIMEOUT = re.compile(
    r"^(?:set(?P<local> local| session)? lock_timeout (?:=|to) ?(?P<value>'[^']*'|\w+)"
    r"|(?P<reset>reset (?:lock_timeout|all)))$"
)
_UNITS_MS = {"": 1.0, "us": 0.001, "ms": 1.0, "s": 1000.0, "min": 60_000.0, "h": 3_600_000.0, "d": 86_400_000.0}
"""Units of a time in PostgreSQL's settings; a bare number of lock_timeout is in milliseconds.

Source: https://www.postgresql.org/docs/15/config-setting.html#CONFIG-SETTING-NAMES-VALUES
"""


@lru_cache(maxsize=1024)
def plain(sql: str) -> str:
    """In lower case, with single blanks, without comments and without what stands in quotes."""
    return _squeezed(_HIDES.sub(lambda found: "''" if found[0][0] in "'$" else " ", sql))


def says(sql: str, pattern: str) -> bool:
    """Whether a pattern of whole words is in the plain statement."""
    return re.search(rf"\b(?:{pattern})\b", plain(sql)) is not None


def begins(sql: str, pattern: str) -> bool:
    """Whether the plain statement begins with it."""
    return re.match(rf"(?:{pattern})\b", plain(sql)) is not None


def lock_timeout_ms(sql: str) -> tuple[float, bool] | None:
    """What a statement makes of `lock_timeout`: milliseconds, 0 for none, and whether only for its transaction.

    None when it leaves it as it is.
    """
    found = _LOCK_TIMEOUT.match(_squeezed(re.sub(r"--[^\n]*|/\*.*?\*/", " ", sql, flags=re.DOTALL)))
    if found is None:
        return None
    if found["reset"]:
        return 0.0, False
    value = re.fullmatch(r"(\d+(?:\.\d+)?) ?([a-z]*)", found["value"].strip("'"))
    if value is None or value[2] not in _UNITS_MS:
        return 0.0, False
    return float(value[1]) * _UNITS_MS[value[2]], (found["local"] or "").strip() == "local"


def made_table(sql: str) -> str:
    """Name of the table that it makes; empty when it makes none."""
    found = re.match(r"create (?:unlogged )?table (?:if not exists )?([^\s(]+)", plain(sql))
    return found[1] if found else ""


def altered_table(sql: str) -> str:
    """Name of the table that it alters; empty when it alters none."""
    found = re.match(r"alter table (?:if exists )?(?:only )?(\S+)", plain(sql))
    return found[1] if found else ""


def built_index(sql: str) -> str:
    """Name of the index that it builds concurrently; empty when it does no such thing, or names none."""
    found = re.match(r"create (?:unique )?index concurrently (?:if not exists )?(\S+) on\b", plain(sql))
    return found[1] if found else ""


def dropped_index(sql: str) -> str:
    """Name of the index that it drops concurrently if it is there; else empty."""
    found = re.fullmatch(r"drop index concurrently if exists (\S+?)(?: cascade| restrict)?", plain(sql))
    return found[1] if found else ""


def _squeezed(sql: str) -> str:
    return _BLANKS.sub(" ", sql).strip().rstrip(";").rstrip().lower()
