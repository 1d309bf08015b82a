"""Keeping the environment's lock while something is undone under it."""

from __future__ import annotations

import logging
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from drillbook.ports import LockLost, Unreachable

if TYPE_CHECKING:
    from collections.abc import Generator

    from drillbook.ports import Lock

RENEW_EVERY_S = 3.0

_log = logging.getLogger(__name__)


@contextmanager
def renewed(lock: Lock) -> Generator[None]:
    """Renew the lock in a thread of its own until the block is left.

    That it was lost is only told: whoever undoes something looks at the lock himself before every try.
    """
    ended = threading.Event()

    def renew() -> None:
        while not ended.wait(RENEW_EVERY_S):
            try:
                lock.renew()
            except LockLost as error:
                _log.warning("%s", error)
                return
            except Unreachable as error:
                _log.info("%s", error)

    thread = threading.Thread(target=renew, name="lock renewal", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
