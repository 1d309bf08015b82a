"""Copies a run's evidence to where it can be neither changed nor deleted."""

from __future__ import annotations

import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from drillbook.ports import Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable

    from drillbook.drivers.write_once import Kept, WriteOnceBucket

LIST = "SHA256SUMS"
"""Names every file with its digest, as `sha256sum --check` reads it. It comes last: without it a copy is not whole."""

DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Archived:
    """What was done.

    Attributes:
        prefix: Under which everything lies.
        files: How many.
        sent: How many of them were not there already.
        size: Bytes of all.
        sha256: Of the list, which stands for the whole copy.
        until_s: Until when all of it is locked at the least, in seconds since the epoch.
    """

    prefix: str
    files: int
    sent: int
    size: int
    sha256: str
    until_s: float


def archive(
    run: Path, bucket: WriteOnceBucket, until_s: float, *, prefix: str = "", progress: Callable[[str], None] = print
) -> Archived:
    """Copy a run's folder; asked again it goes on where it was broken off.

    Args:
        run: The folder.
        bucket: Where to.
        until_s: Until when it is to be locked, in seconds since the epoch.
        prefix: Of the keys, before the run's id.
        progress: Told each file that is sent.

    Raises:
        Unreachable: When not all of it lies there, locked; or there is nothing, or something that is no plain file.
    """
    bucket.check()
    files = _files(run)
    base = f"{prefix.strip('/')}/{run.name}".lstrip("/")
    kept: list[Kept] = []
    for path in files:
        name = path.relative_to(run).as_posix()
        kept.append(_keep(bucket, path, f"{base}/{name}", until_s, progress))
    lines = [f"{found.sha256}  {found.key.removeprefix(f'{base}/')}\n" for found in kept]
    with tempfile.TemporaryDirectory() as folder:
        listed = Path(folder) / LIST
        listed.write_text("".join(lines), encoding="utf-8")
        kept.append(_keep(bucket, listed, f"{base}/{LIST}", until_s, progress))
    return Archived(
        base, len(kept), sum(found.sent for found in kept), sum(found.size for found in kept),
        hashlib.sha256("".join(lines).encode()).hexdigest(), min(found.until_s for found in kept),
    )  # fmt: skip


def _keep(bucket: WriteOnceBucket, path: Path, key: str, until_s: float, progress: Callable[[str], None]) -> Kept:
    found = bucket.keep(path, key, until_s)
    if found.sent:
        progress(f"{key}: {found.size} bytes")
    return found


def _files(run: Path) -> list[Path]:
    """Everything in it, by name."""
    found: list[Path] = []
    for folder, names, files in os.walk(run):
        for name in [*names, *files]:
            path = Path(folder) / name
            if path.is_symlink() or not (path.is_file() or path.is_dir()):
                raise Unreachable(f"{path} is no plain file, which evidence is: nothing was copied")
        found += (Path(folder) / name for name in files)
    if not found:
        raise Unreachable(f"{run} holds no file: give the folder of a run")
    if any("\n" in str(path) or path.name == LIST for path in found):
        raise Unreachable(f"{run} has a file whose name no list can hold, or a {LIST} of its own: nothing was copied")
    return sorted(found)
