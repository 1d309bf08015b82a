"""The processes of a run, found by what they inherited from it: the kernel's own word, which no crash loses."""

from __future__ import annotations

import ctypes
import os
import select
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_PR_SET_PDEATHSIG = 1
_KILLED_WITHIN_S = 10.0


class StillThere(Exception):
    """A process did not end after SIGKILL; the text says which."""


def die_with(parent: int) -> None:
    """Have the kernel kill this process as soon as its parent is gone, so that nothing acts on without its runner.

    Args:
        parent: Id of the process that is meant to be the parent; when it is gone already, this one ends at once.

    Raises:
        OSError: When the kernel refuses.
    """
    # prctl(2): the setting is lost on a change of credentials and kept over an exec; we do neither afterwards.
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def carrying(variables: Mapping[str, str]) -> list[int]:
    """Ids of the processes of this user, but for our own, that were started with all these environment variables."""
    wanted = [f"{name}={value}".encode() for name, value in variables.items()]
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            inherited = (entry / "environ").read_bytes().split(b"\0")
        except OSError:  # it has ended meanwhile, or is somebody else's
            continue
        if all(variable in inherited for variable in wanted):
            found.append(int(entry.name))
    return sorted(found)


def end(variables: Mapping[str, str], *, but: Iterable[int] = ()) -> list[int]:
    """Kill the processes that carry these variables, and what they start meanwhile; answers their ids.

    Raises:
        StillThere: When one is there 10 s after it was killed.
    """
    spared, killed = set(but), set[int]()
    give_up = time.monotonic() + _KILLED_WITHIN_S
    while left := [pid for pid in carrying(variables) if pid not in spared]:
        if time.monotonic() > give_up:
            raise StillThere(f"processes {left} did not end within {_KILLED_WITHIN_S:g} s after SIGKILL")
        for pid in left:
            kill(pid, give_up=give_up)
            killed.add(pid)
    return sorted(killed)


def kill(pid: int, *, give_up: float | None = None) -> None:
    """Kill one process and wait until the kernel says that it has ended; one that is gone already is fine.

    Args:
        pid: Its id.
        give_up: Until when to wait, on the monotonic clock; 10 s when left out.
    """
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        signal.pidfd_send_signal(handle, signal.SIGKILL)
        until = time.monotonic() + _KILLED_WITHIN_S if give_up is None else give_up
        select.select([handle], [], [], max(0.0, until - time.monotonic()))
    except ProcessLookupError:
        return
    finally:
        os.close(handle)
