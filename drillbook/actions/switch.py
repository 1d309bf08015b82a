"""Send the public's traffic to one slot, and see it arrive there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from drillbook.ports import Conflict, Observation

if TYPE_CHECKING:
    from collections.abc import Mapping

    from drillbook.ports import Client, Clock, Router

_WHOLE = 100


@dataclass(frozen=True, slots=True)
class Switch:
    """All the weight to one slot; in effect once only that slot answers new connections.

    Attributes:
        router: Declares the weights.
        client: A user, who sees where the answers come from: a route's own status says less.
        clock: The run's.
        slot: Where to.
        path: What the user asks for to see who answers; cheap and always answered.
        in_a_row: Answers in a row, each on a connection of its own, that have to come from the slot.
        deadline_s: For the change to show.
    """

    router: Router
    client: Client
    clock: Clock
    slot: str
    path: str
    in_a_row: int = 20
    deadline_s: float = 30.0

    @property
    def name(self) -> str:
        """Its registered name."""
        return "switch-traffic"

    @property
    def arguments(self) -> Mapping[str, Any]:
        """What it was made with."""
        return {"slot": self.slot}

    @property
    def touches(self) -> tuple[str, ...]:
        """The route, and every slot that it may lead to."""
        return ("route", *(f"slot/{slot}" for slot in sorted(self.router.backends())))

    def describe(self) -> str:
        """In words."""
        return f"switch all traffic to slot {self.slot}"

    def capture(self) -> Mapping[str, Any]:
        """The weights now."""
        return {"weights": self.router.weights()}

    def do(self) -> None:
        """Declare the new weights."""
        self.router.set_weights(self._wanted())

    def observe(self) -> Observation:
        """Who answers a number of new connections."""
        return self._answered_by({self.slot})

    def undo(self, before: Mapping[str, Any]) -> None:
        """Declare the weights of before.

        Raises:
            Conflict: When the weights are neither those of before nor those of the change.
        """
        former = {str(slot): int(weight) for slot, weight in before["weights"].items()}
        now = self.router.weights()
        if now not in (former, self._wanted()):
            raise Conflict(
                f"the weights are {now}, which is neither what they were ({former}) nor what this change made of them: "
                "somebody else has changed them since, so they are left; set them by hand"
            )
        if now != former:
            self.router.set_weights(former)

    def observe_undone(self, before: Mapping[str, Any]) -> Observation:
        """Whether the slots that had weight answer again, and no other, and the weights are those of before."""
        weights = self.router.weights()
        if weights != dict(before["weights"]):
            return Observation(False, f"the weights are {weights}", self.clock.now(), {"weights": weights})
        return self._answered_by({str(slot) for slot, weight in weights.items() if weight > 0})

    def _wanted(self) -> dict[str, int]:
        return {slot: _WHOLE if slot == self.slot else 0 for slot in self.router.backends()}

    def _answered_by(self, slots: set[str]) -> Observation:
        wanted = " or ".join(sorted(slots))
        first_s = self.clock.now()
        for _ in range(self.in_a_row):
            slot = self.client.origin(self.client.get(self.path)).slot
            if slot not in slots:
                text = f"slot {slot or '(unnamed)'} still answers where {wanted} should"
                return Observation(False, text, self.clock.now(), {"answered": slot})
        # In effect since the first of them.
        text = f"{self.in_a_row} new connections in a row were answered by slot {wanted}"
        return Observation(True, text, first_s, {"answered": sorted(slots), "seen_s": self.clock.now()})
