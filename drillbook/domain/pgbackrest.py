"""What `pgbackrest info --output=json` says, read as data from outside: bounded, and refused unless as documented.

The form is that of pgBackRest's command reference, which is kept stable, and of its source (`src/command/info/info.c`).
Keys that are not needed here are not looked at, so that a later version may have more.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast

from drillbook.domain import wal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from drillbook.domain.wal import Segment

MOST_BYTES = 16 * 1024 * 1024
"""Of the answer: some 20,000 backups."""

_LABEL = re.compile(r"\d{8}-\d{6}F(?:_\d{8}-\d{6}[DI])?", re.ASCII)
_FOLDER = re.compile(r"\d{1,3}(?:\.\d{1,2})?-\d{1,9}", re.ASCII)
_FILE = re.compile(r"[0-9A-F]{16}/([0-9A-F]{24})-[0-9a-f]{40}(?:\.[a-z0-9]{1,4})?", re.ASCII)
_TYPES = ("full", "diff", "incr")
_LONGEST_TEXT = 500
_MOST_KEYS = 256
_MOST_SECONDS = 2**40

# Statuses of a repository that say that there is no backup in it: no stanza, no valid backup, no data of the stanza.
_EMPTY = {1, 2, 3}


class NotUnderstood(ValueError):
    """The answer is not what pgBackRest documents; the text says where."""


@dataclass(frozen=True, slots=True)
class Backup:
    """One backup in one repository.

    Attributes:
        label: Its name.
        kind: `full`, `diff` or `incr`.
        started_s: When it began: whole seconds since the epoch on the database host's clock.
        stopped_s: When it ended, likewise.
        faulty: Whether a page in it had a wrong checksum; None when that was not looked at.
        data_bytes: Of the database.
        repository_bytes: Of what a restore reads; None for repositories that keep no such figure (block incremental).
        wal_start: The first segment that its recovery needs; None for one made without a running server.
    """

    label: str
    kind: Literal["full", "diff", "incr"]
    started_s: float
    stopped_s: float
    faulty: bool | None
    data_bytes: int
    repository_bytes: int | None
    wal_start: Segment | None


@dataclass(frozen=True, slots=True)
class Repository:
    """One repository's part of a stanza, of its current database alone.

    After an upgrade, or a cluster made anew, that of the one before it stays in the repository, and recovers nothing of
    this one: not even positions in the log go on.

    Attributes:
        key: Its number, from 1.
        code: Status: 0 for well.
        message: Status in words.
        archive: The folder of its segments; None without one.
        wal_max: The newest segment in there, gaps or not; None without one.
        backups: From the oldest.
    """

    key: int
    code: int
    message: str
    archive: str | None
    wal_max: Segment | None
    backups: tuple[Backup, ...]

    @property
    def readable(self) -> bool:
        """Whether what it has is known: it is well, or it is known to be empty."""
        return self.code == 0 or self.code in _EMPTY


def repositories(answer: str | bytes, stanza: str, segment_bytes: int = wal.SEGMENT_BYTES) -> tuple[Repository, ...]:
    """The repositories of a stanza, by their keys.

    Raises:
        NotUnderstood: When the answer is not as documented, or does not have the stanza.
    """
    entries = [_object(it, "a stanza") for it in _list(_json(answer), "the answer")]
    named = [it for it in entries if it.get("name") == stanza]
    if len(named) != 1:
        raise NotUnderstood(f"pgbackrest info was to tell of the stanza {stanza!r} once, and told {len(named)} times")
    entry = named[0]
    databases = {_database(it, "a database") for it in _list(entry.get("db"), "`db`")}
    # The highest number of each repository comes last.
    current = dict(sorted(databases))
    backups: dict[int, list[Backup]] = {}
    for it in _list(entry.get("backup"), "`backup`"):
        (key, number), backup = _backup(_object(it, "a backup"), segment_bytes)
        if (key, number) not in databases:
            raise NotUnderstood(f"backup {backup.label} is of database {number}, and repository {key} has no such one")
        backups.setdefault(key, []).extend([backup] if number == current[key] else [])
    archives = _archives(_list(entry.get("archive"), "`archive`"), current, segment_bytes)
    found: dict[int, Repository] = {}
    for it in _list(entry.get("repo"), "`repo`"):
        repo = _object(it, "a repository")
        status = _object(repo.get("status"), "a repository's `status`")
        key = _whole(repo.get("key"), "a repository's `key`", _MOST_KEYS)
        if key in found:
            raise NotUnderstood(f"pgbackrest info tells of repository {key} twice")
        archive, wal_max = archives.get(key, (None, None))
        found[key] = Repository(
            key=key,
            code=_whole(status.get("code"), "a status' `code`", 999),
            message=_text(status.get("message"), "a status' `message`")[:_LONGEST_TEXT],
            archive=archive,
            wal_max=wal_max,
            backups=tuple(sorted(backups.pop(key, []), key=lambda backup: backup.stopped_s)),
        )
    if backups:
        raise NotUnderstood(
            f"pgbackrest info tells of a backup in repository {min(backups)}, and of no such repository"
        )
    return tuple(found[key] for key in sorted(found))


def archived(listing: str | bytes, archive: str | None, segment_bytes: int = wal.SEGMENT_BYTES) -> frozenset[Segment]:
    """The segments of one database in a listing of an archive by `pgbackrest repo-ls --recurse --output=json`.

    Args:
        listing: Of all the databases that the stanza has had.
        archive: The database's folder; None has no segments.
        segment_bytes: Of a segment.

    Raises:
        NotUnderstood: When the listing is not as documented.
    """
    entries = _object(_json(listing), "the listing")
    paths = [path.partition("/") for path, it in entries.items() if _object(it, "an entry").get("type") == "file"]
    names = [_FILE.fullmatch(within) for folder, _, within in paths if folder == archive]
    return frozenset(_segment(name[1], segment_bytes) for name in names if name is not None)


def _backup(entry: dict[str, Any], segment_bytes: int) -> tuple[tuple[int, int], Backup]:
    """With its repository's key and its database's number."""
    label = _text(entry.get("label"), "a backup's `label`")
    if _LABEL.fullmatch(label) is None:
        raise NotUnderstood(f"a backup's label looks like 20261123-081500F, and got {label[:40]!r}")
    kind = entry.get("type")
    if kind not in _TYPES:
        raise NotUnderstood(f"backup {label} is of type {str(kind)[:40]!r}, and must be one of {', '.join(_TYPES)}")
    times = _object(entry.get("timestamp"), f"`timestamp` of {label}")
    start_s = _whole(times.get("start"), f"start of {label}", _MOST_SECONDS)
    stop_s = _whole(times.get("stop"), f"stop of {label}", _MOST_SECONDS)
    if stop_s < start_s:
        raise NotUnderstood(f"backup {label} stopped at {stop_s}, before it started at {start_s}")
    faulty = entry.get("error")
    if faulty is not None and not isinstance(faulty, bool):
        raise NotUnderstood(f"`error` of {label} is true, false or absent, and got {str(faulty)[:40]!r}")
    info = _object(entry.get("info"), f"`info` of {label}")
    repository = _object(info.get("repository"), f"`repository` of {label}")
    size = repository.get("size")
    first = _object(entry.get("archive"), f"`archive` of {label}").get("start")
    return _database(entry.get("database"), f"`database` of {label}"), Backup(
        label=label,
        kind=kind,
        started_s=float(start_s),
        stopped_s=float(stop_s),
        faulty=faulty,
        data_bytes=_whole(info.get("size"), f"size of {label}"),
        repository_bytes=None if size is None else _whole(size, f"size of {label} in the repository"),
        wal_start=None if first is None else _segment(_text(first, f"`start` of {label}"), segment_bytes),
    )


def _archives(
    entries: list[Any], current: Mapping[int, int], segment_bytes: int
) -> dict[int, tuple[str, Segment | None]]:
    """Of each repository's current database: the folder, which has a number of its own, and the newest segment."""
    found: dict[int, tuple[str, Segment | None]] = {}
    for it in entries:
        entry = _object(it, "an archive")
        key, number = _database(entry.get("database"), "an archive's `database`")
        folder, last = _text(entry.get("id"), "an archive's `id`"), entry.get("max")
        if _FOLDER.fullmatch(folder) is None:
            raise NotUnderstood(f"an archive's id looks like 15-1, and got {folder[:40]!r}")
        newest = None if last is None else _segment(_text(last, "an archive's `max`"), segment_bytes)
        if number == current.get(key):
            found[key] = (folder, newest)
    return found


