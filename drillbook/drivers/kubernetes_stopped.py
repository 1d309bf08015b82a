"""A deployment that is stopped for a while: asked for no pod, and afterwards for as many as before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kubernetes import client

from drillbook.drivers.kubernetes import TIMEOUT_S, asking
from drillbook.drivers.kubernetes_faults import KubernetesPods
from drillbook.ports import Conflict, Unreachable
from drillbook.ports.fault import Look

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@dataclass(frozen=True, slots=True)
class StoppedDeployment:
    """One deployment.

    Attributes:
        api: Gives the cluster's client.
        namespace: Of the deployment.
        deployment: Its name.
        selector: Labels of its pods.
    """

    api: Callable[[], client.ApiClient]
    namespace: str
    deployment: str
    selector: str

    @property
    def named(self) -> str:
        """Which one."""
        return f"deployment {self.namespace}/{self.deployment}"

    def note(self) -> Mapping[str, Any]:
        """How many pods are asked for.

        Raises:
            Unreachable: When none is, or the cluster does not answer.
        """
        replicas = self._replicas()
        if not replicas:
            raise Unreachable(f"the {self.named} is asked for no pod already, so it cannot be stopped")
        return {"replicas": replicas}

    def take(self) -> None:
        """Ask for none."""
        self._scale(0)

    def give_back(self, noted: Mapping[str, Any]) -> None:
        """Ask for as many as before.

        Raises:
            Conflict: When somebody asks for another number since.
        """
        replicas, wanted = self._replicas(), int(noted["replicas"])
        if replicas not in {0, wanted}:
            raise Conflict(
                f"the {self.named} is asked for {replicas} pods, where it had {wanted} before and 0 during the fault: "
                "somebody else has scaled it since, so it is left"
            )
        if replicas != wanted:
            self._scale(wanted)

    def look(self, noted: Mapping[str, Any]) -> Look:
        """Its pods, as their nodes report them."""
        found = KubernetesPods(self.api).listed(self.namespace, self.selector)
        ready = sum(pod.ready for pod in found)
        text = f"{ready} of {len(found)} pods of the {self.named} are ready"
        return Look(not found, ready == len(found) == int(noted.get("replicas", -1)), text, {"ready": ready})

    def _replicas(self) -> int:
        with asking(self.api(), f"show how far the {self.named} is scaled"):
            found: Any = client.AppsV1Api(self.api()).read_namespaced_deployment_scale(
                self.deployment, self.namespace, _request_timeout=TIMEOUT_S
            )
        return int(found.spec.replicas or 0)

    def _scale(self, replicas: int) -> None:
        with asking(self.api(), f"scale the {self.named} to {replicas}"):
            client.AppsV1Api(self.api()).patch_namespaced_deployment_scale(
                self.deployment, self.namespace, {"spec": {"replicas": replicas}}, _request_timeout=TIMEOUT_S
            )
