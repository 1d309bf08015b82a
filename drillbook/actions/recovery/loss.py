"""What is lost on purpose, so that it has to be recovered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from drillbook.ports import Observation

if TYPE_CHECKING:
    from drillbook.actions.recovery.site import Site
    from drillbook.ports import Clock


@dataclass(frozen=True, slots=True)
class LostServer:
    """A region's database server ends at once and does not come back; its region lives.

    Attributes:
        site: Where.
        clock: The run's.
    """

    site: Site
    clock: Clock

    def describe(self) -> str:
        """In words."""
        return f"end the database server in {self.site.region} at once, and let none come back"

    def inject(self) -> None:
        """By its region's own means."""
        self.site.host.lose()

    def bit(self) -> Observation:
        """Whether it answers no more at its own port, which is not what ended it."""
        return Observation(self.site.look() is None, self.site.said(), self.clock.now())

    def undo(self) -> None:
        """Ask for one again, unless a fence has stopped it meanwhile: then the recovery says when it comes back."""
        if not self._fenced():
            self.site.host.start()

    def undone(self) -> Observation:
        """Whether it answers again, or only a fence keeps it from it."""
        if self._fenced():
            return Observation(True, f"the database in {self.site.region} stays away by its fence", self.clock.now())
        return Observation(self.site.look() is not None, self.site.said(), self.clock.now())

    def _fenced(self) -> bool:
        return self.site.host.orders() == "fenced"
