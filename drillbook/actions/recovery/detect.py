"""Find out that a region's primary is lost, and whether its standby may take over: what is decided without a person."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from drillbook.ports import Observation, Refused

if TYPE_CHECKING:
    from drillbook.actions.recovery.site import Site
    from drillbook.ports import Clock

IN_A_ROW = 3
"""Looks that find no primary before it counts as lost: one may be a packet that was dropped, or a restart."""


@dataclass(slots=True)
class DetectLoss:
    """Ask the primary what it is, at its own address, until it is none for several looks in a row.

    Attributes:
        site: Where the primary should be.
        clock: The run's.
        in_a_row: So many.
    """

    site: Site
    clock: Clock
    in_a_row: int = IN_A_ROW
    _missed: int = 0
    _first_s: float = 0.0

    def describe(self) -> str:
        """In words."""
        return f"look whether the database in {self.site.region} is lost"

    def observe(self) -> Observation:
        """Look once; one that lets nobody in is up, and not lost."""
        asked_s = self.clock.now()
        try:
            found = self.site.look()
        except Refused as refused:
            self._missed = 0
            return Observation(False, str(refused), asked_s)
        if found is not None and found.primary:
            self._missed = 0
            return Observation(False, f"the database in {self.site.region} is a primary", asked_s)
        if not self._missed:
            self._first_s = asked_s
        self._missed += 1
        data: dict[str, Any] = {"in_a_row": self._missed, "first_s": self._first_s}
        text = f"{self.site.said()}: no primary there in {self._missed} of {self.in_a_row} looks in a row"
        return Observation(self._missed >= self.in_a_row, text, self.clock.now(), data)


@dataclass(frozen=True, slots=True)
class DecideFailover:
    """The rule: the lost one is still no primary, and the other one is a standby that can be promoted.

    Attributes:
        old: What is lost.
        new: Its standby.
        clock: The run's.
    """

    old: Site
    new: Site
    clock: Clock

    def observe(self) -> Observation:
        """Look at both; raises Unreachable when the standby does not answer."""
        standby = self.new.database.status()
        old = self.old.look()
        back = old is not None and old.primary
        data = {"timeline": standby.timeline, "position": standby.position, "receiving": standby.receiving}
        if back:
            text = f"{self.old.said()} again: nothing is failed over"
        elif standby.primary:
            text = f"{self.new.said()} already: there is no standby to promote"
        else:
            text = f"fail over to {self.new.region}, whose standby has replayed up to byte {standby.position}"
        return Observation(not back and not standby.primary, text, self.clock.now(), data)
