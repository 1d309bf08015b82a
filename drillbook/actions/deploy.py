"""Put a release into a slot that takes no public traffic."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from drillbook.ports import Observation

if TYPE_CHECKING:
    from collections.abc import Mapping

    from drillbook.ports import Clock, Cluster, Releaser


@dataclass(frozen=True, slots=True)
class Deploy:
    """Install or upgrade; in effect once the cluster shows every replica of the new version ready, and no other pod.

    Attributes:
        releaser: Changes the slot.
        cluster: Shows what really runs: the API's own word, not that of the tool which installed.
        clock: The run's.
        slot: Where to.
        release: What, by the name that the releaser knows.
        version: The version that it is to show.
        deadline_s: For the installation, and again for readiness.
    """

    releaser: Releaser
    cluster: Cluster
    clock: Clock
    slot: str
    release: str
    version: str
    deadline_s: float = 120.0

    @property
    def name(self) -> str:
        """Its registered name."""
        return "deploy-release"

    @property
    def arguments(self) -> Mapping[str, Any]:
        """What it was made with."""
        return {"slot": self.slot, "release": self.release}

    def describe(self) -> str:
        """In words."""
        flaw = f", which {self.release}" if self.release != self.version else ""
        return f"deploy release {self.version}{flaw}, to the idle slot {self.slot}"

    def capture(self) -> Mapping[str, Any]:
        """What the slot holds now."""
        status = self.cluster.slot(self.slot)
        return {"revision": self.releaser.revision(self.slot), "version": status.version, "replicas": status.desired}

    def do(self) -> None:
        """Install or upgrade."""
        self.releaser.deploy(self.slot, self.release, deadline_s=self.deadline_s)

    def observe(self) -> Observation:
        """What the cluster runs in the slot."""
        seen = self.cluster.slot(self.slot)
        holds = seen.version == self.version and 0 < seen.desired == seen.ready == len(seen.pods)
        text = f"slot {self.slot} runs {seen.version or 'nothing'} with {seen.ready} of {seen.desired} pods ready"
        return Observation(holds, text, self.clock.now(), {"pods": list(seen.pods), "version": seen.version})

    def undo(self, before: Mapping[str, Any]) -> None:
        """Back to the revision before."""
        self.releaser.restore(self.slot, int(before["revision"]), deadline_s=self.deadline_s)

    def observe_undone(self, before: Mapping[str, Any]) -> Observation:
        """Whether the slot runs what it ran before."""
        seen = self.cluster.slot(self.slot)
        ready = seen.ready == seen.desired == len(seen.pods) == int(before["replicas"])
        holds = ready and seen.version == before["version"]
        text = f"slot {self.slot} runs {seen.version or 'nothing'} in {len(seen.pods)} pods, {seen.ready} of them ready"
        return Observation(holds, text, self.clock.now(), {"pods": list(seen.pods), "version": seen.version})
