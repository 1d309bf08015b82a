"""Put a release into a slot: one that takes no public traffic, or in place of what the public has."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from drillbook.domain import slot_history
from drillbook.ports import Conflict, Observation

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from drillbook.domain.slot_history import Revision
    from drillbook.ports import Client, Clock, Cluster, Releaser, Router, SlotStatus

UPDATE = "update-release"
"""Registered name of an update in place."""

_OK = 200
_TRIES_FOR_EACH_POD = 3


def _of_nobody_else() -> str:
    return f"drillbook {secrets.token_hex(8)}"


@dataclass(frozen=True, slots=True)
class Deploy:
    """Install or upgrade.

    In effect once the cluster shows every replica of the new version ready, and no other pod, and the gateway leads to
    them: it learns of new pods a moment later.

    Attributes:
        releaser: Changes the slot.
        cluster: Shows what really runs: the API's own word, not that of the tool which installed.
        router: Shows whether the public is led to the slot.
        client: Asks for the slot through the gateway.
        slot_header: Request header that names the slot to the gateway.
        path: What is asked for to see who answers; cheap and always answered.
        clock: The run's.
        slot: Where to.
        release: What, by the name that the releaser knows.
        version: The version that it is to show.
        deadline_s: For the installation, and again for readiness.
        mark: By which this deployment is known again; empty for one that an older version of Drillbook made.
        in_place: Whether the slot is the one that the public is led to, whose pods are replaced under its traffic.
    """

    releaser: Releaser
    cluster: Cluster
    router: Router
    client: Client
    slot_header: str
    path: str
    clock: Clock
    slot: str
    release: str
    version: str
    deadline_s: float = 120.0
    mark: str = field(default_factory=_of_nobody_else)
    in_place: bool = False

    @property
    def name(self) -> str:
        """Its registered name."""
        return UPDATE if self.in_place else "deploy-release"

    @property
    def arguments(self) -> Mapping[str, Any]:
        """What it was made with."""
        return {"slot": self.slot, "release": self.release, "mark": self.mark}

    @property
    def touches(self) -> tuple[str, ...]:
        """The slot."""
        return (f"slot/{self.slot}",)

    def describe(self) -> str:
        """In words."""
        flaw = f", which {self.release}" if self.release != self.version else ""
        if self.in_place:
            return f"update slot {self.slot}, which has the public, to release {self.version}{flaw}"
        return f"deploy release {self.version}{flaw}, to the idle slot {self.slot}"

    def capture(self) -> Mapping[str, Any]:
        """What the slot holds now.

        Raises:
            Conflict: When it has the public and is to be updated, and that could not be taken back, or would be none;
                when it runs something that Helm could not bring back.
        """
        status, there = self.cluster.slot(self.slot), slot_history.Before.of(self.releaser.history(self.slot))
        if self.in_place:
            self._see_that_it_can_be_updated(status, there)
        elif status.version and not there.revision:
            # Undone as what an empty slot got, it would be taken away.
            raise Conflict(
                f"slot {self.slot} runs {status.version}, and Helm has no revision of it that counts as deployed, so "
                "that it could not be brought back: release it with Helm once more, or clear the slot by hand"
            )
        return {
            "revision": there.revision, "last": there.last, "version": status.version, "replicas": status.desired,
        }  # fmt: skip

    def _see_that_it_can_be_updated(self, status: SlotStatus, there: slot_history.Before) -> None:
        if not 0 < there.revision == there.last:
            found = f"revision {there.last}, which is unfinished" if there.last else "no revision of it"
            raise Conflict(
                f"slot {self.slot} has the public, and Helm knows {found}, so that an update could not be taken back: "
                "release what is live with Helm first"
            )
        asked = self.releaser.replicas(self.slot)
        if asked not in (None, status.desired):
            raise Conflict(
                f"slot {self.slot} was scaled to {status.desired} pods, and its release asks for {asked}: an update "
                "would take the others away, and no way back would bring them; release it with as many as it has"
            )
        if status.version == self.version:
            raise Conflict(
                f"slot {self.slot} has release {self.version} already, so that nothing would be updated: say with "
                "releases.overrides which version the new release is"
            )

    def do(self) -> None:
        """Install or upgrade."""
        self.releaser.deploy(self.slot, self.release, mark=self.mark, deadline_s=self.deadline_s)

    def observe(self) -> Observation:
        """What the cluster runs in the slot, and whether the gateway leads there."""
        seen = self.cluster.slot(self.slot)
        whole = seen.version == self.version and 0 < seen.desired == seen.ready == len(seen.pods)
        reached = whole and all(self._reached() for _ in range(_TRIES_FOR_EACH_POD * seen.desired))
        text = f"slot {self.slot} runs {seen.version or 'nothing'} with {seen.ready} of {seen.desired} pods ready"
        if whole:
            text += ", and the gateway leads there" if reached else ", and the gateway does not lead there yet"
        data = {
            "pods": list(seen.pods), "version": seen.version, "images": list(seen.images),
            "bounds": {name: list(has) for name, has in seen.bounds.items()},
        }  # fmt: skip
        return Observation(reached, text, self.clock.now(), data)

    def undo(self, before: Mapping[str, Any]) -> None:
        """Back to the revision before.

        Raises:
            Conflict: When the slot has something that neither was there nor was put there by this change, or when the
                public is led to what this change has put into an idle slot.
        """
        history = self.releaser.history(self.slot)
        self._see_that_it_is_ours(history, before)
        if slot_history.is_as_before(history, int(before["revision"])):
            return
        if not self.in_place:
            self._see_that_nobody_is_led_there()
        self.releaser.restore(self.slot, int(before["revision"]), deadline_s=self.deadline_s)

    def _see_that_it_is_ours(self, history: Sequence[Revision], before: Mapping[str, Any]) -> None:
        found = self.cluster.slot(self.slot).version
        if found not in ("", before["version"], self.version):
            raise Conflict(
                f"slot {self.slot} runs {found}, which this change did not put there: somebody else has deployed "
                "since, so it is left; clear it by hand"
            )
        if not self.mark:
            return  # which revision was its own an older version has not written down
        there = slot_history.Before(int(before["revision"]), int(before["last"]))
        other = slot_history.somebody_elses(history, there, self.mark)
        if other is not None:
            raise Conflict(
                f"revision {other.number} of slot {self.slot} ({other.mark or 'without a description'}) is not this "
                "change's: somebody else has deployed since, so it is left; clear it by hand"
            )

    def _see_that_nobody_is_led_there(self) -> None:
        """A switch of the same run is undone before this: the weight that is left is somebody else's."""
        weight = self.router.weights().get(self.slot, 0)
        if weight > 0:
            raise Conflict(
                f"slot {self.slot} has {weight} % of the public's traffic, which this change did not lead there: "
                "somebody else has released what is in it, so it is left; what to do is in docs/recover.md"
            )

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
