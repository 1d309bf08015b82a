"""Make the standby the primary: after a loss, or as planned with nothing lost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from drillbook.actions.recovery.site import (
    TOUCHES,
    Site,
    end_promotion,
    end_silence,
    follows,
    hand_over,
    lead_back,
    left_ordered,
    said_together,
)
from drillbook.ports import Conflict, Observation

if TYPE_CHECKING:
    from collections.abc import Mapping

    from drillbook.ports import Clock, DatabaseStatus


@dataclass(frozen=True, slots=True)
class PromoteStandby:
    """Promote, once the old primary is fenced, and see the next timeline.

    Its undo does not throw away what the new primary took: it leads back by a switch-over.

    Attributes:
        old: The primary that is fenced.
        new: Its standby.
        clock: The run's.
        timeline: The standby's before.
        deadline_s: For it; and for each step of the way back.
    """

    old: Site
    new: Site
    clock: Clock
    timeline: int
    deadline_s: float = 120.0

    @property
    def name(self) -> str:
        """Its registered name."""
        return "promote-standby"

    @property
    def arguments(self) -> Mapping[str, Any]:
        """What it was made with."""
        return {"old": self.old.region, "new": self.new.region, "timeline": self.timeline}

    @property
    def touches(self) -> tuple[str, ...]:
        """The databases."""
        return TOUCHES

    def describe(self) -> str:
        """In words."""
        return f"promote the database in {self.new.region} from timeline {self.timeline} to {self.timeline + 1}"

    def capture(self) -> Mapping[str, Any]:
        """What it is now.

        Raises:
            Conflict: When the old primary still answers as one, or the standby is not what it was taken for.
        """
        found = self.old.look()
        if found is not None and found.primary:
            raise Conflict(f"{self.old.said()}: it has to be fenced before another one is made")
        status = self.new.database.status()
        if status.primary or status.timeline != self.timeline:
            raise Conflict(f"{self.new.said()}, and a standby on timeline {self.timeline} was to be promoted")
        return {"position": status.position, "orders": self.new.host.orders()}

    def do(self) -> None:
        """Promote, and order it to stay so: when it restarts, the lost region cannot be asked."""
        self.new.database.promote(wait_s=self.deadline_s)
        self.new.host.order("primary")
        self.new.database.release_writes()

    def observe(self) -> Observation:
        """Whether it is a primary that takes writes, on the next timeline."""
        status = self.new.database.status()
        right = status.primary and status.timeline == self.timeline + 1 and not status.held
        data = {"timeline": status.timeline, "primary": status.primary}
        return Observation(right, self.new.said(), self.clock.now(), data)

    def undo(self, before: Mapping[str, Any]) -> None:
        """Rebuild the old primary from the new one and hand over to it, so that no write is lost.

        What does not look promoted may be in the middle of it, so it is started anew first.

        Raises:
            Unreachable: While the old region is away; tried again when it is back.
        """
        if self._as_before(self.new.look()):
            end_promotion(self.new, self.old, self.clock, deadline_s=self.deadline_s)
        else:
            end_silence(self.old, self.new, self.clock, deadline_s=self.deadline_s)
        if self._as_before(self.new.look()):
            self.new.host.order(before["orders"])  # never promoted
            return
        lead_back(self.old, self.new, self.clock, deadline_s=self.deadline_s)

    def observe_undone(self, before: Mapping[str, Any]) -> Observation:
        """Whether the new one is no primary, nor ordered to be; where it never was, the old one is still fenced."""
        status = self.new.database.status()
        back = self._as_before(status) or follows(self.new, self.old)
        kept = self.new.host.orders() == before["orders"] and self.new.host.wanted()
        left = "" if kept else left_ordered(self.new)
        text = said_together(self.new, self.old, left=left)
        return Observation(back and not left, text, self.clock.now(), {"position": before["position"]})

    def _as_before(self, new: DatabaseStatus | None) -> bool:
        return new is not None and not new.primary and new.timeline == self.timeline


@dataclass(frozen=True, slots=True)
class SwitchOver:
    """Hand the primary over as planned: writes are held, the standby has them all, then it is promoted.

    Attributes:
        old: The primary.
        new: Its standby, which streams.
        clock: The run's.
        deadline_s: For each step.
    """

    old: Site
    new: Site
    clock: Clock
    deadline_s: float = 120.0

    @property
    def name(self) -> str:
        """Its registered name."""
        return "switch-over"

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
        return f"switch the database over from {self.old.region} to {self.new.region}, without a write lost"

    def capture(self) -> Mapping[str, Any]:
        """The timeline.

        Raises:
            Conflict: When the standby does not stream from the primary.
        """
        if not follows(self.new, self.old):
            raise Conflict(f"{self.old.said()} and {self.new.said()}: a planned switch needs a standby that streams")
        return {"timeline": self.old.database.status().timeline}

    def do(self) -> None:
        """Hand over."""
        hand_over(self.old, self.new, self.clock, deadline_s=self.deadline_s)

    def observe(self) -> Observation:
        """Whether they have changed places."""
        holds = follows(self.old, self.new)
        return Observation(holds, f"{self.new.said()}; {self.old.said()}", self.clock.now())

    def undo(self, before: Mapping[str, Any]) -> None:  # noqa: ARG002 - both servers tell
        """Hand over back; where it died between two steps, from there.

        Raises:
            Conflict: When both take writes.
        """
        lead_back(self.old, self.new, self.clock, deadline_s=self.deadline_s)

    def observe_undone(self, before: Mapping[str, Any]) -> Observation:
        """Whether they are as before and will be when they restart, and writes are not held."""
        found, left = (self.old.look(), self.new.look()), left_ordered(self.old, self.new)
        holds = follows(self.new, self.old) and not left and not any(it is None or it.held for it in found)
        text = said_together(self.old, self.new, left=left)
        return Observation(holds, text, self.clock.now(), {"timeline": before["timeline"]})
