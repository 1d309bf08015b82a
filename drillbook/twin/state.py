"""Whose twin this machine carries: one at a time, taken over only knowingly."""

from __future__ import annotations

import fcntl
import json
import os
import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from drillbook.twin.errors import TwinError
from drillbook.twin.layout import ProfileName, state_directory

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

_LOCK = Path("/run/drillbook-twin.lock")


class TwinBusy(TwinError):
    """Another process is bringing the twin up or down."""


@dataclass(frozen=True, slots=True)
class Ownership:
    """Who brought the twin up.

    Attributes:
        checkout: Root of the checkout whose twin it is.
        profile: Which regions it has.
        complete: Whether every part came up; False after a crash half-way.
        up_at_s: Seconds since the epoch when it was complete; 0 before.
    """

    checkout: str
    profile: ProfileName
    complete: bool
    up_at_s: float = 0.0


def checkout() -> str:
    """Root of this checkout."""
    return str(Path(__file__).resolve().parents[2])


def read() -> Ownership | None:
    """Whose twin is here, or None; a file that cannot be read counts as a twin of nobody's."""
    path = _path()
    if not path.is_file():
        return None
    try:
        return Ownership(**json.loads(path.read_text()))
    except (json.JSONDecodeError, TypeError):
        return Ownership(checkout="(unknown)", profile="staging", complete=False)


def write(ownership: Ownership) -> None:
    """Record it; the file is replaced whole."""
    path = _path()
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
    pending = path.with_suffix(".new")
    pending.write_text(json.dumps(asdict(ownership), indent=2) + "\n")
    pending.replace(path)


def write_private(path: Path, text: str) -> None:
    """Keep a secret of the twin's: replaced whole, on disk when this returns, and readable by its owner only."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    pending = path.with_suffix(".new")
    with os.fdopen(os.open(pending, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    pending.replace(path)


@contextmanager
def exclusively(*, deadline_s: float, progress: Callable[[str], None]) -> Generator[None]:
    """One `twin up` or `twin down` at a time on this machine.

    Raises:
        TwinBusy: When another one still runs at the deadline.
    """
    descriptor = os.open(_LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        deadline = time.monotonic() + deadline_s
        told = False
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as held:
                who = os.pread(descriptor, 200, 0).decode(errors="replace") or "another process"
                if time.monotonic() > deadline:
                    msg = f"{who} is still working on the twin after {deadline_s:.0f} s; wait for it or end it"
                    raise TwinBusy(msg) from held
                if not told:
                    progress(f"waiting for {who}")
                    told = True
                time.sleep(0.2)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"process {os.getpid()} of {checkout()}".encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _path() -> Path:
    return state_directory() / "twin.json"
