"""End one pod at once, as its node would lose it, and see that its place is filled again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from drillbook.actions.faults.chosen import Chosen
from drillbook.domain.fault import Reach
from drillbook.ports import Observation, Unreachable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from drillbook.ports import Clock
    from drillbook.ports.fault import Pod, Pods


@dataclass(frozen=True, slots=True)
class KillPod:
    """One pod of a group ends at once.

    In effect once its node reports that it is gone: it is never deleted by force, since the API would then forget it
    before anything had ended. There is nothing to undo; what is waited for is the replacement.

    Attributes:
        name: The registered name under which it is done.
        pods: The region's.
        clock: The run's.
        namespace: Of the group.
        selector: Labels of the group.
        victim: Name of the pod.
        uid: Which one of that name.
        deadline_s: For its end, and again for its replacement to be ready.
    """

    name: str
    pods: Pods
    clock: Clock
    namespace: str
    selector: str
    victim: str
    uid: str
    deadline_s: float = 60.0

    @property
    def arguments(self) -> Mapping[str, Any]:
        """What it was made with."""
        return {"namespace": self.namespace, "selector": self.selector, "victim": self.victim, "uid": self.uid}

    @property
    def touches(self) -> tuple[str, ...]:
        """The group of pods."""
        return (f"pods/{self.namespace}/{self.selector}",)

    def describe(self) -> str:
        """In words."""
        return f"kill pod {self.victim} in {self.namespace}"

    def capture(self) -> Mapping[str, Any]:
        """How many of the group are ready.

        Raises:
            Unreachable: When the pod is not there any more.
        """
        group = self._group()
        if self.uid not in {pod.uid for pod in group}:
            raise Unreachable(f"pod {self.victim} in {self.namespace} is gone already: somebody else has ended it")
        return {"ready": sum(pod.ready for pod in group), "since_s": self.clock.now()}

    def do(self) -> None:
        """Have the node end it."""
        for pod in self._group():
            if pod.uid == self.uid:
                self.pods.kill(pod)

    def observe(self) -> Observation:
        """Whether the node still has it."""
        group = self._group()
        gone = self.uid not in {pod.uid for pod in group}
        text = f"pod {self.victim} is {'gone' if gone else 'still there'}, and {self._counted(group)}"
        return Observation(gone, text, self.clock.now(), {"pods": [pod.name for pod in group]})

    def undo(self, before: Mapping[str, Any]) -> None:
        """Nothing: its controller replaces it."""

    def observe_undone(self, before: Mapping[str, Any]) -> Observation:
        """Whether as many are ready as before, and none is about to end."""
        group = self._group()
        ready = sum(pod.ready for pod in group)
        whole = ready >= int(before["ready"]) and ready == len(group)
        data = {"pods": [pod.name for pod in group], "ready": ready}
        return Observation(whole, self._counted(group), self.clock.now(), data)

    def _group(self) -> tuple[Pod, ...]:
        return self.pods.listed(self.namespace, self.selector)

    def _counted(self, group: tuple[Pod, ...]) -> str:
        ready = sum(pod.ready for pod in group)
        return f"{ready} of {len(group)} pods {self.selector} in {self.namespace} are ready"


def kill_one(
    name: str, pods: Pods, clock: Clock, *, region: str, namespace: str, selector: str, keeps_data: bool = False
) -> Chosen:
    """The action that kills the first ready pod of a group.

    Args:
        name: The registered name under which it is done.
        pods: The region's.
        clock: The run's.
        region: Which region that is.
        namespace: Of the group.
        selector: Its labels.
        keeps_data: Whether it holds what must not be lost with it, and is the one that takes it.

    Raises:
        Unreachable: When none is ready, its data would end with it, or nobody can tell which one takes them.
    """
    group = pods.listed(namespace, selector)
    ready = [pod for pod in group if pod.ready]
    if not ready:
        raise Unreachable(f"no pod {selector} in {namespace} is ready, so there is none to kill")
    if keeps_data and len(group) > 1:
        names = ", ".join(pod.name for pod in group)
        raise Unreachable(
            f"the labels {selector} in {namespace} are those of {names}: which one takes writes is not said, and the "
            "end of a replica would show nothing; give labels that only the primary has"
        )
    victim = ready[0]
    if keeps_data and not victim.claims:
        raise Unreachable(
            f"pod {victim.name} in {namespace} has no persistent volume: what it keeps would be lost with it, so it is "
            "not killed"
        )
    action = KillPod(name, pods, clock, namespace, selector, victim.name, victim.uid)
    return Chosen(action, Reach((region,), (namespace,), taken=1, of=len(ready)))
