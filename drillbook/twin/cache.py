"""What the twin builds is kept by content: the same inputs are built once, and nothing half-built is ever used.

The cache is `/var/cache/drillbook`; the environment variable `DRILLBOOK_CACHE` moves it. An entry is a directory that
appears whole, by a rename, and is not changed afterwards.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from drillbook.twin.errors import TwinError

if TYPE_CHECKING:
    from collections.abc import Generator

Progress = Callable[[str], None]
"""Gets a line for a person to read."""

Inputs = Mapping[str, str]
"""All that decides what a build yields, by name."""

_BUILD_DEADLINE_S = 45 * 60.0
_KEY_LENGTH = 32
_POLL_S = 0.2
_KEPT_UNUSED_S = 14 * 86400.0
_KEPT_PER_NAME = 2
_CACHE_IS_TO_BLAME = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO)


class CacheError(TwinError):
    """Something could not be put into the cache or had of it; the text says what and what to do."""


def silent(_line: str) -> None:
    """Progress that nobody reads."""


def content_key(inputs: Inputs) -> str:
    """SHA-256 over all inputs, as 64 hex digits."""
    return hashlib.sha256(json.dumps(dict(inputs), sort_keys=True).encode()).hexdigest()


def tree_digest(directory: Path, *, suffixes: tuple[str, ...] = ()) -> str:
    """SHA-256 over the names and contents of a directory's files, as 64 hex digits.

    Compiled Python is left out; `suffixes`, when given, chooses which files count.
    """
    digest = hashlib.sha256()
    for path in sorted(p for p in directory.rglob("*") if p.is_file() and "__pycache__" not in p.parts):
        if not suffixes or path.suffix in suffixes:
            digest.update(f"{path.relative_to(directory)}\0{file_digest(path)}\n".encode())
    return digest.hexdigest()


def file_digest(path: Path) -> str:
    """SHA-256 of a file's content, as 64 hex digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@dataclass(frozen=True, slots=True)
class Cache:
    """A directory of finished builds.

    Attributes:
        root: The directory; made when missing.
        wait_s: How long to wait for another process that is building the same entry, in seconds.
    """

    root: Path = field(default_factory=lambda: Path(os.environ.get("DRILLBOOK_CACHE") or "/var/cache/drillbook"))
    wait_s: float = _BUILD_DEADLINE_S

    def find(self, name: str, inputs: Inputs) -> Path | None:
        """The entry, or None when it was never built."""
        entry = self._entry(name, inputs)
        return entry if entry.is_dir() else None

    def has_any(self, name: str) -> bool:
        """Whether there is an entry of that name, of whichever inputs."""
        return any((self.root / "entries").glob(f"{name}-{'[0-9a-f]' * _KEY_LENGTH}"))

    def obtain(self, name: str, inputs: Inputs, build: Callable[[Path], None], *, progress: Progress = silent) -> Path:
        """The entry; built when it is not there.

        Args:
            name: For people, and to know the older entries that a new one replaces.
            inputs: All that decides the content.
            build: Fills the empty directory that it is given.
            progress: Is told what is built, for how long it was waited, and how long it took.

        Raises:
            CacheError: When the cache cannot be written, or another process builds it for longer than `wait_s`.
        """
        entry = self._entry(name, inputs)
        if entry.is_dir():
            os.utime(entry)
            return entry
        with self._building(entry.name, progress):
            if entry.is_dir():
                return entry
            started_s = time.monotonic()
            pending = self.root / "pending" / entry.name
            try:
                _discard(pending)
                pending.mkdir(parents=True)
                build(pending)
                _settle(pending)
                entry.parent.mkdir(parents=True, exist_ok=True)
                pending.rename(entry)
                _settle(entry.parent)
            except OSError as error:
                if error.errno not in _CACHE_IS_TO_BLAME:
                    raise
                message = (
                    f"{name} could not be put into the cache {self.root}: {error}. "
                    "Free some space there, or set DRILLBOOK_CACHE to a directory that can be written."
                )
                raise CacheError(message) from error
            finally:
                _discard(pending)
            progress(f"{name}: built in {time.monotonic() - started_s:.1f} s")
        self._forget_older(name, entry)
        return entry

    def _entry(self, name: str, inputs: Inputs) -> Path:
        return self.root / "entries" / f"{name}-{content_key(inputs)[:_KEY_LENGTH]}"

    @contextmanager
    def _building(self, name: str, progress: Progress) -> Generator[None]:
        """Only one process builds an entry; the kernel drops the lock of one that dies."""
        path = self.root / "locks" / f"{name}.lock"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            lock = path.open("a+")
        except OSError as error:
            message = (
                f"the cache {self.root} cannot be written: {error.strerror}. "
                "Run as root, or set DRILLBOOK_CACHE to a directory of your own."
            )
            raise CacheError(message) from error
        with lock:
            deadline_s = time.monotonic() + self.wait_s
            told = False
            while not _locked(lock.fileno()):
                lock.seek(0)
                holder = lock.read().strip() or "another process"
                if time.monotonic() > deadline_s:
                    message = (
                        f"waited {self.wait_s:.0f} s for {holder}, which is building {name}; "
                        "see what it does, or end it, and run this again."
                    )
                    raise CacheError(message)
                if not told:
                    progress(f"{name}: waiting for {holder}, which is building it (at most {self.wait_s:.0f} s)")
                    told = True
                time.sleep(_POLL_S)
            lock.truncate(0)
            lock.write(f"process {os.getpid()}")
            lock.flush()
            yield

    def _forget_older(self, name: str, newest: Path) -> None:
        """Drop entries of the same name that nobody has asked for in a fortnight."""
        older = [e for e in newest.parent.glob(f"{name}-*") if len(e.name) == len(name) + 1 + _KEY_LENGTH]
        by_use = sorted(older, key=lambda e: e.stat().st_mtime, reverse=True)
        for entry in by_use[_KEPT_PER_NAME:]:
            if time.time() - entry.stat().st_mtime > _KEPT_UNUSED_S:
                _discard(entry)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _settle(path: Path) -> None:
    """Bring everything on `path`'s file system to the disk: one call instead of one for each of thousands of files."""
    try:
        subprocess.run(["sync", "--file-system", str(path)], check=True, capture_output=True, timeout=300)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        raise OSError(errno.EIO, f"sync of {path} failed: {error}") from error


def _discard(directory: Path) -> None:
    """Delete a directory; read-only ones inside it, as Go's module cache makes them, too."""
    if not directory.exists():
        return
    for path, _, _ in os.walk(directory):
        Path(path).chmod(0o700)
    shutil.rmtree(directory)
