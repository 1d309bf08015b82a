"""The account that makes faults may do what the faults do, every rule of it is used, and it may do nothing more."""

from __future__ import annotations

import contextlib
import json
import subprocess
from functools import cache
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from drillbook.domain.fault import CATALOGUE
from drillbook.drivers.kubernetes_faults import MARK
from drillbook.ports import Unreachable
from drillbook.run.clock import SteadyClock
from drillbook.twin import accounts, golang
from drillbook.twin.layout import PROFILES
from drillbook.wiring import fault, read_environment
from tests.unit.drivers.recorded_api import RecordedApi, Right

CHART = Path(__file__).resolve().parents[3] / "system" / "charts" / "drillbook"
REGION = PROFILES["staging"].regions[0]
ANY = "*"
OFFERED = [name for name in CATALOGUE if name != "slow-object-store"]
"""That of the twin is slowed by its machine, without the API."""
BESIDE = ("exhaust-connections", "seal-vault", "cut-link", "slow-link")
"""Made without the cluster's API."""


@cache
def rendered(**reaper) -> list[dict]:
    values = json.dumps(
        {**accounts.values(REGION), **({"reaper": {"enabled": True, "environment": "-"}} if reaper else {})}
    )
    return rendered_with(values)


def rendered_with(values: str) -> list[dict]:
    done = subprocess.run(
        [
            str(golang.build_all().helm), "template", "drillbook", str(CHART), "--namespace=drillbook",
            "--kube-version=1.34.0", "--values=-",
        ],
        input=values, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    return [found for found in YAML(typ="safe").load_all(done.stdout) if found]


def granted() -> set[Right]:
    """Each right by itself; a rule without names is about any."""
    return {
        Right(found["metadata"].get("namespace", ""), group, resource, verb, name)
        for found in rendered()
        if found["kind"] in {"Role", "ClusterRole"} and found["metadata"]["name"] == "drillbook-resilience"
        for rule in found["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
        for name in rule.get("resourceNames", [ANY])
    }


def pod(namespace: str, name: str, node: str, claim: str = "") -> dict:
    volumes = [{"name": "v", "persistentVolumeClaim": {"claimName": claim}}] if claim else []
    return {
        "metadata": {"namespace": namespace, "name": name, "uid": f"uid-{name}"},
        "spec": {"nodeName": node, "containers": [{"name": "a"}], "volumes": volumes},
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]},
    }


def node(name: str, *, cordoned: bool) -> dict:
    return {
        "metadata": {"name": name, "annotations": {MARK: "yes"} if cordoned else {}},
        "spec": {"unschedulable": cordoned},
        "status": {"conditions": [{"type": "Ready", "status": "True"}]},
    }


