"""Who waited for whom while a migration ran, from looks at the server at a stated rate; pure.

A wait is known by the server's own clock to have lasted at least as long as it had when it was last seen, and less than
that plus the time to the next look. What began and ended between two looks was not seen: no wait is known more
precisely than the longest time between two looks.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from drillbook.domain.interval import Interval
from drillbook.domain.measurement import Measurement

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from drillbook.domain.measurement import Window

_SOURCE = "pg_locks"
_OURS = "drillbook"
"""How the names of the harness' own connections begin."""
_NAMED = 8
_MISSED = 5.0
"""Looks may be so many times further apart than they were to be, before what they saw is doubted."""


@dataclass(frozen=True, slots=True)
class Wait:
    """One backend that waits for a lock.

    Attributes:
        pid: Of the backend.
        since: When the wait began by the server's clock, as text: with `pid` it names the wait.
        application: The backend's name.
        waited_s: So far, by the server's clock.
        mode: Of the lock that is waited for.
        relation: What it is on; empty for other than relations.
        behind: Names of the backends that hold it or wait for it before this one.
    """

    pid: int
    since: str
    application: str
    waited_s: float
    mode: str
    relation: str
    behind: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Held:
    """One ACCESS EXCLUSIVE lock that is held on a table.

    Attributes:
        pid: Of the backend.
        application: Its name.
        relation: The table.
        transaction: Which of the server's transactions has it; empty in folders from before that was kept.
    """

    pid: int
    application: str
    relation: str
    transaction: str = ""


@dataclass(frozen=True, slots=True)
class Look:
    """One look at the server.

    Attributes:
        asked_s: Seconds since the epoch on the run's clock.
        answered_s: Likewise.
        waits: Everybody who waited.
        held: ACCESS EXCLUSIVE locks on tables.
        progress: Rows that a back-fill has gone over; None when there is none.
        names: Of everybody who was connected; empty in folders from before that was kept.
    """

    asked_s: float
    answered_s: float
    waits: tuple[Wait, ...] = ()
    held: tuple[Held, ...] = ()
    progress: int | None = None
    names: tuple[str, ...] = ()

    @property
    def connected(self) -> set[str]:
        """Names of those who certainly were connected: of all, or else of those who were met at a lock."""
        met = {name for wait in self.waits for name in (wait.application, *wait.behind)}
        return {*self.names, *met, *(held.application for held in self.held)}

    def document(self) -> dict[str, Any]:
        """As it is kept."""
        return asdict(self)

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Look:
        """As it was kept.

        Raises:
            KeyError, TypeError: When it is something else.
        """
        waits = tuple(_wait(one) for one in document["waits"])
        held = tuple(Held(**one) for one in document["held"])
        names = tuple(str(name) for name in document.get("names", ()))
        return cls(document["asked_s"], document["answered_s"], waits, held, document["progress"], names)


def _wait(document: Mapping[str, Any]) -> Wait:
    fields = dict(document)
    return Wait(behind=tuple(fields.pop("behind")), **fields)


@dataclass(frozen=True, slots=True)
class Watched:
    """A window in which somebody looked.

    Attributes:
        looks: In order; also those before and after the window.
        window: What is asked about.
        every_s: How often was to be looked.
    """

    looks: Sequence[Look]
    window: Window
    every_s: float

    @property
    def within(self) -> list[Look]:
        """The looks of the window."""
        return [look for look in self.looks if self.window.start_s <= look.asked_s <= self.window.end_s]


def longest_wait(watched: Watched, who: Callable[[Wait], bool], name: str) -> Measurement:
    """Seconds of the longest wait of some."""
    waits = _waits(watched.within, who)
    low = max((one.low for one in waits), default=0.0)
    high = max((_unseen_s(watched.within), *(one.high for one in waits)))
    return _measured(watched, name, Interval(low, high), "s")


def blocked(watched: Watched, behind: str, longer_than_s: float, name: str) -> Measurement:
    """Number of waits behind an application for longer than so many seconds."""
    waits = _waits(watched.within, lambda wait: wait.application != behind and behind in wait.behind)
    count = Interval(sum(one.low > longer_than_s for one in waits), sum(one.high > longer_than_s for one in waits))
    unseen_s = _unseen_s(watched.within)
    doubts = ()
    if unseen_s > longer_than_s:
        doubts = (f"waits of {longer_than_s:g} s went unseen: two looks were {unseen_s:.3f} s apart",)
    return _measured(watched, name, count, "requests", doubts)


