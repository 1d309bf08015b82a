"""Both regions' servers lose their data, and what one repository has of them becomes the primary.

At no time are there two histories that both take writes: `postgres-lost.sh` of the platform's chart sees to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from drillbook.actions.recovery.site import TOUCHES, Site, follows, left_ordered, reach, said_together, takes_writes
from drillbook.ports import Conflict, Observation, Unreachable
from drillbook.run.action import wait_for

if TYPE_CHECKING:
    from collections.abc import Mapping

    from drillbook.ports import Clock, ServerOrders

_ANSWERS_WITHIN_S = 10.0
"""For a server that runs to answer, before it is taken for one that cannot."""
_RESTARTED_WITHIN_S = 60.0
_FOLLOWS_WITHIN_S = 45.0
_RENEWED_WITHIN_S = 180.0


@dataclass(frozen=True, slots=True)
class LostServers:
    """Both servers end at once, and their volumes have nothing any more that they could start from.

    What was there is kept aside until something that takes writes has come in its place.

    Attributes:
        home: The primary.
        away: Its standby.
        clock: The run's.
    """

    home: Site
    away: Site
    clock: Clock

    def describe(self) -> str:
        """In words."""
        return "end both database servers at once, and have their volumes lose what they hold"

    def inject(self) -> None:
        """By their regions' own means.

        Raises:
            Unreachable: When a region does not answer, or a server does not end.
        """
        sites = (self.away, self.home)
        for site in sites:
            site.host.order("lost")
        for site in sites:
            site.host.lose()
        for site in sites:
            self._ended(site)
            site.host.start()

    def bit(self) -> Observation:
        """Whether neither answers at its own port, and each start has said that it has no data."""
        answer = [site.region for site in (self.home, self.away) if site.look() is not None]
        silent = [site.region for site in (self.home, self.away) if "LOST:" not in site.host.said()]
        text = f"of the two servers {len(answer)} answer, and {2 - len(silent)} have no data"
        return Observation(not answer and not silent, text, self.clock.now())

    def undo(self) -> None:
        """Bring both back as they were, unless what was restored has taken writes: then that leads.

        Raises:
            Unreachable: When they do not come back in time.
        """
        if self._home_leads():
            self._spare_home()
        else:
            for site in (self.away, self.home):
                if _is_lost(site):
                    self._start_as(site, "returned")
            what = f"{self.home.region} takes writes"
            reach(lambda: takes_writes(self.home), what, self.clock, deadline_s=_RENEWED_WITHIN_S)
        if not self._follows():
            self._renew_standby()
        for site in (self.home, self.away):
            site.host.order("")
            site.host.start()  # it may answer still, and be about to end

    def undone(self) -> Observation:
        """Whether the one streams from the other, and both will be what they are when they restart."""
        left = left_ordered(self.home, self.away)
        text = said_together(self.home, self.away, left=left)
        return Observation(follows(self.away, self.home) and not left, text, self.clock.now())

    def _home_leads(self) -> bool:
        """Whether it answers as the primary; one that runs is asked for a while, as the way to it may be bad."""
        home, clock = self.home, self.clock
        patience_s = _ANSWERS_WITHIN_S if home.host.wanted() and home.host.running() else 0.0
        seen = wait_for(
            lambda: Observation(takes_writes(home), f"{home.region} takes writes", clock.now()),
            clock, deadline_s=patience_s, pace_s=0.5,
        )  # fmt: skip
        return seen.holds

    def _spare_home(self) -> None:
        """A primary that was to lose its data, and has not, is none that its next start may find lost.

        Its standby has: until that is back it would end itself by its lease.
        """
        if self.home.host.orders() == "lost":
            self.home.host.order("")
            if _is_lost(self.away):
                self._start_as(self.away, "returned")

    def _follows(self) -> bool:
        what = f"{self.away.region} streams from {self.home.region}"
        try:
            reach(lambda: follows(self.away, self.home), what, self.clock, deadline_s=_FOLLOWS_WITHIN_S)
        except Unreachable:
            return False
        return True

    def _renew_standby(self) -> None:
        """What it has may have gone on beyond where the restored one left that history: it is copied anew."""
        self._start_as(self.away, "lost")
        what = f"the volume in {self.away.region} is empty"
        reach(lambda: "LOST:" in self.away.host.said(), what, self.clock, deadline_s=_RESTARTED_WITHIN_S)
        self._start_as(self.away, "standby")
        what = f"{self.away.region} streams from {self.home.region}"
        reach(lambda: follows(self.away, self.home), what, self.clock, deadline_s=_RENEWED_WITHIN_S)

    def _start_as(self, site: Site, orders: ServerOrders) -> None:
        site.host.order(orders)
        site.host.stop()
        self._ended(site)
        site.host.start()

    def _ended(self, site: Site) -> None:
        what = f"the server in {site.region} ends"
        reach(lambda: not site.host.running(), what, self.clock, deadline_s=_RESTARTED_WITHIN_S)


def _is_lost(site: Site) -> bool:
    """Whether its orders are those of a server that was made to lose its data, or of a way back."""
    orders = site.host.orders()
    return orders in {"lost", "returned", "standby"} or orders.startswith("restore-")


@dataclass(frozen=True, slots=True)
class RestoreServer:
    """Restore one repository alone onto a volume that has nothing, and have it be the primary.

    Attributes:
        site: Where.
        other: The other region, which must not have a primary.
        key: The repository.
        clock: The run's.
        deadline_s: For it to take writes.
    """

    site: Site
    other: Site
    key: int
    clock: Clock
    deadline_s: float = 900.0

    @property
    def name(self) -> str:
        """Its registered name."""
        return "restore-server"

    @property
    def arguments(self) -> Mapping[str, Any]:
        """What it was made with."""
        return {"site": self.site.region, "source": self.other.region, "key": self.key}

    @property
    def touches(self) -> tuple[str, ...]:
        """The databases."""
        return TOUCHES

    def describe(self) -> str:
        """In words."""
        return f"restore repository {self.key} onto the empty volume in {self.site.region}, and have it take writes"

    def capture(self) -> Mapping[str, Any]:
        """Nothing but that neither is there.

        Raises:
            Conflict: When one of them answers: then nothing is restored beside it.
        """
        for site in (self.site, self.other):
            if site.look() is not None:
                raise Conflict(f"{site.said()}: nothing is restored beside it")
        return {}

    def do(self) -> None:
        """Order it.

        Raises:
            Unreachable: When its region does not answer, or what is there does not end.
        """
        self.site.host.order(cast("ServerOrders", f"restore-{self.key}"))
        self.site.host.stop()
        what = f"the server in {self.site.region} ends"
        reach(lambda: not self.site.host.running(), what, self.clock, deadline_s=_RESTARTED_WITHIN_S)
        self.site.host.start()

    def observe(self) -> Observation:
        """Whether it takes writes, by its own protocol, and was restored and not found, by what its start said."""
        found, said = self.site.look(), self.site.host.said()
        told = next((line for line in said.splitlines() if " MiB of repository " in line), "")
        text = f"{self.site.said()}{f'; {told}' if told else ''}"
        data = {"timeline": found.timeline} if found else {}
        return Observation(found is not None and found.primary and bool(told), text, self.clock.now(), data)

    def undo(self, before: Mapping[str, Any]) -> None:
        """Nothing: the undo of the loss sees what has taken writes, and leaves that."""

    def observe_undone(self, before: Mapping[str, Any]) -> Observation:  # noqa: ARG002
        """Whether somebody takes writes there: what was restored, or what was there before."""
        return Observation(takes_writes(self.site), self.site.said(), self.clock.now())
