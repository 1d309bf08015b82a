"""What starts and stops a region's database server in Kubernetes: a StatefulSet, and orders that its start reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast, get_args

from kubernetes import client
from kubernetes.client.exceptions import ApiException

from drillbook.drivers.kubernetes import TIMEOUT_S, asking
from drillbook.ports import ServerOrders, Unreachable

if TYPE_CHECKING:
    from collections.abc import Mapping

_KEY = "orders"
_ABSENT, _WAITS = 404, 400
_SAID_LINES, _SAID_BYTES = 2000, 1024 * 1024


@dataclass(frozen=True, slots=True)
class StatefulSetDatabase:
    """A StatefulSet of at most one pod.

    Attributes:
        api: The cluster's client.
        namespace: Of both.
        name: Of the StatefulSet.
        config_map: Holds the orders; belongs to no chart, and may be missing, which orders nothing.
    """

    api: client.ApiClient
    namespace: str = "data"
    name: str = "postgres"
    config_map: str = "postgres-orders"

    def orders(self) -> ServerOrders:
        """Those that hold for its next start.

        Raises:
            Unreachable: When the cluster does not answer, or they are none that the start knows.
        """
        with asking(self.api, f"read the ConfigMap {self.namespace}/{self.config_map}"):
            try:
                found: Any = self._core().read_namespaced_config_map(
                    self.config_map, self.namespace, _request_timeout=TIMEOUT_S
                )
            except ApiException as error:
                if error.status != _ABSENT:
                    raise
                return ""
        orders = cast("Mapping[str, str]", found.data or {}).get(_KEY, "")
        if orders not in get_args(ServerOrders):
            raise Unreachable(
                f"the ConfigMap {self.namespace}/{self.config_map} orders {orders!r}, which is none of "
                f"{', '.join(repr(known) for known in get_args(ServerOrders))}; set it by hand"
            )
        return cast("ServerOrders", orders)

    def order(self, orders: ServerOrders) -> None:
        """Give them; made when missing."""
        body = client.V1ConfigMap(metadata=client.V1ObjectMeta(name=self.config_map), data={_KEY: orders})
        with asking(self.api, f"write the ConfigMap {self.namespace}/{self.config_map}"):
            try:
                self._core().replace_namespaced_config_map(
                    self.config_map, self.namespace, body, _request_timeout=TIMEOUT_S
                )
            except ApiException as error:
                if error.status != _ABSENT:
                    raise
                self._core().create_namespaced_config_map(self.namespace, body, _request_timeout=TIMEOUT_S)

    def stop(self) -> None:
        """Ask for no pod; each is ended in order."""
        self._scale(0)

    def lose(self) -> None:
        """Ask for no pod, and have the one there is ended without any time for it."""
        self._scale(0)
        with asking(self.api, f"delete the pod {self.namespace}/{self.name}-0"):
            try:
                self._core().delete_namespaced_pod(
                    f"{self.name}-0", self.namespace, body=client.V1DeleteOptions(grace_period_seconds=0),
                    _request_timeout=TIMEOUT_S,
                )  # fmt: skip
            except ApiException as error:
                if error.status != _ABSENT:
                    raise

    def start(self) -> None:
        """Ask for one."""
        self._scale(1)

    def said(self) -> str:
        """What the pod's server has printed to the last; empty while there is no such pod, or nothing of it."""
        with asking(self.api, f"read what the pod {self.namespace}/{self.name}-0 printed"):
            try:
                return str(
                    self._core().read_namespaced_pod_log(
                        f"{self.name}-0", self.namespace, container=self.name, tail_lines=_SAID_LINES,
                        limit_bytes=_SAID_BYTES, _request_timeout=TIMEOUT_S,
                    )
                )  # fmt: skip
            except ApiException as error:
                # 400: its container waits to be started.
                if error.status not in {_ABSENT, _WAITS}:
                    raise
                return ""

    def running(self) -> bool:
        """Whether a pod is left, also one that is about to end: while its node is silent it may write on."""
        with asking(self.api, f"list the pods of {self.namespace}/{self.name}"):
            found: Any = self._core().list_namespaced_pod(self.namespace, _request_timeout=TIMEOUT_S)
        return any(self._is_its(pod) and pod.status.phase not in {"Succeeded", "Failed"} for pod in found.items)

    def wanted(self) -> bool:
        """Whether a pod is asked for."""
        with asking(self.api, f"read the scale of the StatefulSet {self.namespace}/{self.name}"):
            found: Any = client.AppsV1Api(self.api).read_namespaced_stateful_set_scale(
                self.name, self.namespace, _request_timeout=TIMEOUT_S
            )
        # The cluster leaves a 0 out.
        return bool(found.spec.replicas)

    def _is_its(self, pod: Any) -> bool:
        """By who owns it: its labels are the chart's to choose."""
        owners = pod.metadata.owner_references or ()
        return any((owner.kind, owner.name) == ("StatefulSet", self.name) for owner in owners)

    def _scale(self, replicas: int) -> None:
        with asking(self.api, f"scale the StatefulSet {self.namespace}/{self.name} to {replicas}"):
            client.AppsV1Api(self.api).patch_namespaced_stateful_set_scale(
                self.name, self.namespace, {"spec": {"replicas": replicas}}, _request_timeout=TIMEOUT_S
            )

    def _core(self) -> client.CoreV1Api:
        return client.CoreV1Api(self.api)
