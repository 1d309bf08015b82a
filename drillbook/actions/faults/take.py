"""Take something of the platform away for a while: whatever comes as a pair of taking and giving back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from drillbook.ports import Observation, Unreachable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from drillbook.ports import Clock
    from drillbook.ports.fault import Pair


@dataclass(frozen=True, slots=True)
class Take:
    """One pair's taking, with its giving back as undo.

    Attributes:
        name: The registered name under which it is done.
        pair: What is taken away.
        clock: The run's.
        deadline_s: For it to be away, and again for it to be well.
    """

    name: str
    pair: Pair
    clock: Clock
    deadline_s: float

    @property
    def arguments(self) -> Mapping[str, Any]:
        """What it was made with: everything else stands in the environment file."""
        return {"what": self.pair.named}

    @property
    def touches(self) -> tuple[str, ...]:
        """The thing."""
        return (self.pair.named,)

    def describe(self) -> str:
        """In words."""
        return f"{self.name.replace('-', ' ')}: {self.pair.named}"

    def capture(self) -> Mapping[str, Any]:
        """What giving back needs, if all is well now.

        Raises:
            Unreachable: When it is not: then nobody could tell afterwards what the fault did.
        """
        noted = self.pair.note()
        look = self.pair.look(noted)
        if not look.well:
            raise Unreachable(f"{self.pair.named} is not well before the fault: {look.text}")
        return {**noted, "since_s": self.clock.now()}

    def do(self) -> None:
        """Take it away."""
        self.pair.take()

    def observe(self) -> Observation:
        """Whether it is away."""
        look = self.pair.look({})
        return Observation(look.gone, look.text, self.clock.now(), look.data)

    def undo(self, before: Mapping[str, Any]) -> None:
        """Give it back."""
        self.pair.give_back(before)

    def observe_undone(self, before: Mapping[str, Any]) -> Observation:
        """Whether it is well."""
        look = self.pair.look(before)
        return Observation(look.well, look.text, self.clock.now(), look.data)
