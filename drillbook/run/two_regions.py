"""The lock and the undo journal of an environment that may lose the region which otherwise keeps them: decision 0025.

Every run and every recovery takes the lock in both regions, in the same order. What it goes by is that of the region
which it cannot lose, its keeper; the other keeps out whoever knows of that one alone, as far as it can be reached.
"""

from __future__ import annotations

import contextlib
import logging
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from drillbook.ports import LockHeld, Unreachable
from drillbook.run.renewal import renewed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from drillbook.ports import Holder, Lock, StateStore

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class BothLocks:
    """One lock in two regions.

    Attributes:
        home: That of the primary region, taken first.
        witness: That of the other region.
        kept_by: The other region's name where the run goes by its lock; empty where it goes by that of the primary one.
    """

    home: Lock
    witness: Lock
    kept_by: str
    _identity: str = ""
    _both: bool = False

    @property
    def keeper(self) -> Lock:
        """The one that the run goes by."""
        return self.witness if self.kept_by else self.home

    @property
    def other(self) -> Lock:
        """The one that may be away."""
        return self.home if self.kept_by else self.witness

    def acquire(self, identity: str, *, wait_s: float) -> Holder:
        """Take both; the one that is not gone by may be away.

        Raises:
            LockHeld: When someone else holds one of them for longer than `wait_s`; then none is kept.
            Unreachable: When the keeper does not answer; likewise.
        """
        taken: list[tuple[Lock, Holder]] = []
        try:
            with contextlib.ExitStack() as meanwhile:
                for lock in (self.home, self.witness):
                    holder = self._take(lock, identity, wait_s)
                    if holder is not None:
                        taken.append((lock, holder))
                        # To wait for the second may take longer than the first lasts.
                        meanwhile.enter_context(renewed(lock))
        except (LockHeld, Unreachable):
            for lock, _ in taken:
                with contextlib.suppress(Unreachable):
                    lock.release()
            raise
        self._identity, self._both = identity, len(taken) > 1
        return replace(next(holder for lock, holder in taken if lock is self.keeper), kept_by=self.kept_by)

    def adopt(self, holder: Holder) -> None:
        """Go on with the keeper's; the other's is found by its holder's identity once it is needed."""
        self.keeper.adopt(holder)
        self._identity, self._both = holder.identity, False

    def check(self) -> None:
        """See that the keeper's is ours: nobody who knows of both is inside beside us then.

        Raises:
            LockLost: When it is not.
            Unreachable: When that cannot be seen.
        """
        self.keeper.check()

    def renew(self) -> None:
        """Extend both; the other may be away.

        Raises:
            LockLost: When one of them is someone else's.
            Unreachable: When the keeper does not answer.
        """
        self.keeper.renew()
        try:
            if self._has_other():
                self.other.renew()
        except Unreachable as error:
            _log.info("the lock is renewed in one of two regions: %s", error)

    def release(self) -> None:
        """Give both back; the other's, where it is away, lapses."""
        with contextlib.suppress(Unreachable):
            if self._has_other():
                self.other.release()
        self._both = False
        self.keeper.release()

    def holder(self) -> Holder | None:
        """Who holds the keeper's."""
        return self.keeper.holder()

    def _take(self, lock: Lock, identity: str, wait_s: float) -> Holder | None:
        try:
            return lock.acquire(identity, wait_s=wait_s)
        except Unreachable:
            if lock is self.keeper:
                raise
            return None

    def _has_other(self) -> bool:
        """Whether the other is held by this run, maybe by another of its processes."""
        if not self._both and self._identity:
            found = self.other.holder()
            if found is not None and found.identity == self._identity:
                self.other.adopt(found)
                self._both = True
        return self._both


@dataclass(frozen=True, slots=True)
class BothStores:
    """The documents of two regions, each where it was put first.

    Attributes:
        keeper: Where new ones are put.
        other: What runs of another kind have put into the other region.
    """

    keeper: StateStore
    other: StateStore
    _places: dict[str, StateStore] = field(default_factory=dict[str, "StateStore"])

    def put(self, name: str, document: Mapping[str, Any]) -> None:
        """Create or replace."""
        self._place(name).put(name, document)

    def get(self, name: str) -> dict[str, Any] | None:
        """The document, or None."""
        return self._place(name).get(name)

    def delete(self, name: str) -> None:
        """Idempotent."""
        self._place(name).delete(name)

    def names(self, prefix: str = "") -> list[str]:
        """All names with a prefix, sorted.

        While one region is away, what the other holds is an answer, since to undo that may be what brings it back; that
        the other holds nothing is none.

        Raises:
            Unreachable: When nobody can tell whether there is any.
        """
        away: list[Unreachable] = []
        found: dict[str, StateStore] = {}
        for store in (self.other, self.keeper):
            try:
                found.update(dict.fromkeys(store.names(prefix), store))
            except Unreachable as error:
                away.append(error)
        if away and not found:
            raise away[0]
        self._places.update(found)
        return sorted(found)

    def _place(self, name: str) -> StateStore:
        return self._places.get(name, self.keeper)
