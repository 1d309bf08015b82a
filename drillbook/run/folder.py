"""A run's folder: the only thing that reports and later judgements are made from."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import math
import os
import secrets
import time
from collections.abc import Generator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

from drillbook.domain.titles import slug
from drillbook.run import redaction

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from drillbook.domain.verdict import Judgement

FOLDER_VARIABLE = "DRILLBOOK_RUN"
DRILL_VARIABLE = "DRILLBOOK_DRILL"
ENVIRONMENT = "environment.yaml"
"""The environment's file, as it was when the run began."""

_ALONE_WITHIN_S = 10.0


class FolderError(Exception):
    """Evidence could not be written; the text says where and what to do."""


@dataclass(frozen=True, slots=True)
class RunFolder:
    """Paths of one run and the ways to write there.

    Attributes:
        path: `reports/runs/<run id>`.
    """

    path: Path

    @classmethod
    def create(cls, parent: Path, environment: str, started_s: float) -> RunFolder:
        """Make the folder of a new run.

        Raises:
            FolderError: When it cannot be made.
        """
        stamp = datetime.fromtimestamp(started_s, UTC).strftime("%Y%m%dT%H%M%SZ")
        path = parent.resolve() / f"{stamp}-{slug(environment)}-{secrets.token_hex(2)}"
        try:
            (path / "drills").mkdir(parents=True)
            for folder in (path, parent):
                _sync(folder)
        except OSError as error:
            raise _unwritable(path, error) from error
        return cls(path)

    @property
    def run_id(self) -> str:
        """The run's id: the folder's name."""
        return self.path.name

    def drill(self, drill_id: str) -> Path:
        """Folder of one drill; its id is made safe, so that no name climbs out."""
        path = self.path / "drills" / slug(drill_id)
        try:
            for part in ("load", "queries"):
                (path / part).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _unwritable(path, error) from error
        return path

    def write_run(self, document: Mapping[str, Any]) -> None:
        """Replace `run.json`."""
        write_json(self.path / "run.json", document)

    def read_run(self) -> dict[str, Any]:
        """What `run.json` holds; empty when there is none."""
        path = self.path / "run.json"
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        return document

    def record_check(self, drill: str, judgement: Judgement) -> None:
        """Append a judgement to `checks.jsonl`."""
        append_line(self.path / "checks.jsonl", {"drill": drill, **asdict(judgement)})


def write_json(path: Path, document: Mapping[str, Any]) -> None:
    """Replace a file as a whole with a JSON document.

    Raises:
        FolderError: When the disk is full or the folder cannot be written.
    """
    write_text(path, to_json(document, indent=2) + "\n")


def write_text(path: Path, text: str) -> None:
    """Replace a file as a whole: readers see the old one or the new one.

    Raises:
        FolderError: When the disk is full or the folder cannot be written.
    """
    pending = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        with pending.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        pending.replace(path)
        _sync(path.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            pending.unlink(missing_ok=True)
        raise _unwritable(path, error) from error


def append_line(path: Path, document: Mapping[str, Any], *, durable: bool = False) -> None:
    """Append one JSON line in a single write, so that several processes can append to one file.

    Args:
        path: The file; made when missing.
        document: JSON-compatible; infinities become strings, NaN becomes null.
        durable: Whether to return only once the line is on the disk.

    Raises:
        FolderError: When the disk is full or the folder cannot be written.
    """
    line = (to_json(document) + "\n").encode()
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        try:
            written = os.write(descriptor, line)
            if written != len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            if durable:
                os.fsync(descriptor)
                if os.fstat(descriptor).st_size == len(line):
                    _sync(path.parent)  # the file is new, and its name is to survive as well
        finally:
            os.close(descriptor)
    except OSError as error:
        raise _unwritable(path, error) from error


@contextlib.contextmanager
def alone(path: Path) -> Generator[None]:
    """Keep other threads and processes out of such a block over the same file.

    Raises:
        FolderError: When somebody stays inside for longer than 10 s, or the folder cannot be written.
    """
    give_up = time.monotonic() + _ALONE_WITHIN_S
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise _unwritable(path, error) from error
    try:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if time.monotonic() > give_up:
                    raise FolderError(
                        f"{path} has been locked by another process for {_ALONE_WITHIN_S:g} s: end that process, and "
                        "run again"
                    ) from error
                time.sleep(0.01)
        yield
    finally:
        os.close(descriptor)


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The JSON lines of a file; a torn last line, which a crash leaves, is passed over.

    Raises:
        FolderError: When another line is no JSON object; names it.
    """
    found, damaged = read_what_is_whole(path)
    if damaged:
        raise FolderError(f"{path}, line {damaged[0]}, is not a JSON object: the file was damaged after it was written")
    return found


def read_what_is_whole(path: Path) -> tuple[list[dict[str, Any]], list[int]]:
    """The JSON lines of a file, and the numbers of those, but for a torn last one, that are none."""
    if not path.is_file():
        return [], []
    *lines, unended = path.read_text(encoding="utf-8", errors="replace").split("\n")
    found: list[dict[str, Any]] = []
    damaged: list[int] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        document = _object(line)
        if document is None:
            damaged.append(number)
        else:
            found.append(document)
    # Torn behind an inner brace it ends with an object, too, which is only a part of what was to be written.
    whole = _parsed(unended)
    return (found if whole is None else [*found, whole]), damaged


def _object(line: str) -> dict[str, Any] | None:
    """The JSON object that a line ends with: before it may stand a torn one, which it was appended to."""
    start = line.find("{")
    while start >= 0:
        document = _parsed(line[start:])
        if document is not None:
            return document
        start = line.find("{", start + 1)
    return None


def _parsed(text: str) -> dict[str, Any] | None:
    try:
        document: object = json.loads(text)
    except ValueError:
        return None
    return cast("dict[str, Any]", document) if isinstance(document, dict) else None


def to_json(document: object, *, indent: int | None = None) -> str:
    """JSON without secrets, and without NaN and infinities, which other readers refuse."""
    plain = redaction.document(_plain(document))
    return json.dumps(plain, indent=indent, ensure_ascii=False, allow_nan=False, default=_shown)


def _shown(value: object) -> str:
    return redaction.text(str(value))


def _plain(value: object) -> object:
    if isinstance(value, float):
        if math.isnan(value):
            return None
        return value if math.isfinite(value) else ("inf" if value > 0 else "-inf")
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in cast("Mapping[object, object]", value).items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in cast("Iterable[object]", value)]
    return value


def _sync(folder: Path) -> None:
    """Bring a folder's names to the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _unwritable(path: Path, error: OSError) -> FolderError:
    if error.errno == errno.ENOSPC:
        return FolderError(f"the disk of {path.parent} is full: free some space and run again; nothing was judged")
    return FolderError(f"{path} cannot be written ({error.strerror}): check its folder's owner and mode")
