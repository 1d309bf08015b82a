from __future__ import annotations

import pytest
from recorded_api import RecordedApi, Right

from drillbook.drivers.kubernetes_faults import MARK, KubernetesNodes, KubernetesPods
from drillbook.ports import Unreachable
from drillbook.ports.fault import Node, Pod

POD = Pod("analytics", "blue-1", "uid-1", "n1", ready=True)
PODS, NODE = "/api/v1/namespaces/analytics/pods", "/api/v1/nodes/n1"
ONE, EVICTION = f"{PODS}/blue-1", f"{PODS}/blue-1/eviction"
DEPLOYMENT = "/apis/apps/v1/namespaces/analytics/deployments/analytics-blue"


def found(name, *, phase="Running", ready="True", ending=None, **spec):
    owner = {
        "apiVersion": "apps/v1",
        "kind": spec.pop("kind", "ReplicaSet"),
        "name": "set-7",
        "uid": "u",
        "controller": True,
    }
    meta = {"name": name, "namespace": "analytics", "uid": f"uid-{name}", "ownerReferences": [owner]}
    status = {
        "phase": phase, "conditions": [{"type": "Ready", "status": ready}],
        "containerStatuses": [
            {"name": "a", "image": "a", "imageID": "a", "ready": True, "restartCount": count} for count in (1, 2)
        ],
    }  # fmt: skip
    spec = {"containers": [{"name": "a"}], "nodeName": "n1", **spec}
    return {"metadata": {**meta, **({"deletionTimestamp": ending} if ending else {})}, "spec": spec, "status": status}


def pods(**answers):
    api = RecordedApi(answers)
    return api, KubernetesPods(lambda: api)


def test_pods_are_told_with_what_matters_of_them():
    claim = {"name": "d", "persistentVolumeClaim": {"claimName": "data-0"}}
    items = [
        found("c", volumes=[claim, {"name": "t", "emptyDir": {}}]), found("b", ending="2026-01-01T00:00:00Z"),
        found("a", ready="False", kind="DaemonSet"), found("done", phase="Succeeded"),
    ]  # fmt: skip
    api, made = pods(**{f"GET {PODS}": {"items": items}})
    first, second, third = made.listed("analytics", "slot=blue")
    assert (first.name, first.ready, first.daemon, first.restarts) == ("a", False, True, 3)
    assert (second.name, second.ready, second.ending, second.daemon) == ("b", False, True, False)
    assert (third.name, third.ready, third.claims, third.node, third.uid) == ("c", True, ("data-0",), "n1", "uid-c")
    assert third.owner == "set-7"
    assert api.rights == [Right("analytics", "", "pods", "list", "")]


def test_a_kill_is_the_nodes_to_carry_out_and_only_of_that_pod():
    api, made = pods()
    made.kill(POD)
    (body,) = api.bodies
    assert body["gracePeriodSeconds"] == 1, "with 0 the API would forget the pod before it has ended"
    assert body["preconditions"] == {"uid": "uid-1"}
    assert api.rights == [Right("analytics", "", "pods", "delete", "blue-1")]


@pytest.mark.parametrize("status", [404, 409])
def test_one_that_is_gone_or_another_of_its_name_is_left(status):
    _, made = pods(**{f"DELETE {ONE}": status, f"POST {EVICTION}": status})
    made.kill(POD)
    assert made.evict(POD)


def test_an_eviction_waits_for_the_budget():
    api, made = pods(**{f"POST {EVICTION}": 429})
    assert not made.evict(POD)
    api.answers.clear()
    assert made.evict(POD)
    assert api.bodies[-1]["deleteOptions"] == {"preconditions": {"uid": "uid-1"}}
    assert api.rights[-1] == Right("analytics", "", "pods/eviction", "create", "blue-1")


@pytest.mark.parametrize("call", ["kill", "evict"])
def test_what_is_not_granted_is_said(call):
    _, made = pods(**{f"DELETE {ONE}": 403, f"POST {EVICTION}": 403})
    with pytest.raises(Unreachable, match="the account lacks the right"):
        getattr(made, call)(POD)


def test_a_deployments_pods_are_known_by_its_own_labels():
    spec = {"selector": {"matchLabels": {"a": "1", "b": "2"}}, "template": {}}
    api, made = pods(**{f"GET {DEPLOYMENT}": {"spec": spec}})
    assert made.selector("analytics", "analytics-blue") == "a=1,b=2"
    assert api.rights == [Right("analytics", "apps", "deployments", "get", "analytics-blue")]


def node(**spec):
    return {
        "metadata": {"name": "n1", "annotations": spec.pop("annotations", None)}, "spec": spec,
        "status": {"conditions": [{"type": "Ready", "status": "True"}]},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (node(), Node("n1", ready=True, schedulable=True)),
        (node(unschedulable=True), Node("n1", ready=True, schedulable=False)),
        (
            node(unschedulable=True, annotations={MARK: "yes"}),
            Node("n1", ready=True, schedulable=False, cordoned_by_us=True),
        ),
    ],
)
def test_a_node_says_whether_it_takes_pods_and_who_keeps_it_from_that(answer, expected):
    api = RecordedApi({f"GET {NODE}": answer})
    assert KubernetesNodes(lambda: api, ("n1",)).node("n1") == expected
    assert api.rights == [Right("", "", "nodes", "get", "n1")]


def test_a_cordon_and_its_undo_change_the_same_two_fields():
    api = RecordedApi()
    made = KubernetesNodes(lambda: api, ("n1",))
    made.cordon("n1")
    made.uncordon("n1")
    assert api.bodies == [
        {"metadata": {"annotations": {MARK: "yes"}}, "spec": {"unschedulable": True}},
        {"metadata": {"annotations": {MARK: None}}, "spec": {"unschedulable": None}},
    ]
    assert set(api.rights) == {Right("", "", "nodes", "patch", "n1")}
