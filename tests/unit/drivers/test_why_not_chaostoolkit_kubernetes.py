"""What docs/decisions/0024 says of chaostoolkit-kubernetes; where one of these fails, it is to be decided anew."""

from __future__ import annotations

import inspect
from importlib import metadata

import pytest
from recorded_api import RecordedApi

pod_actions = pytest.importorskip("chaosk8s.pod.actions")
node_actions = pytest.importorskip("chaosk8s.node.actions")

PODS = "/api/v1/namespaces/analytics/pods"


class WithoutTimeouts(RecordedApi):
    """Takes requests that may never come back, and counts them."""

    def __init__(self, answers) -> None:
        super().__init__(answers)
        self.endless = 0

    def call_api(self, method, url, header_params=None, body=None, post_params=None, _request_timeout=None):
        self.endless += _request_timeout is None
        return super().call_api(method, url, header_params, body, post_params, _request_timeout or 1)


def pod(name, namespace="analytics"):
    return {
        "metadata": {
            "name": name, "namespace": namespace, "uid": name,
            "ownerReferences": [
                {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "r", "uid": "u", "controller": True}
            ],
        },
        "spec": {"nodeName": "n1", "containers": [{"name": "a"}], "volumes": []},
        "status": {"phase": "Running"},
    }  # fmt: skip


@pytest.fixture
def cluster(monkeypatch):
    everywhere = {"items": [pod("blue-1"), pod("keeper", "elsewhere")]}
    api = WithoutTimeouts(
        {
            f"GET {PODS}": {"items": [pod("blue-1"), pod("blue-10")]},
            "GET /api/v1/nodes": {"items": [{"metadata": {"name": "n1"}, "spec": {}, "status": {}}]},
            "GET /api/v1/pods": everywhere,
        }
    )
    for module in (pod_actions, node_actions):
        monkeypatch.setattr(module, "create_k8s_api_client", lambda _secrets: api)
    return api


def test_this_is_about_the_version_that_is_installed():
    assert metadata.version("chaostoolkit-kubernetes").startswith("0.39")


def test_no_request_has_a_timeout(cluster):
    pod_actions.terminate_pods(name_pattern="^blue-1$", ns="analytics", grace_period=1)
    assert cluster.endless == len(cluster.rights) == 2


def test_a_pod_is_chosen_and_ended_in_one_call_whatever_uid_it_has(cluster):
    assert "uid" not in inspect.signature(pod_actions.terminate_pods).parameters
    pod_actions.terminate_pods(name_pattern="blue-1", ns="analytics", all=True)
    deleted = [right.name for right in cluster.rights if right.verb == "delete"]
    assert deleted == ["blue-1", "blue-10"]
    assert all("preconditions" not in (body or {}) for body in cluster.bodies)


def test_a_drain_asks_for_the_pods_of_every_namespace_and_evicts_them_all(cluster):
    cluster.answers |= {f"GET {PODS}/blue-1": 404, "GET /api/v1/namespaces/elsewhere/pods/keeper": 404}
    node_actions.drain_nodes(name="n1")
    assert [right.namespace for right in cluster.rights if right.resource == "pods/eviction"] == [
        "analytics",
        "elsewhere",
    ]


def test_a_drain_gives_up_at_the_first_budget_and_leaves_the_node_cordoned(cluster):
    cluster.answers |= {f"POST {PODS}/blue-1/eviction": 429}
    with pytest.raises(Exception, match="Failed to evict pod"):
        node_actions.drain_nodes(name="n1")
    patches = [body for body, right in zip(cluster.bodies, cluster.rights, strict=True) if right.verb == "patch"]
    assert patches == [{"spec": {"unschedulable": True}}]
