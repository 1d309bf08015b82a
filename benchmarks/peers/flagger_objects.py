"""What Flagger and its canary are in a cluster: objects of one namespace, and the three kinds that it brings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

NAMESPACE = "peer-flagger"
NAME = "peer"
HOST = "peer-flagger.drillbook.test"
INTERVAL_S = 10
"""The shortest that Flagger takes; shorter ones are made this (pkg/apis/flagger/v1beta1/canary.go)."""
KINDS = ("canaries.flagger.app", "metrictemplates.flagger.app", "alertproviders.flagger.app")
STABLE = "1.0.0"
WORSE = "1.2.0-bad"

_ANSWERS = f'traefik_service_requests_total{{service=~".*-svc-{NAMESPACE}-{NAME}-canary-[0-9]+@kubernetesgateway"'
_OVER = f"[{INTERVAL_S}s]"
ERRORS_PROMQL = f'100 * (sum(rate({_ANSWERS},code=~"5.."}}{_OVER})) or vector(0)) / sum(rate({_ANSWERS}}}{_OVER}))'
"""Percent of the canary's answers that are errors, as the gateway counts them; nothing without traffic."""


def release(like: Mapping[str, Any], version: str, trial: int, error_share: float) -> dict[str, Any]:
    """The reference application, as the platform's own slot runs it, in Flagger's namespace.

    Args:
        like: The platform's deployment.
        version: Of its image.
        trial: Changes the pods whatever else is the same, so that Flagger sees a release.
        error_share: Of its answers.
    """
    container: dict[str, Any] = {**like["spec"]["template"]["spec"]["containers"][0], "name": NAME}
    # Flagger copies the pod with the API of Kubernetes 1.27, which has no `sleep` here: it loses the handler, and
    # the cluster refuses what is left. The same wait, by the only program in the image that can.
    wait_s = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
    wait = ["python3", "-c", f"import time; time.sleep({wait_s})"]
    container["lifecycle"] = {"preStop": {"exec": {"command": wait}}}
    repository = container["image"].rpartition(":")[0]
    container["image"] = f"{repository}:{version}"
    container["env"] = [
        *(each for each in container["env"] if not each["name"].startswith("DEFECT_")),
        *([{"name": "DEFECT_ERROR_SHARE", "value": str(error_share)}] if error_share else []),
    ]
    pod = like["spec"]["template"]["spec"]
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": NAME, "namespace": NAMESPACE},
        "spec": {
            "replicas": 1,
            "progressDeadlineSeconds": 120,
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
            "selector": {"matchLabels": {"app": NAME}},
            "template": {
                "metadata": {"labels": {"app": NAME}, "annotations": {"drillbook.test/trial": str(trial)}},
                "spec": {
                    "automountServiceAccountToken": False,
                    "enableServiceLinks": False,
                    "terminationGracePeriodSeconds": pod["terminationGracePeriodSeconds"],
                    "securityContext": pod["securityContext"],
                    "containers": [container],
                    "volumes": pod["volumes"],
                },
            },
        },
    }


def given(*told: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What the platform's own slots are told, of the database and of sessions, in Flagger's namespace."""
    return [
        {
            "apiVersion": "v1", "kind": found["kind"], "data": found["data"],
            "metadata": {"name": found["metadata"]["name"], "namespace": NAMESPACE},
        }
        for found in told
    ]  # fmt: skip


def account() -> list[dict[str, Any]]:
    """Flagger's identity: what it needs, and in this namespace only."""
    every = ["get", "list", "watch", "create", "update", "patch", "delete"]
    rules = [
        ([""], ["services", "configmaps"], every),
        ([""], ["secrets"], ["get", "list", "watch", "create", "update"]),
        ([""], ["events"], ["create", "patch"]),
        (["apps"], ["deployments"], every),
        (["flagger.app"], ["canaries", "canaries/status", "canaries/finalizers"], every),
        (["flagger.app"], ["metrictemplates", "alertproviders"], ["get", "list", "watch"]),
        (["gateway.networking.k8s.io"], ["httproutes"], every),
    ]
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "flagger"}
    metadata = {"name": "flagger", "namespace": NAMESPACE}
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata, "automountServiceAccountToken": False},
        {
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": metadata,
            "rules": [{"apiGroups": g, "resources": r, "verbs": v} for g, r, v in rules],
        },
        {
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": metadata,
            "roleRef": role,
            "subjects": [{"kind": "ServiceAccount", "name": "flagger", "namespace": NAMESPACE}],
        },
    ]  # fmt: skip


def namespace() -> dict[str, Any]:
    """With the same Pod Security as the platform's."""
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": labels}}


def canary(prometheus_url: str, steps: Sequence[int], most_errors: float) -> list[dict[str, Any]]:
    """The canary at Flagger's fastest: every 10 s, and the first check that fails decides.

    Args:
        prometheus_url: Where the gateway's counters are.
        steps: Weights in percent.
        most_errors: Percent of bad answers that are taken.
    """
    return [
        {
            "apiVersion": "flagger.app/v1beta1",
            "kind": "MetricTemplate",
            "metadata": {"name": "errors", "namespace": NAMESPACE},
            "spec": {"provider": {"type": "prometheus", "address": prometheus_url}, "query": ERRORS_PROMQL},
        },
        {
            "apiVersion": "flagger.app/v1beta1",
            "kind": "Canary",
            "metadata": {"name": NAME, "namespace": NAMESPACE},
            "spec": {
                "provider": "gatewayapi:v1",
                "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": NAME},
                "progressDeadlineSeconds": 120,
                "service": {
                    "port": 80,
                    "targetPort": "http",
                    "hosts": [HOST],
                    "gatewayRefs": [{"name": "public", "namespace": "gateway", "sectionName": "web"}],
                },
                "analysis": {
                    "interval": f"{INTERVAL_S}s",
                    "threshold": 1,
                    "stepWeights": list(steps),
                    "metrics": [
                        {
                            "name": "errors",
                            "templateRef": {"name": "errors"},
                            "interval": f"{INTERVAL_S}s",
                            "thresholdRange": {"max": most_errors},
                        }
                    ],
                },
            },
        },
    ]


def kubeconfig(document: Mapping[str, Any], token: str) -> dict[str, Any]:
    """Of the administrator's, the address and the authority; the identity is the token's."""
    return {
        "apiVersion": "v1", "kind": "Config", "current-context": "flagger",
        "clusters": [{"name": "flagger", "cluster": document["clusters"][0]["cluster"]}],
        "users": [{"name": "flagger", "user": {"token": token}}],
        "contexts": [{"name": "flagger", "context": {"cluster": "flagger", "user": "flagger"}}],
    }  # fmt: skip