def longest_exclusive(watched: Watched, by: str, name: str) -> Measurement:
    """Seconds for which an application held ACCESS EXCLUSIVE on a table without a break, at the longest.

    A lock ends with its transaction, so two looks that saw it in the same one saw no break. Where the transaction was
    not kept, each look may have seen another lock.
    """
    within, window = watched.within, watched.window
    low, high = 0.0, _unseen_s(within)
    began: dict[Held, tuple[float, float]] = {}
    for before, look in pairwise([Look(window.start_s, window.start_s), *within]):
        now = {held for held in look.held if held.application == by}
        for held in list(began):
            if held not in now:
                since = began.pop(held)
                high = max(high, look.answered_s - since[0])
        for held in now:
            # Taken after the last look that did not see it, and held at least from this one on.
            since = began.setdefault(held, (before.asked_s, look.answered_s))
            if held.transaction:
                low = max(low, look.asked_s - since[1])
    high = max((high, *(window.end_s - since[0] for since in began.values())))
    return _measured(watched, name, Interval(low, max(low, high)), "s")


def gone_over_again(watched: Watched, beyond: int) -> Measurement:
    """Rows that a back-fill says it went over more than once: by how much its progress ever fell.

    Args:
        watched: The looks.
        beyond: By how much its progress is beyond the rows that there are, which may have been deleted meanwhile.
    """
    rows = [look.progress for look in watched.within if look.progress is not None]
    doubts = () if len(rows) > 1 else ("nobody saw a back-fill make progress",)
    again = sum(max(0, one - other) for one, other in pairwise(rows))
    return _measured(watched, "rows gone over again", Interval(again, again + beyond), "rows", doubts)


def unknown(watched: Watched, application: str, key: str) -> tuple[str, ...]:
    """Why nobody can tell what an application did at locks: in the window none of its name was connected.

    Args:
        watched: The looks.
        application: Its name.
        key: Of the environment file, that says what it is called.
    """
    connected = {name for look in watched.within for name in look.connected}
    if application in connected or not watched.within:
        return ()
    others = sorted(name for name in connected if name and not name.startswith(_OURS))[:_NAMED]
    seen = f"those seen were called {', '.join(map(repr, others))}" if others else "nobody else's had a name"
    none = f"no connection was called {application!r} while the locks were looked at"
    return (f"{none}: say with {key} what the migration's are called; {seen}",)


@dataclass(frozen=True, slots=True)
class _Lasted:
    low: float
    high: float


def _waits(looks: Sequence[Look], who: Callable[[Wait], bool]) -> list[_Lasted]:
    """How long each wait lasted."""
    seen: dict[tuple[int, str], _Lasted] = {}
    for number, look in enumerate(looks):
        following = looks[number + 1].answered_s if number + 1 < len(looks) else float("inf")
        for wait in filter(who, look.waits):
            seen[wait.pid, wait.since] = _Lasted(wait.waited_s, wait.waited_s + following - look.asked_s)
    return list(seen.values())


def _unseen_s(looks: Sequence[Look]) -> float:
    return max((other.answered_s - one.asked_s for one, other in pairwise(looks)), default=float("inf"))


def _measured(watched: Watched, name: str, interval: Interval, unit: str, doubts: tuple[str, ...] = ()) -> Measurement:
    """With doubts where nobody looked: at the edges, or for long in between."""
    looks, window = watched.within, watched.window
    if not looks:
        doubts = (*doubts, "nobody looked at the server's locks")
    else:
        edges_s = looks[0].asked_s - window.start_s, window.end_s - looks[-1].answered_s
        gap_s = max((*edges_s, *(other.asked_s - one.answered_s for one, other in pairwise(looks))))
        if gap_s > _MISSED * watched.every_s:
            looked = f"every {watched.every_s:g} s was meant"
            doubts = (*doubts, f"nobody looked at the server's locks for {gap_s:.2f} s; {looked}")
    return Measurement(name, None if doubts else interval, unit, len(looks), window, _SOURCE, doubts)
