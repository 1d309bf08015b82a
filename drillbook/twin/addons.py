"""What every region's cluster needs before a platform can be installed: cluster DNS and the Gateway API."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

from drillbook.twin.golang import BuildError
from drillbook.twin.layout import DNS_ADDRESS, DOMAIN

if TYPE_CHECKING:
    from drillbook.twin.kubectl import Kubectl
    from drillbook.twin.layout import Region

GATEWAY_API_VERSION = "v1.6.3"
_KINDS = ("gatewayclasses", "gateways", "grpcroutes", "httproutes", "referencegrants", "backendtlspolicies",
          "listenersets", "tlsroutes", "tcproutes", "udproutes")  # fmt: skip


def install(kubectl: Kubectl, region: Region, coredns_image: str, gateway_api: Path) -> None:
    """Declare cluster DNS and the Gateway API's resource definitions; idempotent."""
    kubectl.apply(_cluster_dns(region, coredns_image))
    kubectl.apply_files([path for kind in _KINDS if (path := _definition(gateway_api, kind)).is_file()])


def gateway_api_definitions(go: Path) -> Path:
    """Directory of the Gateway API's resource definitions, from its Go module.

    Raises:
        BuildError: When the module is not to be had.
    """
    module = f"sigs.k8s.io/gateway-api@{GATEWAY_API_VERSION}"
    done = subprocess.run(
        [str(go), "mod", "download", "-json", module],
        capture_output=True, text=True, timeout=300, check=False, env={**os.environ, "GOFLAGS": "-mod=mod"},
    )  # fmt: skip
    if done.returncode != 0:
        # What is wrong with the module stands in the JSON, all else beside it.
        message = f"go could not get {module}: {(done.stderr + done.stdout).strip()[-1500:]}"
        raise BuildError(message)
    return Path(json.loads(done.stdout)["Dir"]) / "config" / "crd" / "standard"


def _definition(directory: Path, kind: str) -> Path:
    return directory / f"gateway.networking.k8s.io_{kind}.yaml"


def _cluster_dns(region: Region, image: str) -> list[dict[str, Any]]:
    namespace = "kube-system"
    labels = {"k8s-app": "kube-dns"}
    corefile = f"""\
.:53 {{
    errors
    health :8080
    ready :8181
    kubernetes cluster.local in-addr.arpa ip6.arpa {{
        pods insecure
        fallthrough in-addr.arpa ip6.arpa
        ttl 1
    }}
    forward {DOMAIN} {DNS_ADDRESS}
    cache 1
    loadbalance
}}
"""
    pod = {
        "serviceAccountName": "coredns",
        "priorityClassName": "system-cluster-critical",
        "dnsPolicy": "Default",
        "containers": [
            {
                "name": "coredns",
                "image": image,
                "args": ["-conf", "/etc/coredns/Corefile"],
                "volumeMounts": [{"name": "config", "mountPath": "/etc/coredns", "readOnly": True}],
                "ports": [{"containerPort": 53, "protocol": "UDP"}, {"containerPort": 53, "protocol": "TCP"}],
                "readinessProbe": {"httpGet": {"path": "/ready", "port": 8181}, "periodSeconds": 1},
                "livenessProbe": {"httpGet": {"path": "/health", "port": 8080}, "failureThreshold": 5},
                "resources": {"requests": {"cpu": "20m", "memory": "32Mi"}, "limits": {"memory": "128Mi"}},
                "securityContext": {
                    "allowPrivilegeEscalation": False,
                    "readOnlyRootFilesystem": True,
                    "capabilities": {"add": ["NET_BIND_SERVICE"], "drop": ["ALL"]},
                },
            }
        ],
        "volumes": [{"name": "config", "configMap": {"name": "coredns"}}],
    }
    meta = {"name": "coredns", "namespace": namespace, "labels": labels}
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta},
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRole",
            "metadata": {"name": "system:coredns"},
            "rules": [
                {
                    "apiGroups": [""],
                    "resources": ["endpoints", "services", "pods", "namespaces"],
                    "verbs": ["list", "watch"],
                },
                {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list", "watch"]},
            ],
        },
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": "system:coredns"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "system:coredns"},
            "subjects": [{"kind": "ServiceAccount", "name": "coredns", "namespace": namespace}],
        },
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"Corefile": corefile}},
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": meta,
            "spec": {
                "replicas": 1,
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": pod},
            },
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "kube-dns", "namespace": namespace, "labels": labels},
            "spec": {
                "clusterIP": region.service_dns,
                "selector": labels,
                "ports": [
                    {"name": "dns", "port": 53, "protocol": "UDP"},
                    {"name": "dns-tcp", "port": 53, "protocol": "TCP"},
                ],
            },
        },
    ]
