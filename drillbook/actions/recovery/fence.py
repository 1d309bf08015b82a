"""Make sure that the lost primary takes no write, before another one is made.

Decision 0019 says what this guarantees and what it does not.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from drillbook.actions.recovery.site import (
    TOUCHES,
    Site,
    follow,
    follows,
    left_ordered,
    said_together,
    stop,
    takes_writes,
)
from drillbook.ports import Conflict, Observation, Unreachable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from drillbook.ports import Clock


@dataclass(frozen=True, slots=True)
class FencePrimary:
    """Stop it where its region can be told to; else cut its standby off and wait until its lease has run out.

    Attributes:
        old: The primary that is lost, or said to be.
        new: Its standby.
        clock: The run's.
        silence_s: After so long without its standby the old primary has stopped by itself, whoever cannot reach it: the
            lease and all that it takes to notice. 0 when it has no lease; then one that cannot be told cannot be
            fenced.
        stop_s: For an orderly stop.
    """

    old: Site
    new: Site
    clock: Clock
    silence_s: float
    stop_s: float = 30.0
    _cut_off_s: list[float] = field(default_factory=list[float])

    @property
    def deadline_s(self) -> float:
        """For all of it: the stop that was tried, and then the lease."""
        return max(120.0, self.silence_s + 45.0)

    @property
    def name(self) -> str:
        """Its registered name."""
        return "fence-primary"

    @property
    def arguments(self) -> Mapping[str, Any]:
        """What it was made with."""
        return {"old": self.old.region, "new": self.new.region}

    @property
    def touches(self) -> tuple[str, ...]:
        """The databases."""
        return TOUCHES

    def describe(self) -> str:
        """In words."""
        return f"fence the database in {self.old.region}, so that it takes no write"

    def capture(self) -> Mapping[str, Any]:
        """The standby's timeline; the old primary may not answer.

        Raises:
            Conflict: When there is nothing to go on with.
        """
        status = self.new.database.status()
        if status.primary:
            raise Conflict(f"{self.new.said()} already: there is no standby to promote")
        return {"timeline": status.timeline}

    def do(self) -> None:
        """By its region's own means; where they fail, through its lease."""
        try:
            stop(self.old, self.clock, deadline_s=self.stop_s)
        except Unreachable:
            # What the standby has not received by now is lost: nobody could have asked for it.
            self.new.database.detach()
            self._cut_off_s.append(self.clock.now())

    def observe(self) -> Observation:
        """By its own port, which is none of those that stopped it, and the region's word or the lease."""
        now_s = self.clock.now()
        found = self.old.look()
        if found is not None and found.primary:
            return Observation(False, f"{self.old.said()}: it is not fenced", now_s, {"answers": True})
        if not self._cut_off_s:
            stopped = not self.old.host.running()
            text = f"the server in {self.old.region} is {'stopped, and ordered to stay so' if stopped else 'stopping'}"
            return Observation(stopped, text, now_s, {"by": "stop"})
        if self.silence_s <= 0:
            text = (
                f"{self.old.region} cannot be told to stop its database, and that has no lease "
                "(postgres.leaseSeconds): nobody can know that it takes no writes. Stop its machines, then go on"
            )
            return Observation(False, text, now_s, {"by": "nothing"})
        cut_off = not self.new.database.status().receiving
        passed_s = now_s - self._cut_off_s[0]
        text = f"{self.old.region} has been without its standby for {passed_s:.1f} s of {self.silence_s:g} s"
        return Observation(cut_off and passed_s >= self.silence_s, text, now_s, {"by": "lease", "silent_s": passed_s})

    def undo(self, before: Mapping[str, Any]) -> None:
        """Let the old primary be it again; one that answers as it may have been told to stop, and gone on meanwhile.

        Raises:
            Conflict: When the other region has gone on, so that there would be two.
        """
        status = self.new.database.status()
        gone_on = status.primary or status.timeline > int(before["timeline"])
        if gone_on and not follows(self.new, self.old):  # it does once the undo of a promotion has led back
            raise Conflict(
                f"{self.new.said()}, and was on {before['timeline']}: {self.old.region} stays fenced; rebuild it as a "
                "standby and switch over"
            )
        self.old.host.order("")
        self.old.host.start()
        self.new.database.attach()

    def observe_undone(self, before: Mapping[str, Any]) -> Observation:
        """Whether the old primary is the primary and will be when it restarts, and the standby streams from it."""
        left = left_ordered(self.old)
        holds = follows(self.new, self.old) and not left
        text = said_together(self.old, self.new, left=left)
        return Observation(holds, text, self.clock.now(), {"timeline": before["timeline"]})


@dataclass(frozen=True, slots=True)
class RebuildAsStandby:
    """Make the old primary a standby of the new one: rewound to where they parted, or copied anew.

    Attributes:
        site: The old primary.
        source: The new one.
        clock: The run's.
        deadline_s: For all of it.
    """

    site: Site
    source: Site
    clock: Clock
    deadline_s: float = 300.0

    @property
    def name(self) -> str:
        """Its registered name."""
        return "rebuild-as-standby"

    @property
    def arguments(self) -> Mapping[str, Any]:
        """What it was made with."""
        return {"site": self.site.region, "source": self.source.region}

    @property
    def touches(self) -> tuple[str, ...]:
        """The databases."""
        return TOUCHES

    def describe(self) -> str:
        """In words."""
        return f"rebuild the database in {self.site.region} as a standby of {self.source.region}"

    def capture(self) -> Mapping[str, Any]:
        """Its orders."""
        return {"orders": self.site.host.orders()}

    def do(self) -> None:
        """Order it, and wait until it streams."""
        follow(self.site, self.source, self.clock, deadline_s=self.deadline_s)

    def observe(self) -> Observation:
        """Whether it streams on the source's timeline and has caught up with where the source was just before."""
        source = self.source.database.status()
        here = self.site.look()
        caught_up = here is not None and here.position >= source.position
        text = f"{self.site.said()}, {'caught up' if caught_up else 'behind'}"
        return Observation(caught_up and follows(self.site, self.source), text, self.clock.now())

    def undo(self, before: Mapping[str, Any]) -> None:
        """Nothing that it lost by following comes back: it is stopped again, if it was, and cannot be a primary.

        A standby that the primary has is harm to nobody: one that was rebuilt from other orders stays, and one that the
        rebuild had only stopped is started as it was.
        """
        if before["orders"] == "fenced":
            if follows(self.site, self.source):
                stop(self.site, self.clock, deadline_s=self.deadline_s)
            return
        if self.site.host.orders() == "fenced":
            self.site.host.order(before["orders"])
        self.site.host.start()

    def observe_undone(self, before: Mapping[str, Any]) -> Observation:
        """Whether it is no primary beside the source, and not kept from starting unless it was before."""
        both = takes_writes(self.site) and takes_writes(self.source)
        fenced = before["orders"] != "fenced" and (self.site.host.orders() == "fenced" or not self.site.host.wanted())
        text = f"{self.site.said()}{', and is kept from starting' if fenced else ''}"
        return Observation(not both and not fenced, text, self.clock.now(), {"orders": before["orders"]})
