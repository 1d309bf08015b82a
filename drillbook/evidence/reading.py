"""Reading files that may be missing, torn, huge or hostile: what can be read is, and what cannot becomes a note."""

from __future__ import annotations

import hashlib
import json
import math
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from drillbook.evidence.record import Note, RawFile

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

LARGEST_DOCUMENT = 64 * 1024 * 1024
"""Bytes of JSON or text that are read of one file; load is in Parquet and has no such limit."""

RENDERED = frozenset({"report.html", "report.pdf", "junit.xml", "allure", "oscal"})
"""Files and folders that are made from the rest, at any time again, and are no evidence themselves."""

SIGNATURES = frozenset({"evidence.dsse.json", "timestamp.dsse.json", "release.dsse.json"})
"""Written about all the others, after them; a report that is made again later has to be the same."""

_GROWING = frozenset({"console.log"})
"""Written to for as long as the run's process lives, which may be longer than the rendering."""


@dataclass(slots=True)
class Reader:
    """Reads inside one folder and collects what it could not read.

    Attributes:
        root: The run's folder.
        notes: What was wrong, in the order in which it was met.
    """

    root: Path
    notes: list[Note] = field(default_factory=list[Note])

    def note(self, where: str, text: str, *, withholds: bool = True) -> None:
        """Remember something about the evidence."""
        self.notes.append(Note(where, text, withholds))

    def taken(self) -> tuple[Note, ...]:
        """The notes so far, which are then somebody's."""
        found = tuple(self.notes)
        self.notes.clear()
        return found

    def is_file(self, name: str) -> bool:
        """Whether it is a regular file inside the folder, reached through no link."""
        path = self._inside(name)
        return path is not None and path.is_file()

    def is_folder(self, name: str) -> bool:
        """Likewise for a folder."""
        path = self._inside(name)
        return path is not None and path.is_dir()

    def text(self, name: str, *, needed: bool = True) -> str | None:
        """A file as text; None, with a note where it is needed, when there is none."""
        data = self._bytes(name, needed=needed)
        return None if data is None else data.decode("utf-8", errors="backslashreplace")

    def document(self, name: str, *, needed: bool = True) -> dict[str, Any] | None:
        """A file as a JSON object; None, with a note, when it is none."""
        text = self.text(name, needed=needed)
        if text is None:
            return None
        parsed = _parsed(text)
        if isinstance(parsed, dict):
            return cast("dict[str, Any]", parsed)
        self.note(name, "is not a JSON object: damaged, or written by something else")
        return None

    def lines(self, name: str, *, needed: bool = True) -> list[tuple[int, dict[str, Any]]]:
        """The JSON objects of a file of lines with their line numbers; one note tells of all lines that are none."""
        text = self.text(name, needed=needed)
        found: list[tuple[int, dict[str, Any]]] = []
        torn: list[int] = []
        for number, line in enumerate((text or "").split("\n"), start=1):
            if not line.strip():
                continue
            parsed = _parsed(line)
            if isinstance(parsed, dict):
                found.append((number, cast("dict[str, Any]", parsed)))
            else:
                torn.append(number)
        if torn:
            where = ", ".join(map(str, torn[:5])) + (" and more" if len(torn) > 5 else "")  # noqa: PLR2004
            self.note(name, f"cannot be read in line {where}; what stood there is not in this report")
        return found

    def files(self) -> tuple[RawFile, ...]:
        """Every file of the folder but the reports themselves, by name, with its digest."""
        return tuple(sorted(self._walk(), key=lambda file: file.path))

    def _inside(self, name: str) -> Path | None:
        """The path of something that is there, and whose name neither climbs out nor goes through a link."""
        path = self.root
        try:
            for part in name.split("/"):
                path /= part
                if part in {"", ".", ".."} or path.is_symlink():
                    return None
            return path if path.exists() else None
        except (OSError, ValueError):
            return None

    def _walk(self) -> Iterator[RawFile]:
        for folder, folders, names in os.walk(self.root):
            folders.sort()
            for name in sorted(names):
                full = os.path.join(folder, name)  # noqa: PTH118 -- os.walk's own kind of path
                path = os.path.relpath(full, self.root).replace(os.sep, "/")
                if path.split("/", 1)[0] in RENDERED or path in SIGNATURES or name.endswith(".new"):
                    continue
                if not self.is_file(path):
                    self.note(path, "is a link or a device and was not read", withholds=False)
                    continue
                size = os.stat(full).st_size  # noqa: PTH116
                yield RawFile(path, size, "" if path in _GROWING else self._digest(path))

    def _digest(self, name: str) -> str:
        try:
            with (self.root / name).open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            self.note(name, f"cannot be read: {error.strerror}")
            return ""

    def _bytes(self, name: str, *, needed: bool) -> bytes | None:
        if not self.is_file(name):
            if needed:
                self.note(name, "is missing, or is not a regular file inside the run's folder")
            return None
        try:
            with (self.root / name).open("rb") as file:
                data = file.read(LARGEST_DOCUMENT + 1)
        except OSError as error:
            self.note(name, f"cannot be read: {error.strerror}")
            return None
        if len(data) > LARGEST_DOCUMENT:
            self.note(name, f"is larger than {LARGEST_DOCUMENT // 1024 // 1024} MiB and was not read")
            return None
        return data


def replace(path: Path, data: bytes) -> Path:
    """Write a file as a whole; what was there, a link too, is replaced and not written through."""
    pending = path.with_name(f".{path.name}.new")
    pending.unlink(missing_ok=True)
    try:
        with pending.open("xb") as file:
            file.write(data)
        pending.replace(path)
    except OSError:
        pending.unlink(missing_ok=True)
        raise
    return path


def text_of(value: object, *, limit: int = 4000) -> str:
    """A JSON value as text of limited length."""
    if value is None:
        return ""
    text = value if isinstance(value, str) else _dumped(value)
    return text if len(text) <= limit else f"{text[:limit]} … ({len(text)} characters in all)"


def number_of(value: object) -> float | None:
    """A JSON value as a finite number; None when it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def bound_of(value: object) -> float:
    """Likewise with infinities, which stand as strings.

    Raises:
        ValueError: When it is no number.
    """
    if isinstance(value, str) and value in {"inf", "-inf"}:
        return float(value)
    number = number_of(value)
    if number is None:
        raise ValueError(f"{text_of(value, limit=40)!r} where a number belongs")
    return number


def texts_of(value: object) -> tuple[str, ...]:
    """A JSON list as texts; empty when it is no list."""
    return tuple(text_of(item) for item in cast("list[object]", value)) if isinstance(value, list) else ()


def items_of(value: object) -> list[dict[str, Any]]:
    """The objects of a JSON list; empty when it is no list."""
    items = cast("list[object]", value) if isinstance(value, list) else []
    return [cast("dict[str, Any]", item) for item in items if isinstance(item, dict)]


def mapping_of(value: object) -> Mapping[str, Any]:
    """A JSON object; empty when it is none."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _parsed(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _dumped(value: object) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, sort_keys=True)
    except (ValueError, RecursionError):
        return "(nested too deeply to be shown)"
