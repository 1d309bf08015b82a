"""Sessions that both regions are asked about all the time; their tokens are kept in memory alone."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import gevent
from gevent.pool import Pool

from drillbook.domain.crossing import Asked, Kind, Seen
from loadtests.reading import read

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gevent.event import Event

    from loadtests.crossing.regions import Regions
    from loadtests.workload import SessionWorkload

OF_EACH_REGION = 10
"""Sessions that each region opens."""

_LAST_S = 7200.0
"""Longer than any drill."""
_SHORT_S = 0.5
_OPENS_WITHIN_S = 30.0
_ANSWERS_WITHIN_S = 60.0
"""At the end, for all of them: a region's pods may have just begun."""
_RATE_HZ = 10.0
_AT_ONCE = 4


class CannotOpen(Exception):
    """A region opened no session; the text says which."""


@dataclass(frozen=True, slots=True)
class _Session:
    name: str
    kind: Kind
    opened: str
    user: str
    token: str


class Sessions:
    """Those that are open, one that was forged of each region's, and one of each whose time is over."""

    def __init__(self, regions: Regions, workload: SessionWorkload) -> None:
        """Opens none yet."""
        self._regions, self._workload = regions, workload
        self._known: list[_Session] = []

    def open(self) -> None:
        """Open them; returns once the short ones are over.

        Raises:
            CannotOpen: When a region opens none within half a minute.
        """
        for region in self._regions.names:
            for number in range(OF_EACH_REGION):
                self._known.append(self._opened(f"{region}-{number}", "good", region, _LAST_S))
            good = self._known[-1]
            forged = self._workload.forged(good.token)
            self._known.append(_Session(f"{region}-forged", "forged", region, good.user, forged))
            self._known.append(self._opened(f"{region}-over", "over", region, _SHORT_S))
        gevent.sleep(2 * _SHORT_S)

    def ask_until(self, stop: Event) -> None:
        """Ask both regions about one after the other."""
        asking = Pool(int(_RATE_HZ * self._regions.plan.metering.timeout_s))
        for session, region in itertools.cycle(self._questions()):
            # With Event.wait and a time-out in two greenlets, one in 70 endings was seen to be missed for ever.
            gevent.sleep(1 / _RATE_HZ)
            if stop.is_set():
                break
            asking.spawn(self._ask, session, region)
        asking.join(timeout=self._regions.given_up_after_s)

    def ask_each_once_more(self) -> None:
        """Ask both regions about each until it is answered, or a minute is over."""
        asking = Pool(_AT_ONCE)
        for session, region in self._questions():
            asking.spawn(self._ask_until_answered, session, region)
        asking.join(timeout=_ANSWERS_WITHIN_S)

    def _questions(self) -> Iterator[tuple[_Session, str]]:
        return itertools.product(self._known, self._regions.names)

    def _opened(self, name: str, kind: Kind, region: str, lasts_s: float) -> _Session:
        user, tokens, said = f"{self._regions.plan.namespace}-{name}", list[str](), ""

        def opened() -> bool:
            nonlocal said
            exchange = self._regions.ask(region, self._workload.open_session(user, lasts_s))
            reply = exchange.reply
            said = exchange.error if reply is None else f"status {reply.status}"
            # Whoever opened it counts, and not only whose gateway was asked.
            if reply is not None and self._workload.origin(reply).region == region:
                tokens.extend(filter(None, [self._workload.token(reply)]))
            return bool(tokens)

        if not self._regions.until(opened, within_s=_OPENS_WITHIN_S):
            raise CannotOpen(
                f"{region} opened no session within {_OPENS_WITHIN_S:g} s, the last try ended with {said}; see that "
                "its pods are ready, and have sessions"
            )
        return _Session(name, kind, region, user, tokens[0])

    def _ask_until_answered(self, session: _Session, region: str) -> None:
        self._regions.until(lambda: self._ask(session, region) != "unanswered", within_s=_ANSWERS_WITHIN_S)

    def _ask(self, session: _Session, region: str) -> Seen:
        exchange = self._regions.ask(region, self._workload.ask_session(session.token))
        seen: Seen = "unanswered"
        by = ""
        if (reply := exchange.reply) is not None:
            by, _ = read(lambda: self._workload.origin(reply).region, "")
            honoured, _ = read(lambda: self._workload.honours(session.user, reply), None)
            if honoured is not None:
                seen = "honoured" if honoured else "refused"
        self._regions.tell(
            "sessions",
            Asked(session.name, session.kind, session.opened, region, exchange.sent_s, exchange.done_s, seen, by),
        )
        return seen
