"""Drillbook's own small documents in the target cluster: one ConfigMap each, in a namespace of its own."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from kubernetes import client
from kubernetes.client.exceptions import ApiException

from drillbook.drivers.kubernetes import TIMEOUT_S, asking
from drillbook.ports import Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_LABELS = {"app.kubernetes.io/managed-by": "drillbook"}
_SELECTOR = ",".join(f"{key}={value}" for key, value in _LABELS.items())
_KEY = "document.json"


@dataclass(frozen=True, slots=True)
class ConfigMapStore:
    """Documents by name.

    Attributes:
        api: The cluster's client.
        namespace: Where the ConfigMaps live; it has to exist.
        redact: Takes secrets out of what is stored.
    """

    api: client.ApiClient
    namespace: str = "drillbook"
    redact: Callable[[object], Any] = lambda document: document

    def put(self, name: str, document: Mapping[str, Any]) -> None:
        """Create or replace."""
        core = client.CoreV1Api(self.api)
        text = json.dumps(self.redact(document), sort_keys=True)
        body = client.V1ConfigMap(metadata=client.V1ObjectMeta(name=name, labels=_LABELS), data={_KEY: text})
        with asking(self.api, f"write the ConfigMap {self.namespace}/{name}"):
            try:
                core.replace_namespaced_config_map(name, self.namespace, body, _request_timeout=TIMEOUT_S)
            except ApiException as error:
                if error.status != 404:  # noqa: PLR2004 - HTTP's own number
                    raise
                core.create_namespaced_config_map(self.namespace, body, _request_timeout=TIMEOUT_S)

    def get(self, name: str) -> dict[str, Any] | None:
        """The document, or None.

        Raises:
            Unreachable: When the cluster does not answer, or what is there is no document of ours.
        """
        with asking(self.api, f"read the ConfigMap {self.namespace}/{name}"):
            try:
                found: Any = client.CoreV1Api(self.api).read_namespaced_config_map(
                    name, self.namespace, _request_timeout=TIMEOUT_S
                )
            except ApiException as error:
                if error.status == 404:  # noqa: PLR2004 - HTTP's own number
                    return None
                raise
        try:
            document: dict[str, Any] = json.loads(cast("dict[str, str]", found.data or {})[_KEY])
        except (KeyError, ValueError) as error:
            raise Unreachable(
                f"the ConfigMap {self.namespace}/{name} holds no document of Drillbook's; look at it, and delete it by "
                "hand"
            ) from error
        return dict(document)

    def names(self, prefix: str = "") -> list[str]:
        """All names with a prefix, sorted."""
        with asking(self.api, f"list the ConfigMaps in {self.namespace}"):
            found: Any = client.CoreV1Api(self.api).list_namespaced_config_map(
                self.namespace, label_selector=_SELECTOR, _request_timeout=TIMEOUT_S
            )
        return sorted(item.metadata.name for item in found.items if item.metadata.name.startswith(prefix))

    def delete(self, name: str) -> None:
        """Idempotent."""
        with asking(self.api, f"delete the ConfigMap {self.namespace}/{name}"):
            try:
                client.CoreV1Api(self.api).delete_namespaced_config_map(
                    name, self.namespace, _request_timeout=TIMEOUT_S
                )
            except ApiException as error:
                if error.status != 404:  # noqa: PLR2004 - HTTP's own number
                    raise
