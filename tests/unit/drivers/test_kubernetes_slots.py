from __future__ import annotations

import pytest
from recorded_api import RecordedApi

from drillbook.drivers.kubernetes import VERSION_LABEL, KubernetesCluster

DEPLOYMENT = "/apis/apps/v1/namespaces/analytics/deployments/analytics-blue"


def pod(name, *, ready, since, containers=(), first=(), version="1.0.0"):
    return {
        "metadata": {"name": name, "labels": {VERSION_LABEL: version}},
        "spec": {"containers": list(containers), **({"initContainers": list(first)} if first else {})},
        "status": {
            "phase": "Running", "podIP": "10.0.0.1",
            "conditions": [
                {"type": "PodScheduled", "status": "True", "lastTransitionTime": "2026-11-24T01:00:00Z"},
                {"type": "Ready", "status": ready, "lastTransitionTime": since},
            ],
        },
    }  # fmt: skip


ROLLED_OUT = {"observedGeneration": 8, "replicas": 2, "updatedReplicas": 2}


def slot_of(*pods, status=ROLLED_OUT):
    labels = {"metadata": {"labels": {VERSION_LABEL: "1.0.0"}}, "spec": {"containers": []}}
    api = RecordedApi(
        {
            f"GET {DEPLOYMENT}": {
                "metadata": {"generation": 8}, "status": status,
                "spec": {"replicas": 2, "selector": {"matchLabels": {"slot": "blue"}}, "template": labels},
            },
            "GET /api/v1/namespaces/analytics/pods": {"items": list(pods)},
        }
    )  # fmt: skip
    return KubernetesCluster(api, "analytics", "analytics-{slot}").slot("blue")


def test_a_slot_tells_since_when_each_of_its_pods_is_ready():
    found = slot_of(
        pod("steady", ready="True", since="2026-11-24T02:00:00Z"),
        pod("away", ready="False", since="2026-11-24T02:00:05Z"),
    )
    assert (found.ready, found.desired) == (1, 2)
    assert found.ready_since == {"steady": "2026-11-24T02:00:00+00:00"}


def test_pods_of_the_version_before_serve_while_they_are_replaced():
    found = slot_of(
        pod("old", ready="True", since="2026-11-24T02:00:00Z", version="0.9.0"),
        pod("new", ready="True", since="2026-11-24T02:00:05Z"),
        pod("newer", ready="False", since="2026-11-24T02:00:06Z"),
    )
    assert (found.ready, found.serving, found.desired) == (1, 2, 2)


def test_a_slot_tells_what_each_of_its_containers_asks_for_and_is_held_to():
    both = {"cpu": "100m", "memory": "64Mi"}
    containers = [
        {"name": "whole", "resources": {"requests": both, "limits": both}},
        {"name": "greedy", "resources": {"requests": both, "limits": {"memory": "64Mi"}}},
        {"name": "bare"},
    ]
    first = [{"name": "before", "resources": {"requests": both}}]
    found = slot_of(pod("a", ready="True", since="2026-11-24T02:00:00Z", containers=containers, first=first))
    assert found.bounds == {
        "a/whole": ("requests.cpu", "requests.memory", "limits.cpu", "limits.memory"),
        "a/greedy": ("requests.cpu", "requests.memory", "limits.memory"),
        "a/bare": (),
        "a/before": ("requests.cpu", "requests.memory"),
    }


@pytest.mark.parametrize(
    ("status", "rolled_out"),
    [
        (ROLLED_OUT, True),
        # Asked for a moment ago, and the controller has not looked.
        (ROLLED_OUT | {"observedGeneration": 7}, False),
        (ROLLED_OUT | {"updatedReplicas": 1}, False),
        # A pod of before is still counted beside those that replace it.
        (ROLLED_OUT | {"replicas": 3}, False),
        ({}, False),
        (None, False),
    ],
)
def test_pods_that_a_restart_has_not_replaced_yet_are_told_by_the_controllers_word(status, rolled_out):
    ready = [pod(name, ready="True", since="2026-11-24T02:00:00Z") for name in ("a", "b")]
    found = slot_of(*ready, status=status)
    assert (found.ready, found.rolled_out) == (2, rolled_out)
