"""What the host of the backups says in one look: the words of pgBackRest, kept as they came, to be judged by others."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from drillbook.domain.pgbackrest import NotUnderstood

if TYPE_CHECKING:
    from collections.abc import Mapping

_LINES_BESIDE_ARCHIVES = 5
_MOST_SAID = 1000
_TIMES = 2
_AT = "at "


@dataclass(frozen=True, slots=True)
class BackupReport:
    """One look.

    Attributes:
        began_s: By the host's clock, in seconds since the epoch.
        ended_s: Likewise.
        check_code: With which `pgbackrest check` ended; 0 when WAL gets into every repository.
        check_said: Its words.
        info: `pgbackrest info --output=json`.
        archives: Repository's number to the listing of its archive, by `repo-ls --recurse --output=json`; empty where
            it could not be listed.
        stores: Repository's number to the endpoint of the object store that it is in, by the host's settings; without
            those of which they do not say one.
    """

    began_s: float
    ended_s: float
    check_code: int
    check_said: str
    info: str
    archives: Mapping[int, str]
    stores: Mapping[int, str] = field(default_factory=dict[int, str])

    @classmethod
    def printed(cls, text: str) -> BackupReport:
        """From what the host's script printed: a line each, and for every repository where it is, and its archive.

        Raises:
            NotUnderstood: When lines are missing, or are not what they are to be.
        """
        lines = text.splitlines()
        if len(lines) <= _LINES_BESIDE_ARCHIVES:
            raise NotUnderstood(f"it has {len(lines)} lines, and one that names a repository has more than 5")
        began, code, said, info, *repositories, ended = lines
        places = _of_each([line.removeprefix(_AT) for line in repositories if line.startswith(_AT)])
        archives = _of_each([line for line in repositories if not line.startswith(_AT)])
        if not archives:
            raise NotUnderstood("it names no archive of a repository")
        if not code.isdigit():
            raise NotUnderstood(f"the exit code of check is {code[:40]!r}")
        stores = {key: store for key, settings in places.items() if (store := _store(settings))}
        report = cls(_seconds(began), _seconds(ended), int(code), said[:_MOST_SAID], info, archives, stores)
        if report.ended_s < report.began_s:
            raise NotUnderstood(f"it ended at {ended}, before it began at {began}")
        return report


def times(text: str) -> tuple[float, float]:
    """From what the script of a backup printed, with warnings between: its first and its last line, in seconds.

    Raises:
        NotUnderstood: When they are no times, or in no order.
    """
    lines = text.splitlines() or [""]
    began_s, ended_s = _seconds(lines[0]), _seconds(lines[-1])
    if len(lines) < _TIMES or ended_s < began_s:
        raise NotUnderstood(f"it begins with one time and ends with a later one, and got {lines[0]} and {lines[-1]}")
    return began_s, ended_s


def _of_each(lines: list[str]) -> dict[int, str]:
    """Repository's number to the rest of its line."""
    found: dict[int, str] = {}
    for line in lines:
        key, _, rest = line.partition(" ")
        if not key.isdigit() or int(key) in found:
            raise NotUnderstood(f"a line of a repository begins with its repository's number, and got {line[:40]!r}")
        found[int(key)] = rest
    return found


def _store(settings: str) -> str:
    """The endpoint, where there is one and nothing that leads elsewhere; else empty."""
    told = [setting.partition("=") for setting in settings.split()]
    found = {name: value for name, _, value in told}
    if len(told) != len(found) or found.keys() != {"type", "s3-endpoint"} or found["type"] != "s3":
        return ""
    return found["s3-endpoint"].lower()


def _seconds(text: str) -> float:
    try:
        found = float(text)
    except ValueError as error:
        raise NotUnderstood(f"a time is in seconds since the epoch, and got {text[:40]!r}") from error
    if not math.isfinite(found):
        raise NotUnderstood(f"a time is in seconds since the epoch, and got {text[:40]!r}")
    return found
