"""Stepping into one of the twin's network namespaces and back."""

from __future__ import annotations

import ctypes
import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator

_CLONE_NEWNET = 0x40000000  # linux/sched.h


@contextmanager
def inside(namespace: str) -> Generator[None]:
    """Run the block, and the threads and processes that it starts, in a network namespace.

    Raises:
        FileNotFoundError: When the namespace does not exist.
        OSError: When the kernel refuses, for example without root.
    """
    own = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        target = os.open(Path("/run/netns") / namespace, os.O_RDONLY | os.O_CLOEXEC)
        try:
            _enter(target)
        finally:
            os.close(target)
        try:
            yield
        finally:
            _enter(own)
    finally:
        os.close(own)


def _enter(descriptor: int) -> None:
    """setns(2); Python has it only from 3.12 on."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(descriptor, _CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"setns: {os.strerror(number)}")
