"""Shares of traffic by a Gateway API HTTPRoute: the weights of its last rule.

The rules before it match a header and lead to one slot each; they are never touched.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kubernetes import client
from kubernetes.client.exceptions import ApiException

from drillbook.drivers.kubernetes import TIMEOUT_S, asking
from drillbook.ports import Unreachable

if TYPE_CHECKING:
    from collections.abc import Mapping

_GROUP, _VERSION, _PLURAL = "gateway.networking.k8s.io", "v1", "httproutes"
_ATTEMPTS = 5
_DEFAULT_WEIGHT = 1  # of a backend that names none, by the Gateway API's specification


@dataclass(frozen=True, slots=True)
class GatewayApiRouter:
    """One HTTPRoute.

    Attributes:
        api: The cluster's client.
        namespace: Of the route.
        route: Its name.
        slots: Slot to the name of its backend Service.
    """

    api: client.ApiClient
    namespace: str
    route: str
    slots: Mapping[str, str]

    def weights(self) -> dict[str, int]:
        """Slot to weight, as declared now.

        Raises:
            Unreachable: When the cluster does not answer, or the route is not as described.
        """
        places = self._backends(self._read())
        return {slot: int(reference.get("weight", _DEFAULT_WEIGHT)) for slot, (_, reference) in places.items()}

    def set_weights(self, weights: Mapping[str, int]) -> None:
        """Declare new weights, all in one change; a change by somebody else in between is read again, not overwritten.

        Raises:
            Unreachable: When the cluster does not answer or refuses, or the route is not as described.
        """
        for _ in range(_ATTEMPTS):
            route = self._read()
            rule = len(route["spec"]["rules"]) - 1
            places = self._backends(route)
            unknown = set(weights) - set(places)
            if unknown:
                raise Unreachable(f"{self._named()} has no backend for the slot {', '.join(sorted(unknown))}")
            patch: list[dict[str, Any]] = [
                {"op": "test", "path": "/metadata/resourceVersion", "value": route["metadata"]["resourceVersion"]}
            ]
            patch += [
                {"op": "add", "path": f"/spec/rules/{rule}/backendRefs/{places[slot][0]}/weight", "value": int(weight)}
                for slot, weight in weights.items()
            ]
            with asking(self.api, f"change the weights of {self._named()}"):
                try:
                    client.CustomObjectsApi(self.api).patch_namespaced_custom_object(
                        _GROUP, _VERSION, self.namespace, _PLURAL, self.route, patch,
                        _content_type="application/json-patch+json", _request_timeout=TIMEOUT_S,
                    )  # fmt: skip
                except ApiException as error:
                    if error.status not in {409, 422}:
                        raise
                    continue  # the test of the resource version failed: somebody changed the route meanwhile
                return
        raise Unreachable(f"{self._named()} was changed by somebody else at each of {_ATTEMPTS} attempts; find out who")

    def backends(self) -> dict[str, str]:
        """Slot to the name of its backend Service."""
        return dict(self.slots)

    def _read(self) -> dict[str, Any]:
        with asking(self.api, f"show {self._named()}"):
            found: Any = client.CustomObjectsApi(self.api).get_namespaced_custom_object(
                _GROUP, _VERSION, self.namespace, _PLURAL, self.route, _request_timeout=TIMEOUT_S
            )
            # The client makes nothing of an object that it does not know, and hands on whatever came.
            if not _is_route(found):
                raise ValueError("it is no HTTPRoute")
        return found

    def _backends(self, route: Mapping[str, Any]) -> dict[str, tuple[int, dict[str, Any]]]:
        """Slot to the place and content of its backend reference in the last rule."""
        rules: list[dict[str, Any]] = route["spec"].get("rules") or [{}]
        references: list[dict[str, Any]] = rules[-1].get("backendRefs") or []
        places = {ref.get("name"): (index, ref) for index, ref in enumerate(references)}
        missing = sorted(set(self.slots.values()) - set(places))
        if missing:
            raise Unreachable(f"the last rule of {self._named()} lacks the backend {', '.join(missing)}")
        return {slot: places[name] for slot, name in self.slots.items()}

    def _named(self) -> str:
        return f"the HTTPRoute {self.namespace}/{self.route}"


def _is_route(found: Any) -> bool:
    """By the parts that are gone by here."""
    try:
        return bool(found["metadata"]["resourceVersion"]) and isinstance(found["spec"], dict)
    except (KeyError, TypeError):
        return False
