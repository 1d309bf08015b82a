"""Workers of a load as Jobs: each ends by itself in time, whatever becomes of the harness, and is removed after."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from kubernetes import client
from kubernetes.client.exceptions import ApiException

from drillbook.drivers.kubernetes import TIMEOUT_S, asking
from drillbook.ports import WorkerStatus

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PREFIX = "drill-"
"""Of the names of jobs that the harness makes."""
_NAME = "drillbook-load"
_LABEL, _NUMBER = "drillbook/load", "drillbook/worker"
_REMOVED_AFTER_S = 600
_MOST_OUTPUT = 16 * 1024 * 1024
_ABSENT, _THERE, _NOT_YET = 404, 409, 400


@dataclass(frozen=True, slots=True)
class KubernetesWorkers:
    """Workers in one namespace, which has nothing else in it.

    Attributes:
        api: The cluster's client.
        namespace: Where.
        image: With the load's program, `drillbook.beside.load_worker`.
    """

    api: client.ApiClient
    namespace: str
    image: str

    def start(self, mark: str, plans: Sequence[Mapping[str, Any]], *, lives_s: float) -> None:
        """Make a Job for each plan; one that is there is left."""
        for worker, plan in enumerate(plans):
            manifest = self.manifest(mark, worker, plan, lives_s)
            with asking(self.api, f"make the job {self.namespace}/{manifest['metadata']['name']}"):
                try:
                    client.BatchV1Api(self.api).create_namespaced_job(
                        self.namespace, cast("Any", manifest), _request_timeout=TIMEOUT_S
                    )
                except ApiException as error:
                    if error.status != _THERE:
                        raise

    def status(self, mark: str) -> Sequence[WorkerStatus]:
        """How the workers' pods are."""
        return [_status(pod) for pod in self._pods(mark)]

    def printed(self, status: WorkerStatus) -> str:
        """What a worker has printed so far."""
        with asking(self.api, f"read what the pod {self.namespace}/{status.pod} printed"):
            try:
                return str(
                    client.CoreV1Api(self.api).read_namespaced_pod_log(
                        status.pod, self.namespace, limit_bytes=_MOST_OUTPUT, _request_timeout=TIMEOUT_S
                    )
                )
            except ApiException as error:
                if error.status not in {_ABSENT, _NOT_YET}:
                    raise
                return ""

    def remove(self, mark: str) -> None:
        """Delete the Jobs with their pods; those that are gone are fine."""
        batch = client.BatchV1Api(self.api)
        options = client.V1DeleteOptions(propagation_policy="Background")
        with asking(self.api, f"delete the jobs of the load {mark} in {self.namespace}"):
            found: Any = batch.list_namespaced_job(
                self.namespace, label_selector=f"{_LABEL}={mark}", _request_timeout=TIMEOUT_S
            )
            for job in found.items:
                try:
                    batch.delete_namespaced_job(
                        job.metadata.name, self.namespace, body=options, _request_timeout=TIMEOUT_S
                    )
                except ApiException as error:
                    if error.status != _ABSENT:
                        raise

    def _pods(self, mark: str) -> list[Any]:
        with asking(self.api, f"list the pods of the load {mark} in {self.namespace}"):
            found: Any = client.CoreV1Api(self.api).list_namespaced_pod(
                self.namespace, label_selector=f"{_LABEL}={mark}", _request_timeout=TIMEOUT_S
            )
        return list(found.items)

    def manifest(self, mark: str, worker: int, plan: Mapping[str, Any], lives_s: float) -> dict[str, Any]:
        """One worker, as restricted Pod Security lets it through."""
        labels = {"app.kubernetes.io/name": _NAME, _LABEL: mark, _NUMBER: str(worker)}
        container: dict[str, Any] = {
            "name": "worker",
            "image": self.image,
            "imagePullPolicy": "Always",
            "env": [{"name": "PLAN", "value": json.dumps(plan)}],
            "resources": {
                "requests": {"cpu": "100m", "memory": "192Mi"}, "limits": {"cpu": "1", "memory": "512Mi"},
            },
            "securityContext": {
                "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
            },
            "volumeMounts": [{"name": "load", "mountPath": "/load"}, {"name": "tmp", "mountPath": "/tmp"}],  # noqa: S108 - of the pod's own
        }  # fmt: skip
        pod: dict[str, Any] = {
            "containers": [container],
            "volumes": [
                {"name": "load", "emptyDir": {"sizeLimit": "256Mi"}},
                {"name": "tmp", "emptyDir": {"sizeLimit": "16Mi"}},
            ],
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 2,
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "securityContext": {
                "runAsNonRoot": True, "runAsUser": 65534, "runAsGroup": 65534, "fsGroup": 65534,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            # Apart from one another where the cluster has the nodes: what one lacks the others do not.
            "topologySpreadConstraints": [{
                "maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": {_LABEL: mark}},
            }],
        }  # fmt: skip
        return {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"name": f"{PREFIX}{mark}-load-{worker}", "labels": labels},
            "spec": {
                "template": {"metadata": {"labels": labels}, "spec": pod},
                "backoffLimit": 0,  # a share that is sent twice would be another load than the one that was planned
                "activeDeadlineSeconds": max(1, round(lives_s)),
                "ttlSecondsAfterFinished": _REMOVED_AFTER_S,
            },
        }


def _status(pod: Any) -> WorkerStatus:
    ended = next(
        (one.state.terminated for one in pod.status.container_statuses or () if one.state and one.state.terminated),
        None,
    )
    text = "" if ended is None else f"{ended.reason} (exit code {ended.exit_code})"
    return WorkerStatus(
        worker=int(pod.metadata.labels[_NUMBER]),
        pod=str(pod.metadata.name),
        phase=str(pod.status.phase),
        node=str(pod.spec.node_name or ""),
        text=text or str(pod.status.reason or ""),
    )