def _database(value: Any, what: str) -> tuple[int, int]:
    """The repository's key, and the number in it: the highest is the current one's."""
    entry = _object(value, what)
    key = _whole(entry.get("repo-key"), f"`repo-key` of {what}", _MOST_KEYS)
    return key, _whole(entry.get("id"), f"`id` of {what}")


def _json(answer: str | bytes) -> Any:
    if len(answer) > MOST_BYTES:
        raise NotUnderstood(f"the answer has {len(answer)} bytes, and may have {MOST_BYTES}")
    try:
        return json.loads(answer, object_pairs_hook=_unique, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise NotUnderstood(f"the answer is no JSON: {error}") from error


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands in an object twice")
    return found


def _no_number(text: str) -> Any:
    raise ValueError(f"{text} is no number")


def _segment(name: str, segment_bytes: int) -> Segment:
    try:
        return wal.segment(name, segment_bytes)
    except ValueError as error:
        raise NotUnderstood(str(error)) from error


def _object(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise NotUnderstood(f"{what} is to be an object, and is {_kind(value)}")
    return cast("dict[str, Any]", value)


def _list(value: Any, what: str) -> list[Any]:
    if not isinstance(value, list):
        raise NotUnderstood(f"{what} is to be a list, and is {_kind(value)}")
    return cast("list[Any]", value)


def _text(value: Any, what: str) -> str:
    if not isinstance(value, str):
        raise NotUnderstood(f"{what} is to be a text, and is {_kind(value)}")
    return value


def _whole(value: Any, what: str, most: int = 2**63) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most:
        raise NotUnderstood(f"{what} is to be a whole number from 0 to {most}, and is {str(value)[:40]!r}")
    return value


def _kind(value: Any) -> str:
    return "missing" if value is None else f"of type {type(value).__name__}"
