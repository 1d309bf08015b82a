"""A region's Kubernetes API: what runs in a slot, and how many replicas are asked for."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import urllib3
from kubernetes import client
from kubernetes.client.exceptions import ApiException

from drillbook.drivers import bounds, kubeconfig, kubernetes_token
from drillbook.drivers.kubeconfig import UNUSABLE
from drillbook.drivers.transport import reason
from drillbook.ports import SlotStatus, Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

TIMEOUT_S = (3.0, 10.0)
"""To connect, and for a whole answer."""

MAX_ANSWER = 32 * 1024 * 1024
"""Bytes of one answer; a larger one is refused."""

VERSION_LABEL = "app.kubernetes.io/version"


def connect(path: Path, context: str = "", learn: Callable[[list[str]], None] = lambda _: None) -> client.ApiClient:
    """A client for one cluster; asks nothing yet.

    Args:
        path: Kubeconfig with the credentials, or with the command that prints one.
        context: In it; the one that is current now when empty, and no other later on.
        learn: Is told each token in use, so that it can be kept out of records.

    Raises:
        Unreachable: When the kubeconfig is missing, malformed, lacks the context, asks not to verify the server, or
            names a command that gives no credential, or hangs.
    """
    access = kubeconfig.access(path, context)
    try:
        written = kubernetes_token.files(access)
        api = kubernetes_token.first(access)
    except UNUSABLE as error:
        raise Unreachable(kubeconfig.unusable(path, context, error)) from error
    if not api.configuration.verify_ssl:
        raise Unreachable(
            f"the kubeconfig {path} says insecure-skip-tls-verify, so that anybody could answer for the cluster "
            "and be given the token: name its certificate-authority instead"
        )
    if not api.configuration.api_key and not api.configuration.cert_file and not api.configuration.username:
        raise Unreachable(
            f"the kubeconfig {path} gives no credential: where its user has an exec command, run that by hand "
            "and see what it prints; else give the user a token or a client certificate"
        )
    # One more try is for a connection that the server closed while it was idle; longer waits are the callers'.
    # Nobody is sent elsewhere by an answer.
    api.configuration.retries = once_more = urllib3.Retry(total=1, redirect=False, backoff_factor=0.2)
    bound(api, once_more)
    renewal = kubernetes_token.Renewal(access, learn, written, kubernetes_token.hook(api))
    cast("Any", api.configuration).refresh_api_key_hook = renewal
    learn(kubernetes_token.tokens(cast("client.Configuration", api.configuration)))
    return api


def bound(api: client.ApiClient, retries: urllib3.Retry) -> None:
    """Bound the answers to a client that has asked nothing yet, and say when it asks once more."""
    pools: Any = api.rest_client.pool_manager
    pools.connection_pool_kw["retries"] = retries
    bounds.bound_pools(pools, most_bytes=MAX_ANSWER, within_s=TIMEOUT_S[1])


@contextmanager
def asking(api: client.ApiClient, what: str) -> Generator[None]:
    """Turn what goes wrong with a call into a sentence.

    Raises:
        Unreachable: When the cluster does not answer, or refuses.
    """
    host = str(cast("object", api.configuration.host))
    try:
        yield
    except ApiException as refused:
        status = int(cast("int | None", refused.status) or 0)
        hint = {
            401: "the credentials are not accepted: renew the kubeconfig's token or certificate (the twin's: "
            "drillbook twin up)",
            403: "the account lacks the right: grant it the harness' Role",
            404: "it does not exist",
        }.get(status, str(cast("object", refused.reason)))
        raise Unreachable(f"the cluster {host} refused to {what} ({status}): {hint}") from refused
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise Unreachable(
            f"the cluster {host} did not answer when asked to {what}: {reason(error)}; see that it runs, and that this "
            "machine reaches it"
        ) from error
    except (ValueError, RecursionError) as error:
        raise Unreachable(
            f"what is at {host} is no Kubernetes API: its answer, when asked to {what}, could not be read "
            f"({type(error).__name__})"
        ) from error


@dataclass(frozen=True, slots=True)
class KubernetesCluster:
    """One region, seen by its slots: each is a Deployment of its own.

    Attributes:
        api: The cluster's client.
        namespace: Of the deployments.
        deployment: Their name, with `{slot}` in it.
    """

    api: client.ApiClient
    namespace: str
    deployment: str = "analytics-{slot}"

    def slot(self, slot: str) -> SlotStatus:
        """What runs in a slot, pods that are about to end included.

        Raises:
            Unreachable: When the cluster does not answer.
        """
        name = self.deployment.format(slot=slot)
        apps = client.AppsV1Api(self.api)
        selector = f"slot={slot}"
        version, desired, rolled_out = "", 0, True
        with asking(self.api, f"show the deployment {self.namespace}/{name}"):
            try:
                found: Any = apps.read_namespaced_deployment(name, self.namespace, _request_timeout=TIMEOUT_S)
            except ApiException as error:
                if error.status != 404:  # noqa: PLR2004 - absent is an answer: the slot is empty
                    raise
            else:
                desired = int(found.spec.replicas or 0)
                rolled_out = _rolled_out(found)
                version = str(cast("dict[str, str]", found.spec.template.metadata.labels or {}).get(VERSION_LABEL, ""))
                selector = ",".join(f"{key}={value}" for key, value in found.spec.selector.match_labels.items())
        with asking(self.api, f"list the pods {selector} in {self.namespace}"):
            pods: Any = client.CoreV1Api(self.api).list_namespaced_pod(
                self.namespace, label_selector=selector, _request_timeout=TIMEOUT_S
            )
        live = [pod for pod in pods.items if pod.status.phase not in {"Succeeded", "Failed"}]
        serving = [pod for pod in live if _is_ready(pod)]
        ready = [pod for pod in serving if (pod.metadata.labels or {}).get(VERSION_LABEL) == version]
        names = tuple(sorted(str(pod.metadata.name) for pod in live))
        addresses = tuple(sorted(str(pod.status.pod_ip) for pod in ready))
        images = {str(run.image_id) for pod in ready for run in pod.status.container_statuses or () if run.image_id}
        since = {str(pod.metadata.name): _ready_since(pod) for pod in ready}
        bounds = {f"{pod.metadata.name}/{it.name}": _bounds(it) for pod in ready for it in _containers(pod)}
        return SlotStatus(
            slot, version, desired, len(ready), names, addresses, tuple(sorted(images)), since, bounds, len(serving),
            rolled_out,
        )  # fmt: skip

    def scale(self, slot: str, replicas: int) -> None:
        """Ask for a number of replicas."""
        name = self.deployment.format(slot=slot)
        with asking(self.api, f"scale the deployment {self.namespace}/{name} to {replicas}"):
            client.AppsV1Api(self.api).patch_namespaced_deployment_scale(
                name, self.namespace, {"spec": {"replicas": replicas}}, _request_timeout=TIMEOUT_S
            )


def _rolled_out(deployment: Any) -> bool:
    """As `kubectl rollout status` decides it: the controller has seen what is asked for, and made all pods of it."""
    status, asked = deployment.status, int(deployment.spec.replicas or 0)
    if status is None:
        return False
    seen = int(status.observed_generation or 0) >= int(deployment.metadata.generation or 0)
    updated, there = int(status.updated_replicas or 0), int(status.replicas or 0)
    return seen and updated == there == asked


def _containers(pod: Any) -> list[Any]:
    """Also those that only come before the others: what they want they take from the same neighbours."""
    return [*pod.spec.containers, *(pod.spec.init_containers or ())]


def _bounds(container: Any) -> tuple[str, ...]:
    """See `SlotStatus.bounds`."""
    resources = container.resources
    return tuple(
        f"{kind}.{of}"
        for kind in ("requests", "limits")
        for of in ("cpu", "memory")
        if resources is not None and of in (getattr(resources, kind) or {})
    )


def _ready_since(pod: Any) -> str:
    times = [c.last_transition_time for c in pod.status.conditions or () if c.type == "Ready"]
    return times[0].isoformat() if times and times[0] is not None else ""


def _is_ready(pod: Any) -> bool:
    if pod.metadata.deletion_timestamp is not None:
        return False
    return any(c.type == "Ready" and c.status == "True" for c in pod.status.conditions or ())