def taken(name: str, live: str, first: str, monkeypatch) -> set[Right]:
    """What one fault takes, from being chosen to being seen undone.

    Args:
        name: The fault.
        live: The slot that serves.
        first: The node that the pods are on.
        monkeypatch: Gives the wiring this cluster.
    """
    nodes = [worker.name for worker in REGION.workers]
    deployment = f"/apis/apps/v1/namespaces/analytics/deployments/analytics-{live}"
    scale = "/apis/apps/v1/namespaces/kube-system/deployments/coredns/scale"
    dns = pod("kube-system", "coredns-1", first)
    cleaner = "/api/v1/namespaces/data/pods/drillbook-fault-cleaner"
    answers = {
        "GET /api/v1/namespaces/analytics/pods": {
            "items": [pod("analytics", "a", first), pod("analytics", "b", first)]
        },
        "GET /api/v1/namespaces/gateway/pods": {"items": [pod("gateway", "g", first)]},
        "GET /api/v1/namespaces/data/pods": {"items": [pod("data", "d", first, claim="data-postgres-0")]},
        "GET /api/v1/namespaces/kube-system/pods": {"items": [dns]},
        "GET /api/v1/namespaces/analytics/pods/drillbook-fault": 404,
        "GET /api/v1/namespaces/data/pods/drillbook-fault": 404,
        f"GET {cleaner}": 404,
        f"GET {scale}": {"spec": {"replicas": 1}},
        f"GET {deployment}": {"spec": {"selector": {"matchLabels": {"slot": live}}, "template": {}}},
        **{f"GET /api/v1/nodes/{each}": node(each, cordoned=False) for each in nodes},
    }
    api = RecordedApi(answers)
    monkeypatch.setattr(fault, "_connected", lambda *_: api)
    faults = fault.faults(read_environment("twin"), SteadyClock.starting_now(), lambda: live)
    if name in BESIDE:
        return set()
    if name == "kill-node":
        # The machine itself is not the cluster's to kill.
        with contextlib.suppress(Unreachable):  # where the pods are on another node
            faults.choose(name)
        for machine, offered in faults.machines.items():
            offered.pair.nodes.node(machine)
        return set(api.rights)
    action = faults.choose(name).action
    before = action.capture()
    action.do()
    action.observe()
    api.answers.update({f"GET /api/v1/nodes/{each}": node(each, cordoned=True) for each in nodes})
    api.answers[f"GET {scale}"] = {"spec": {"replicas": 0}}
    api.answers[f"GET {cleaner}"] = {**pod("data", "cleaner", first), "status": {"phase": "Succeeded"}}
    action.undo(before)
    action.observe_undone(before)
    return set(api.rights)


def everything(monkeypatch) -> set[Right]:
    return {
        right
        for name in OFFERED
        for live in ("blue", "green")
        for worker in REGION.workers
        for right in taken(name, live, worker.name, monkeypatch)
    }


def covers(rule: Right, right: Right) -> bool:
    wide = Right(right.namespace, right.group, right.resource, right.verb, ANY)
    return rule in {right, wide}


@pytest.mark.parametrize("name", OFFERED)
def test_what_a_fault_does_is_granted(name, monkeypatch):
    used = taken(name, "blue", REGION.workers[0].name, monkeypatch)
    assert bool(used) == (name not in BESIDE)
    assert {right for right in used if not any(covers(rule, right) for rule in granted())} == set()


def test_every_right_is_used(monkeypatch):
    used = everything(monkeypatch)
    assert {rule for rule in granted() if not any(covers(rule, right) for right in used)} == set()


def test_a_right_that_is_bound_to_no_name_cannot_be():
    """Pods have names that nobody knows beforehand; whatever else is hit has a name that does not change."""
    unbound = {(rule.resource, rule.verb) for rule in granted() if rule.name == ANY}
    assert unbound <= {("pods", "list"), ("pods", "delete"), ("pods/eviction", "create"), ("pods", "create")}


def test_nothing_has_a_wildcard_of_the_api_and_nobody_gets_it_unasked():
    for right in granted():
        assert ANY not in {right.group, right.resource, right.verb}
    without = subprocess.run(
        [str(golang.build_all().helm), "template", "drillbook", str(CHART), "--kube-version=1.34.0"],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert "resilience" not in without.stdout


def test_whoever_fills_a_volume_may_see_where_it_is_mounted_though_no_pod_there_may_be_killed():
    values = json.dumps({"accounts": {"resilience": True}, "resilience": {"pods": {}, "helpers": {"data": ["fill"]}}})
    roles = [found for found in rendered_with(values) if found["kind"] == "Role"]
    (role,) = [found for found in roles if found["metadata"]["namespace"] == "data"]
    assert {"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]} in role["rules"]


def test_the_reaper_undoes_with_the_same_rights_where_it_is_installed():
    for reaper, wanted in ((False, {"drillbook-resilience"}), (True, {"drillbook-resilience", "drillbook-reaper"})):
        bindings = [
            found
            for found in rendered(**({"reaper": True} if reaper else {}))
            if found["kind"].endswith("Binding") and found["metadata"]["name"] == "drillbook-resilience"
        ]
        assert len(bindings) == 5
        for found in bindings:
            assert {subject["name"] for subject in found["subjects"]} == wanted
