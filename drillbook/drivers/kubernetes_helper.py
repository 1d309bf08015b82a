"""A pod of the harness' own that does harm from within, in bounds: it presses on its neighbours or fills a volume.

Its name is always the same, so that the right to end it is bound to that name. It ends by itself in time, whatever
becomes of the harness.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from kubernetes import client
from kubernetes.client.exceptions import ApiException

from drillbook.drivers.kubernetes import TIMEOUT_S, asking
from drillbook.ports import Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_ABSENT, _THERE = 404, 409


@dataclass(frozen=True, slots=True)
class Work:
    """What a helper does.

    Attributes:
        script: Python that it runs.
        arguments: Of the script.
        ready: Command whose success shows that it does its work; run by the node, not by the helper itself.
        limits: Of the container; empty for none.
        requests: Likewise.
        user: Numeric id that it runs under.
        group: Likewise of its group; None for that of the same number.
        beside: Labels of pods on whose node it runs; empty for wherever.
        node: Name of the node that it runs on, also one that takes no new pods; empty for wherever.
        claim: Persistent volume claim of somebody else's that it mounts at /volume; empty for none.
        again: Whether it starts again when it was ended.
    """

    script: str
    arguments: tuple[str, ...] = ()
    ready: tuple[str, ...] = ()
    limits: Mapping[str, str] | None = None
    requests: Mapping[str, str] | None = None
    user: int = 65534
    group: int | None = None
    beside: str = ""
    node: str = ""
    claim: str = ""
    again: bool = False


@dataclass(frozen=True, slots=True)
class Status:
    """How the helper is.

    Attributes:
        phase: As Kubernetes has it; empty when there is no such pod.
        ready: Whether its node found that it does its work.
        ended: Reasons for which its container was ended last, and the time before, for example `OOMKilled`.
        node: Where it runs.
        restarts: How often its container was started again.
    """

    phase: str
    ready: bool = False
    ended: tuple[str, ...] = ()
    node: str = ""
    restarts: int = 0


@dataclass(frozen=True, slots=True)
class Helper:
    """One pod.

    Attributes:
        api: Gives the cluster's client.
        namespace: Where.
        name: Its name.
        image: With Python.
        lives_s: After which it ends by itself, in seconds.
    """

    api: Callable[[], client.ApiClient]
    namespace: str
    name: str
    image: str
    lives_s: float

    def start(self, work: Work) -> None:
        """Make it; one that is there is left.

        Raises:
            Unreachable: When the cluster does not answer or refuses.
        """
        with asking(self.api(), f"make the pod {self.namespace}/{self.name}"):
            try:
                client.CoreV1Api(self.api()).create_namespaced_pod(
                    self.namespace, cast("Any", self.manifest(work)), _request_timeout=TIMEOUT_S
                )
            except ApiException as error:
                if error.status != _THERE:
                    raise

    def remove(self) -> None:
        """End it; one that is gone is fine."""
        options = client.V1DeleteOptions(grace_period_seconds=1)
        with asking(self.api(), f"delete the pod {self.namespace}/{self.name}"):
            try:
                client.CoreV1Api(self.api()).delete_namespaced_pod(
                    self.name, self.namespace, body=options, _request_timeout=TIMEOUT_S
                )
            except ApiException as error:
                if error.status != _ABSENT:
                    raise

    def status(self) -> Status:
        """How it is.

        Raises:
            Unreachable: When the cluster does not answer.
        """
        with asking(self.api(), f"show the pod {self.namespace}/{self.name}"):
            try:
                found: Any = client.CoreV1Api(self.api()).read_namespaced_pod(
                    self.name, self.namespace, _request_timeout=TIMEOUT_S
                )
            except ApiException as error:
                if error.status != _ABSENT:
                    raise
                return Status("")
        ready = any(c.type == "Ready" and c.status == "True" for c in found.status.conditions or ())
        containers = found.status.container_statuses or ()
        states = [s for one in containers for s in (one.state, one.last_state)]
        ended = tuple(str(s.terminated.reason) for s in states if s is not None and s.terminated is not None)
        restarts = sum(int(one.restart_count) for one in containers)
        return Status(str(found.status.phase), ready, ended, str(found.spec.node_name or ""), restarts)

    def refuse_another(self) -> None:
        """See that there is none yet.

        Raises:
            Unreachable: When there is, whoever made it.
        """
        if self.status().phase:
            raise Unreachable(
                f"there is a pod {self.namespace}/{self.name} already, which only drills make: see whose it is, and "
                "delete it"
            )

    def manifest(self, work: Work) -> dict[str, Any]:
        """The pod, as restricted Pod Security lets it through."""
        volumes: list[dict[str, Any]] = [{"name": "tmp", "emptyDir": {"sizeLimit": "1Mi"}}]
        mounts = [{"name": "tmp", "mountPath": "/tmp"}]  # noqa: S108 - of the pod's own
        if work.claim:
            volumes.append({"name": "volume", "persistentVolumeClaim": {"claimName": work.claim}})
            mounts.append({"name": "volume", "mountPath": "/volume"})
        container: dict[str, Any] = {
            "name": "helper",
            "image": self.image,
            "command": ["python3", "-c", work.script, *work.arguments],
            "resources": {"limits": dict(work.limits or {}), "requests": dict(work.requests or {})},
            "securityContext": {
                "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
            },
            "volumeMounts": mounts,
        }  # fmt: skip
        if work.ready:
            container["readinessProbe"] = {
                "exec": {"command": list(work.ready)}, "periodSeconds": 1, "timeoutSeconds": 5,
            }  # fmt: skip
        group = work.user if work.group is None else work.group
        # With a group of the file system's, the node makes all that is in a volume writable for that group: PostgreSQL
        # does not start again on files that are.
        volumes_of_its_own = {} if work.claim else {"fsGroup": group}
        return {
            "metadata": {"name": self.name, "labels": {"app.kubernetes.io/name": self.name}},
            "spec": {
                "containers": [container],
                "volumes": volumes,
                "restartPolicy": "Always" if work.again else "Never",
                "activeDeadlineSeconds": int(self.lives_s),
                "automountServiceAccountToken": False,
                "enableServiceLinks": False,
                "securityContext": {
                    "runAsNonRoot": True, "runAsUser": work.user, "runAsGroup": group, **volumes_of_its_own,
                    "seccompProfile": {"type": "RuntimeDefault"},
                },
                **_beside(work.beside),
                **({"nodeName": work.node} if work.node else {}),
            },
        }  # fmt: skip


def _beside(selector: str) -> Mapping[str, Any]:
    """On a node of these pods."""
    if not selector:
        return {}
    labels = dict(part.split("=", 1) for part in selector.split(","))
    terms: Sequence[Mapping[str, Any]] = [
        {"labelSelector": {"matchLabels": labels}, "topologyKey": "kubernetes.io/hostname"}
    ]
    return {"affinity": {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}}}
