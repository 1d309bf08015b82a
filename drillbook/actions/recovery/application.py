"""Bring the other region's application up to what it has to carry, on the database that takes writes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from drillbook.ports import Conflict, Observation

if TYPE_CHECKING:
    from collections.abc import Mapping

    from drillbook.ports import ApplicationDatabase, Clock, Cluster


@dataclass(frozen=True, slots=True)
class RepointApplication:
    """Have a region's application work with a region's database, by pods that have started since.

    Attributes:
        application: Says and changes which database it works with.
        cluster: Shows the slot's pods.
        clock: The run's.
        region: Whose application.
        database: Whose database.
        slot: That serves there.
        deadline_s: For the pods to be ready.
    """

    application: ApplicationDatabase
    cluster: Cluster
    clock: Clock
    region: str
    database: str
    slot: str
    deadline_s: float = 120.0

    @property
    def name(self) -> str:
        """Its registered name."""
        return "repoint-application"

    @property
    def arguments(self) -> Mapping[str, Any]:
        """What it was made with."""
        return {"region": self.region, "database": self.database, "slot": self.slot}

    @property
    def touches(self) -> tuple[str, ...]:
        """The region's application."""
        return (f"application/{self.region}",)

    def describe(self) -> str:
        """In words."""
        return f"point the application in {self.region} at the database in {self.database}"

    def capture(self) -> Mapping[str, Any]:
        """Where it points."""
        return {"database": self.application.points_at()}

    def do(self) -> None:
        """Point it there."""
        self.application.point_at(self.database)

    def observe(self) -> Observation:
        """Whether it points there with every pod ready, and started since: readiness asks the database."""
        points_at, seen = self.application.points_at(), self.cluster.slot(self.slot)
        whole = seen.rolled_out and 0 < seen.desired == seen.ready == len(seen.pods)
        text = (
            f"the application in {self.region} points at the database in {points_at}, with {seen.ready} of "
            f"{seen.desired} pods ready{'' if seen.rolled_out else ', some from before'}"
        )
        return Observation(whole and points_at == self.database, text, self.clock.now(), {"pods": list(seen.pods)})

    def undo(self, before: Mapping[str, Any]) -> None:
        """Point it back.

        Raises:
            Conflict: When it points somewhere else than where it did and where this change put it.
        """
        found = self.application.points_at()
        if found not in {before["database"], self.database}:
            raise Conflict(
                f"the application in {self.region} points at {found}, where this change did not put it: somebody else "
                "has changed it since, so it is left; set it by hand"
            )
        self.application.point_at(before["database"])

    def observe_undone(self, before: Mapping[str, Any]) -> Observation:
        """Whether it points back. Its pods may be ready only later: their database is put back after them."""
        found = self.application.points_at()
        text = f"the application in {self.region} points at the database in {found}"
        return Observation(found == before["database"], text, self.clock.now(), {"database": found})


@dataclass(frozen=True, slots=True)
class ScaleUpRegion:
    """Give a region's slot as many pods as it needs to carry everybody.

    Attributes:
        cluster: The region's.
        clock: The run's.
        region: Which one.
        slot: That serves there.
        replicas: So many; a slot that has more keeps them.
        deadline_s: For them to be ready.
    """

    cluster: Cluster
    clock: Clock
    region: str
    slot: str
    replicas: int
    deadline_s: float = 120.0

    @property
    def name(self) -> str:
        """Its registered name."""
        return "scale-up-region"

    @property
    def arguments(self) -> Mapping[str, Any]:
        """What it was made with."""
        return {"region": self.region, "slot": self.slot, "replicas": self.replicas}

    @property
    def touches(self) -> tuple[str, ...]:
        """The region's application."""
        return (f"application/{self.region}",)

    def describe(self) -> str:
        """In words."""
        return f"scale slot {self.slot} in {self.region} up to {self.replicas} pods"

    def capture(self) -> Mapping[str, Any]:
        """How many there are.

        Raises:
            Conflict: When the slot is empty: pods of no release can be scaled.
        """
        seen = self.cluster.slot(self.slot)
        if not seen.version:
            raise Conflict(f"slot {self.slot} in {self.region} holds no release, so there is nothing to scale up")
        return {"replicas": seen.desired}

    def do(self) -> None:
        """Ask for them; never for fewer than there are."""
        if self.cluster.slot(self.slot).desired < self.replicas:
            self.cluster.scale(self.slot, self.replicas)

    def observe(self) -> Observation:
        """Whether so many are ready."""
        seen = self.cluster.slot(self.slot)
        return self._seen(seen.ready >= self.replicas)

    def undo(self, before: Mapping[str, Any]) -> None:
        """As many as before.

        Raises:
            Conflict: When somebody else has scaled it since.
        """
        found, former = self.cluster.slot(self.slot).desired, int(before["replicas"])
        if found not in {former, self.replicas}:
            raise Conflict(
                f"slot {self.slot} in {self.region} is to have {found} pods, which is neither {former} as before nor "
                f"{self.replicas}: somebody else has scaled it since, so it is left; set it by hand"
            )
        if found != former:
            self.cluster.scale(self.slot, former)

    def observe_undone(self, before: Mapping[str, Any]) -> Observation:
        """Whether it has as many as before."""
        seen = self.cluster.slot(self.slot)
        return self._seen(int(before["replicas"]) == seen.desired == seen.ready == len(seen.pods))

    def _seen(self, holds: bool) -> Observation:
        seen = self.cluster.slot(self.slot)
        text = f"slot {self.slot} in {self.region} has {seen.ready} of {seen.desired} pods ready"
        return Observation(holds, text, self.clock.now(), {"ready": seen.ready, "desired": seen.desired})
