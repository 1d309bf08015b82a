"""Starts the workers of a distributed load; its undo removes them, whatever they are at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from drillbook.ports import Observation

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from drillbook.ports import Clock, LoadWorkers

START = "start-load-workers"
"""The action's registered name."""


@dataclass(frozen=True, slots=True)
class StartWorkers:
    """Workers with a share of one schedule each.

    Attributes:
        port: Where they run.
        clock: The run's.
        mark: That no other load has.
        plans: One for each; empty where they are only removed.
        lives_s: After which each is ended.
        deadline_s: Until all of them have to run.
    """

    port: LoadWorkers
    clock: Clock
    mark: str
    plans: Sequence[Mapping[str, Any]] = ()
    lives_s: float = 0.0
    deadline_s: float = 60.0

    @property
    def name(self) -> str:
        """Its registered name."""
        return START

    @property
    def arguments(self) -> Mapping[str, Any]:
        """What it is undone with: the mark is enough."""
        return {"mark": self.mark, "deadline_s": self.deadline_s}

    @property
    def touches(self) -> tuple[str, ...]:
        """Nothing that anything else concerns."""
        return (f"load/{self.mark}",)

    def describe(self) -> str:
        """In words."""
        return f"start {len(self.plans)} workers of the load {self.mark}"

    def capture(self) -> Mapping[str, Any]:
        """There are none yet."""
        return {}

    def do(self) -> None:
        """Make them."""
        self.port.start(self.mark, self.plans, lives_s=self.lives_s)

    def observe(self) -> Observation:
        """Whether the nodes say that all of them run; one that has failed by then never will."""
        seen = self.port.status(self.mark)
        running = [one for one in seen if one.phase == "Running"]
        others = ", ".join(f"{one.pod} {one.phase} {one.text}".strip() for one in seen if one.phase != "Running")
        text = f"{len(running)} of {len(self.plans)} workers run" + (f"; {others}" if others else "")
        nodes = {str(one.worker): one.node for one in running}
        return Observation(len(running) == len(self.plans), text, self.clock.now(), {"nodes": nodes})

    def undo(self, before: Mapping[str, Any]) -> None:  # noqa: ARG002 - there were none
        """Remove them."""
        self.port.remove(self.mark)

    def observe_undone(self, before: Mapping[str, Any]) -> Observation:  # noqa: ARG002 - there were none
        """Whether none of their pods is left."""
        left = self.port.status(self.mark)
        return Observation(not left, f"{len(left)} pods of the load {self.mark} are left", self.clock.now())


@dataclass(frozen=True, slots=True)
class Workers:
    """How an environment's load is made from more than one place.

    Attributes:
        port: Where workers run.
        clock: The run's.
    """

    port: LoadWorkers
    clock: Clock

    def make(self, action: str, arguments: Mapping[str, Any]) -> StartWorkers:  # noqa: ARG002 - there is one action
        """The action of an entry in the undo journal, made again in order to be undone."""
        return StartWorkers(self.port, self.clock, str(arguments["mark"]), deadline_s=float(arguments["deadline_s"]))
