"""Put a release into a slot that takes no public traffic."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from drillbook.ports import Conflict, Observation

if TYPE_CHECKING:
    from collections.abc import Mapping

    from drillbook.ports import Client, Clock, Cluster, Releaser

_OK = 200
_TRIES_FOR_EACH_POD = 3


@dataclass(frozen=True, slots=True)
class Deploy:
    """Install or upgrade.

    In effect once the cluster shows every replica of the new version ready, and no other pod, and the gateway leads to
    them: it learns of new pods a moment later.

    Attributes:
        releaser: Changes the slot.
        cluster: Shows what really runs: the API's own word, not that of the tool which installed.
        client: Asks for the slot through the gateway.
        slot_header: Request header that names the slot to the gateway.
        path: What is asked for to see who answers; cheap and always answered.
        clock: The run's.
        slot: Where to.
        release: What, by the name that the releaser knows.
        version: The version that it is to show.
        deadline_s: For the installation, and again for readiness.
    """

    releaser: Releaser
    cluster: Cluster
    client: Client
    slot_header: str
    path: str
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

    @property
    def touches(self) -> tuple[str, ...]:
        """The slot."""
        return (f"slot/{self.slot}",)

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
        """What the cluster runs in the slot, and whether the gateway leads there."""
        seen = self.cluster.slot(self.slot)
        whole = seen.version == self.version and 0 < seen.desired == seen.ready == len(seen.pods)
        reached = whole and all(self._reached() for _ in range(_TRIES_FOR_EACH_POD * seen.desired))
        text = f"slot {self.slot} runs {seen.version or 'nothing'} with {seen.ready} of {seen.desired} pods ready"
        if whole:
            text += ", and the gateway leads there" if reached else ", and the gateway does not lead there yet"
        data = {"pods": list(seen.pods), "version": seen.version, "images": list(seen.images)}
        return Observation(reached, text, self.clock.now(), data)

    def undo(self, before: Mapping[str, Any]) -> None:
        """Back to the revision before.

        Raises:
            Conflict: When the slot runs a version that neither was there nor was put there by this change.
        """
        found = self.cluster.slot(self.slot).version
        if found not in ("", before["version"], self.version):
            raise Conflict(
                f"slot {self.slot} runs {found}, which this change did not put there: somebody else has deployed "
                "since, so it is left; clear it by hand"
            )
        self.releaser.restore(self.slot, int(before["revision"]), deadline_s=self.deadline_s)

    def observe_undone(self, before: Mapping[str, Any]) -> Observation:
        """Whether the slot runs what it ran before."""
        seen = self.cluster.slot(self.slot)
        ready = seen.ready == seen.desired == len(seen.pods) == int(before["replicas"])
        holds = ready and seen.version == before["version"]
        text = f"slot {self.slot} runs {seen.version or 'nothing'} in {len(seen.pods)} pods, {seen.ready} of them ready"
        return Observation(holds, text, self.clock.now(), {"pods": list(seen.pods), "version": seen.version})

    def _reached(self) -> bool:
        answer = self.client.get(self.path, headers={self.slot_header: self.slot})
        return answer.status == _OK and self.client.origin(answer).slot == self.slot
