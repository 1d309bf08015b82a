"""What faults do to a region's pods and nodes by its Kubernetes API, with the rights of `drillbook-resilience`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from kubernetes import client
from kubernetes.client.exceptions import ApiException

from drillbook.drivers.kubernetes import TIMEOUT_S, asking
from drillbook.ports.fault import Node, Pod

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MARK = "drillbook/cordoned"
"""Annotation of a node that a harness has cordoned."""

_GONE, _OTHER, _BUDGET = 404, 409, 429
_AT_ONCE_S = 1
"""Grace of a kill. With 0 the API forgets the pod before its node has ended it; with 1 the node ends it, by SIGKILL
some two seconds later where it has to, and then reports that it is gone."""


@dataclass(frozen=True, slots=True)
class KubernetesPods:
    """The pods of a region.

    Attributes:
        api: Gives the cluster's client; connected when it is first needed, which it is in few runs.
    """

    api: Callable[[], client.ApiClient]

    def listed(self, namespace: str, selector: str = "") -> tuple[Pod, ...]:
        """Those that have not ended, sorted by name.

        Raises:
            Unreachable: When the cluster does not answer.
        """
        with asking(self.api(), f"list the pods {selector} in {namespace}"):
            found: Any = self._core().list_namespaced_pod(
                namespace, label_selector=selector or None, _request_timeout=TIMEOUT_S
            )
        there = [pod for pod in found.items if pod.status.phase not in {"Succeeded", "Failed"}]
        return tuple(sorted((_pod(pod) for pod in there), key=lambda pod: pod.name))

    def selector(self, namespace: str, deployment: str) -> str:
        """Label selector of a deployment's pods.

        Raises:
            Unreachable: When the cluster does not answer, or has none of this name.
        """
        with asking(self.api(), f"show the deployment {namespace}/{deployment}"):
            found: Any = client.AppsV1Api(self.api()).read_namespaced_deployment(
                deployment, namespace, _request_timeout=TIMEOUT_S
            )
        labels = cast("Mapping[str, str]", found.spec.selector.match_labels)
        return ",".join(f"{key}={value}" for key, value in labels.items())

    def kill(self, pod: Pod) -> None:
        """Have its node end it at once; one that is gone, or another of its name, is left."""
        options = client.V1DeleteOptions(
            grace_period_seconds=_AT_ONCE_S, preconditions=client.V1Preconditions(uid=pod.uid)
        )
        with asking(self.api(), f"delete the pod {pod.namespace}/{pod.name}"):
            try:
                self._core().delete_namespaced_pod(pod.name, pod.namespace, body=options, _request_timeout=TIMEOUT_S)
            except ApiException as error:
                if error.status not in {_GONE, _OTHER}:
                    raise

    def evict(self, pod: Pod) -> bool:
        """Ask for its orderly end; False while a disruption budget does not allow it."""
        options = client.V1DeleteOptions(preconditions=client.V1Preconditions(uid=pod.uid))
        body = client.V1Eviction(metadata=client.V1ObjectMeta(name=pod.name), delete_options=options)
        with asking(self.api(), f"evict the pod {pod.namespace}/{pod.name}"):
            try:
                self._core().create_namespaced_pod_eviction(pod.name, pod.namespace, body, _request_timeout=TIMEOUT_S)
            except ApiException as error:
                if error.status == _BUDGET:
                    return False
                if error.status not in {_GONE, _OTHER}:
                    raise
        return True

    def _core(self) -> client.CoreV1Api:
        return client.CoreV1Api(self.api())


@dataclass(frozen=True, slots=True)
class KubernetesNodes:
    """The nodes of a region that may be drained.

    Attributes:
        api: Gives the cluster's client; connected when it is first needed, which it is in few runs.
        allowed: Their names.
    """

    api: Callable[[], client.ApiClient]
    allowed: tuple[str, ...]

    def names(self) -> tuple[str, ...]:
        """Of those that may be."""
        return self.allowed

    def node(self, name: str) -> Node:
        """One of them.

        Raises:
            Unreachable: When the cluster does not answer, or has none of this name.
        """
        with asking(self.api(), f"show the node {name}"):
            found: Any = client.CoreV1Api(self.api()).read_node(name, _request_timeout=TIMEOUT_S)
        ready = any(c.type == "Ready" and c.status == "True" for c in found.status.conditions or ())
        return Node(name, ready, not found.spec.unschedulable, MARK in (found.metadata.annotations or {}))

    def cordon(self, name: str) -> None:
        """Let no new pods onto it, and mark it."""
        self._patch(name, {"metadata": {"annotations": {MARK: "yes"}}, "spec": {"unschedulable": True}})

    def uncordon(self, name: str) -> None:
        """Undo of `cordon`."""
        self._patch(name, {"metadata": {"annotations": {MARK: None}}, "spec": {"unschedulable": None}})

    def _patch(self, name: str, body: dict[str, Any]) -> None:
        with asking(self.api(), f"change the node {name}"):
            client.CoreV1Api(self.api()).patch_node(name, body, _request_timeout=TIMEOUT_S)


def _pod(found: Any) -> Pod:
    ending = found.metadata.deletion_timestamp is not None
    ready = any(c.type == "Ready" and c.status == "True" for c in found.status.conditions or ())
    claims = (v.persistent_volume_claim for v in found.spec.volumes or ())
    return Pod(
        namespace=str(found.metadata.namespace),
        name=str(found.metadata.name),
        uid=str(found.metadata.uid),
        node=str(found.spec.node_name or ""),
        ready=ready and not ending,
        ending=ending,
        restarts=sum(int(status.restart_count) for status in found.status.container_statuses or ()),
        claims=tuple(str(claim.claim_name) for claim in claims if claim is not None),
        daemon=any(owner.kind == "DaemonSet" for owner in found.metadata.owner_references or ()),
        owner=next((str(owner.name) for owner in found.metadata.owner_references or () if owner.controller), ""),
    )
