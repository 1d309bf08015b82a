"""Something goes wrong on purpose, for as long as a drill wants."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from drillbook.domain.environment import WHOLE_REGION
from drillbook.domain.undo import EVERYTHING, FAULT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from drillbook.ports import Clock, Fault, Observation


@dataclass(frozen=True, slots=True)
class InjectFault:
    """Bring a fault about, and see that it bites by other means than those that brought it about.

    Attributes:
        fault: What goes wrong.
        how: Its name in the environment.
        clock: The run's.
        deadline_s: For it to bite, and again to be over.
    """

    fault: Fault
    how: str
    clock: Clock
    deadline_s: float

    @property
    def name(self) -> str:
        """Its registered name."""
        return FAULT

    @property
    def arguments(self) -> Mapping[str, Any]:
        """What it was made with."""
        return {"how": self.how}

    @property
    def touches(self) -> tuple[str, ...]:
        """Of a whole region everything: while it is away nobody is led back, nor anything taken from the other one.

        Of a server nothing that a step of its recovery changes: it is ended before any of them is taken back.
        """
        return (EVERYTHING,) if self.how in WHOLE_REGION else ("fault",)

    def describe(self) -> str:
        """In words."""
        return self.fault.describe()

    def capture(self) -> Mapping[str, Any]:
        """It is over once it has been ended, whatever was before."""
        return {}

    def do(self) -> None:
        """Bring it about."""
        self.fault.inject()

    def observe(self) -> Observation:
        """Whether it bites."""
        return self.fault.bit()

    def undo(self, before: Mapping[str, Any]) -> None:  # noqa: ARG002 - there is no state to put back to
        """End it."""
        self.fault.undo()

    def observe_undone(self, before: Mapping[str, Any]) -> Observation:  # noqa: ARG002
        """Whether it is over."""
        return self.fault.undone()
