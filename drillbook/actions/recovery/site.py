"""The two regions' databases, and what several actions do with them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from drillbook.ports import Conflict, Observation, Refused, Unreachable
from drillbook.run.action import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from drillbook.ports import Clock, Database, DatabaseHost, DatabaseStatus

KEPT_FROM_STARTING = ("does not start", "REFUSED:", "FENCED: ordered not to start")
STARTING = "Starting."
"""What the server's start says, `postgres-start.sh` of the platform's chart: it waits, it ends, it begins."""

TOUCHES = ("database",)
"""Both servers are one thing: no change to the one is undone while a later one to the other is not."""


@dataclass(frozen=True, slots=True)
class Site:
    """One region's database.

    Attributes:
        region: Name.
        database: Its server.
        host: What starts and stops it.
    """

    region: str
    database: Database
    host: DatabaseHost

    def look(self) -> DatabaseStatus | None:
        """What the server is; None when it does not answer.

        Raises:
            Refused: When it is up and lets nobody in: it may be the one that users write to, and is not taken for lost.
        """
        try:
            return self.database.status()
        except Refused:
            raise
        except Unreachable:
            return None

    def said(self) -> str:
        """The same in words."""
        try:
            found = self.look()
        except Refused as refused:
            return f"the database in {self.region} lets nobody in ({refused})"
        if found is None:
            return f"the database in {self.region} does not answer"
        kind = "is the primary" if found.primary else "is a standby"
        streams = "" if found.primary else (" and streams" if found.receiving else " and receives nothing")
        return f"the database in {self.region} {kind} on timeline {found.timeline}{streams}"


def reach(holds: Callable[[], bool], what: str, clock: Clock, *, deadline_s: float) -> None:
    """Wait for a step on the way.

    Raises:
        Unreachable: When it does not come about in time.
    """
    seen = wait_for(lambda: Observation(holds(), what, clock.now()), clock, deadline_s=deadline_s, pace_s=0.2)
    if not seen.holds:
        raise Unreachable(f"{what}, which it should within {deadline_s:g} s, did not come about: {seen.text}")


def stop(site: Site, clock: Clock, *, deadline_s: float) -> None:
    """Have a server stopped for good; it cannot be a primary again before it gets other orders.

    Raises:
        Unreachable: When its region does not answer, or it may still run after the deadline.
    """
    site.host.order("fenced")
    site.host.stop()
    reach(lambda: not site.host.running(), f"the server in {site.region} stops", clock, deadline_s=deadline_s)


def follow(site: Site, source: Site, clock: Clock, *, deadline_s: float) -> None:
    """Make one server the standby of the other, whatever it was, and see it stream on the other's timeline.

    Raises:
        Conflict: When the other is no primary, so that there is nothing to follow.
        Unreachable: When one of them does not answer in time.
    """
    if not source.database.status().primary:
        raise Conflict(f"{source.said()}: {site.region} can only follow a primary")
    stop(site, clock, deadline_s=deadline_s)
    site.host.order("standby")
    site.host.start()
    reach(lambda: follows(site, source), f"{site.region} streams from {source.region}", clock, deadline_s=deadline_s)
    site.host.order("")  # its volume says by now that it is a standby


def end_promotion(site: Site, other: Site, clock: Clock, *, deadline_s: float) -> None:
    """Have a standby that may be in the middle of a promotion be one or the other: started anew, it is what it says.

    A promotion goes on in the server when whoever asked for it is dead or has given up, for as long as something is
    left to replay, and until it has come about the server says nothing of it. Its start takes back what had not.

    Args:
        site: Where.
        other: The other region; while it takes writes this one is not started as a primary.
        clock: The run's.
        deadline_s: For it to stop, and again to answer.

    Raises:
        Refused: When the other one lets nobody in; nothing is stopped then.
        Unreachable: When its region does not answer, or it does not stop or come back in time.
    """
    other.look()
    site.host.stop()
    reach(lambda: not site.host.running(), f"the server in {site.region} stops", clock, deadline_s=deadline_s)
    # A standby stays one, whichever; what has become the primary must not wait for a region that is fenced.
    site.host.order("" if takes_writes(other) else "primary")
    site.host.start()
    reach(lambda: site.look() is not None, f"the server in {site.region} answers", clock, deadline_s=deadline_s)


def end_silence(old: Site, new: Site, clock: Clock, *, deadline_s: float) -> None:
    """Where neither answers, as who died while he ended a promotion leaves them, start the one that he was at.

    The one that was stopped first, in order, is fenced; the other one may have gone on from there. One that runs is not
    stopped for its silence: its port may not be reached from here, or it has been started and is about to answer.

    Raises:
        Refused: When one of them lets nobody in; nothing is stopped then.
        Unreachable: When its region does not answer, it runs and does not, or it does not come back in time.
    """
    if old.look() is None and new.look() is None:
        first, other = (old, new) if new.host.orders() == "fenced" else (new, old)
        if first.host.wanted() and first.host.running() and not is_kept_from_starting(first):
            raise Unreachable(f"the server in {first.region} runs, and does not answer from here: it is not stopped")
        end_promotion(first, other, clock, deadline_s=deadline_s)


def is_kept_from_starting(site: Site) -> bool:
    """Whether its start has said that it waits or refuses, and has not begun since: then no server runs there.

    Raises:
        Unreachable: When its region does not answer.
    """
    said = site.host.said()
    return max(said.rfind(words) for words in KEPT_FROM_STARTING) > said.rfind(STARTING)


def left_ordered(*sites: Site) -> str:
    """What keeps a server from being at its next start what its volume says; empty for nothing.

    Raises:
        Unreachable: When one of their regions does not answer.
    """
    found: list[str] = []
    for site in sites:
        orders = site.host.orders()
        if orders:
            found.append(f"{site.region} is ordered to be {orders!r} at its next start")
        if not site.host.wanted():
            found.append(f"no server is asked for in {site.region}")
    return "; ".join(found)


def said_together(*sites: Site, left: str = "") -> str:
    """What servers say, and what is left ordered."""
    return "; ".join(filter(None, (*(site.said() for site in sites), left)))


def follows(site: Site, source: Site) -> bool:
    """Whether one server streams from the other, which is a primary, on its timeline."""
    here, there = site.look(), source.look()
    return (
        here is not None
        and there is not None
        and there.primary
        and not here.primary
        and here.receiving
        and (here.system, here.timeline) == (there.system, there.timeline)
    )


def hand_over(old: Site, new: Site, clock: Clock, *, deadline_s: float) -> None:
    """Make a standby that streams the primary, with every write of the old one in it, and the old one its standby.

    Idempotent: done again after a crash it goes on; where it had stopped the old one and nothing more, that one is
    brought back first, so that it is seen anew that the standby has everything.

    Raises:
        Unreachable: When one of them does not answer, or a step takes too long; writes are held or released then, and
            never taken by both.
    """
    if not new.database.status().primary:
        if not takes_writes(old):
            wake(old, new, clock, deadline_s=deadline_s)
        streams = f"{new.region} streams from {old.region}"
        reach(lambda: follows(new, old), streams, clock, deadline_s=deadline_s)
        old.database.hold_writes()
        try:
            last = old.database.status().position
            has_all = f"{new.region} has all that {old.region} wrote"
            reach(lambda: new.database.status().position >= last, has_all, clock, deadline_s=deadline_s)
        except Unreachable:
            old.database.release_writes()
            raise
        # A shutdown in order sends what is left to the standby before it ends.
        stop(old, clock, deadline_s=deadline_s)
        new.database.promote(wait_s=deadline_s)
    lead(new, old, clock, deadline_s=deadline_s)


def lead(primary: Site, other: Site, clock: Clock, *, deadline_s: float) -> None:
    """See a primary take writes, with the other region as its standby.

    Raises:
        Unreachable: When one of them does not answer in time.
    """
    # While the other one is rebuilt it could not be asked at a restart.
    primary.host.order("primary")
    # Either may answer still, and have been told to stop by somebody who died then.
    primary.host.start()
    primary.database.release_writes()
    if not follows(other, primary):
        follow(other, primary, clock, deadline_s=deadline_s)
    other.host.order("")
    other.host.start()
    # A standby keeps the setting with which it was stopped as a primary, and may be promoted one day.
    other.database.release_writes()
    primary.host.order("")


def wake(site: Site, other: Site, clock: Clock, *, deadline_s: float) -> None:
    """Bring a primary back that was stopped in order while the other region is no primary and becomes none.

    Raises:
        Unreachable: When it does not come in time, or the other region has become the primary meanwhile.
    """
    end_promotion(other, site, clock, deadline_s=deadline_s)
    if other.database.status().primary:
        raise Unreachable(f"{other.said()} by now: {site.region} is not started before it follows that")
    # It asks the other one itself, and has its lease, which one that is ordered to be the primary has not.
    site.host.order("")
    site.host.start()
    reach(lambda: takes_writes(site), f"{site.region} is the primary again", clock, deadline_s=deadline_s)


def takes_writes(site: Site) -> bool:
    """Whether it answers, as a primary."""
    found = site.look()
    return found is not None and found.primary


def lead_back(old: Site, new: Site, clock: Clock, *, deadline_s: float) -> None:
    """Undo a change of places, however far it or an earlier undo got, without a write lost.

    Args:
        old: What was the primary before.
        new: What was made it.
        clock: The run's.
        deadline_s: For each step.

    Raises:
        Conflict: When both take writes.
        Unreachable: When one of them does not answer in time.
    """
    end_silence(old, new, clock, deadline_s=deadline_s)
    if takes_writes(old) and takes_writes(new):
        raise Conflict(f"{old.said()} and {new.said()}: two primaries; decide by hand which of them is right")
    if takes_writes(old):
        lead(old, new, clock, deadline_s=deadline_s)
        return
    if takes_writes(new) and not follows(old, new):
        follow(old, new, clock, deadline_s=deadline_s)
    if old.look() is None and new.look() is not None:
        # The old one was stopped, and the new one not made the primary.
        wake(old, new, clock, deadline_s=deadline_s)
        lead(old, new, clock, deadline_s=deadline_s)
        return
    hand_over(new, old, clock, deadline_s=deadline_s)
