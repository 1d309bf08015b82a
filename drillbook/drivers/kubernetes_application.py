"""Which region's database a region's application tries first: a ConfigMap that its pods read when they start."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

from kubernetes import client
from kubernetes.client.exceptions import ApiException

from drillbook.drivers.kubernetes import TIMEOUT_S, asking
from drillbook.ports import Unreachable

if TYPE_CHECKING:
    from collections.abc import Mapping

_RESTARTED = "drillbook/restarted-at"
_ABSENT = 404


@dataclass(frozen=True, slots=True)
class ConfigMapHosts:
    """Hosts and ports in libpq's form, comma-separated and in the order in which they are tried (`PGHOST`, `PGPORT`).

    Attributes:
        api: The cluster's client.
        namespace: Of the application.
        config_map: With the keys `hosts` and `ports`; belongs to no chart, so that an upgrade does not point it back.
        addresses: Region to `host:port`, as this region's application reaches its database.
        deployments: Whose pods read it; one that is not there is passed over.
    """

    api: client.ApiClient
    namespace: str
    config_map: str
    addresses: Mapping[str, str]
    deployments: tuple[str, ...]

    def points_at(self) -> str:
        """The region that is tried first.

        Raises:
            Unreachable: When the cluster does not answer, or what it says leads to none of the regions.
        """
        with asking(self.api, f"read the ConfigMap {self.namespace}/{self.config_map}"):
            found: Any = client.CoreV1Api(self.api).read_namespaced_config_map(
                self.config_map, self.namespace, _request_timeout=TIMEOUT_S
            )
        data = cast("Mapping[str, str]", found.data or {})
        first = ":".join(data.get(key, "").split(",")[0] for key in ("hosts", "ports"))
        for region, address in self.addresses.items():
            if address == first:
                return region
        raise Unreachable(
            f"the ConfigMap {self.namespace}/{self.config_map} leads to {first!r} first, which is none of "
            f"{', '.join(self.addresses.values())}; set it by hand"
        )

    def point_at(self, region: str) -> None:
        """Have it tried first, by pods that start from now on; idempotent."""
        parts = [self.addresses[region], *(there for name, there in self.addresses.items() if name != region)]
        hosts, ports = zip(*(part.rsplit(":", 1) for part in parts), strict=True)
        data = {"hosts": ",".join(hosts), "ports": ",".join(ports)}
        with asking(self.api, f"write the ConfigMap {self.namespace}/{self.config_map}"):
            client.CoreV1Api(self.api).patch_namespaced_config_map(
                self.config_map, self.namespace, {"data": data}, _request_timeout=TIMEOUT_S
            )
        for deployment in self.deployments:
            self._restart(deployment)

    def _restart(self, deployment: str) -> None:
        """As `kubectl rollout restart` does: by an annotation of the pods' template."""
        stamp = datetime.now(UTC).isoformat()
        patch = {"spec": {"template": {"metadata": {"annotations": {_RESTARTED: stamp}}}}}
        with asking(self.api, f"restart the deployment {self.namespace}/{deployment}"):
            try:
                client.AppsV1Api(self.api).patch_namespaced_deployment(
                    deployment, self.namespace, patch, _request_timeout=TIMEOUT_S
                )
            except ApiException as error:
                if error.status != _ABSENT:
                    raise
