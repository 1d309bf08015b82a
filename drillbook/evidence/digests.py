"""Digests of every file of a folder; whatever is no plain file is named and never followed."""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Mapping
    from pathlib import Path

_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK  # neither a link nor a pipe holds us up


@dataclass(frozen=True, slots=True)
class Inventory:
    """What a folder holds.

    Attributes:
        files: SHA-256 in hexadecimal by name; names are relative, with slashes.
        strange: Name to what is wrong with it: a link, a device, a name that cannot be written down.
        unreadable: Name to why it could not be read, so that nothing is known of it.
    """

    files: Mapping[str, str]
    strange: Mapping[str, str] = field(default_factory=dict[str, str])
    unreadable: Mapping[str, str] = field(default_factory=dict[str, str])


def of_folder(root: Path, *, without: Container[str] = ()) -> Inventory:
    """Digest everything below a folder.

    Args:
        root: The folder.
        without: Names to leave out; each is one file's, never a pattern.
    """
    files: dict[str, str] = {}
    strange: dict[str, str] = {}
    unreadable: dict[str, str] = {}
    for name in sorted(_names(root, unreadable)):
        if name in without:
            continue
        problem = _name_problem(name)
        if problem:
            strange[name] = problem
            continue
        try:
            digest = of_file(root / name)
        except OSError as error:
            unreadable[name] = error.strerror or str(error)
            continue
        if digest is None:
            strange[name] = "is a link, a pipe or a device, and no plain file"
        else:
            files[name] = digest
    return Inventory(files, strange, unreadable)


def of_file(path: Path) -> str | None:
    """SHA-256 of a plain file in hexadecimal; None when it is something else.

    Raises:
        OSError: When it cannot be read.
    """
    if not stat.S_ISREG(path.lstat().st_mode):
        return None
    with open(os.open(path, _FLAGS), "rb") as file:  # noqa: PTH123 - from a descriptor
        return hashlib.file_digest(file, "sha256").hexdigest()


def of_bytes(data: bytes) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def _names(root: Path, unreadable: dict[str, str]) -> Iterator[str]:
    """Everything below but folders; a link to a folder counts as a file, since it is not gone into."""

    def refused(error: OSError) -> None:
        unreadable[os.path.relpath(error.filename, root)] = error.strerror or str(error)

    for folder, folders, names in os.walk(root, onerror=refused):
        linked = [name for name in folders if os.path.islink(os.path.join(folder, name))]  # noqa: PTH114, PTH118
        for name in (*names, *linked):
            yield os.path.relpath(os.path.join(folder, name), root)  # noqa: PTH118


def _name_problem(name: str) -> str:
    """A signed list of names has to mean the same to every reader, to a shell's tools too."""
    if not name.isprintable() or '"' in name or "\\" in name:
        return "has a name with quotes, backslashes or characters that cannot be shown"
    return ""
