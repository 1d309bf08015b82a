from __future__ import annotations

import copy
import json

import pytest
from kubernetes import client

from drillbook.drivers.gateway_api import GatewayApiRouter
from drillbook.ports import Unreachable

ROUTE = {
    "metadata": {"name": "analytics", "resourceVersion": "7"},
    "spec": {
        "rules": [
            {"matches": [{"headers": []}], "backendRefs": [{"name": "analytics-green"}]},
            {"backendRefs": [{"name": "analytics-blue", "weight": 100}, {"name": "analytics-green", "weight": 0}]},
        ]
    },
}


def router(url: str) -> GatewayApiRouter:
    configuration = client.Configuration(host=url)
    slots = {"blue": "analytics-blue", "green": "analytics-green"}
    return GatewayApiRouter(client.ApiClient(configuration), "analytics", "analytics", slots)


def test_weights_are_those_of_the_last_rule(server) -> None:
    server.says(200, ROUTE)
    assert router(server.url).weights() == {"blue": 100, "green": 0}


def test_only_the_weights_are_patched_and_only_of_what_was_read(server) -> None:
    server.says(200, ROUTE)
    router(server.url).set_weights({"blue": 0, "green": 100})
    patch = server.asked[-1]
    assert patch.method == "PATCH"
    assert patch.headers["content-type"] == "application/json-patch+json"
    assert patch.json == [
        {"op": "test", "path": "/metadata/resourceVersion", "value": "7"},
        {"op": "add", "path": "/spec/rules/1/backendRefs/0/weight", "value": 0},
        {"op": "add", "path": "/spec/rules/1/backendRefs/1/weight", "value": 100},
    ]


def test_a_change_by_somebody_else_is_read_again(server) -> None:
    refusals = iter([409])
    server.answer = lambda asked: (
        (next(refusals, 200) if asked.method == "PATCH" else 200), {}, json.dumps(ROUTE).encode()
    )  # fmt: skip
    router(server.url).set_weights({"blue": 0, "green": 100})
    assert [asked.method for asked in server.asked] == ["GET", "PATCH", "GET", "PATCH"]


def test_changes_by_somebody_else_without_end_are_reported(server) -> None:
    server.answer = lambda asked: (
        (422 if asked.method == "PATCH" else 200), {}, json.dumps(ROUTE).encode()
    )  # fmt: skip
    with pytest.raises(Unreachable, match="changed by somebody else"):
        router(server.url).set_weights({"blue": 0, "green": 100})


def test_a_route_without_the_backend_is_reported(server) -> None:
    route = copy.deepcopy(ROUTE)
    route["spec"]["rules"][1]["backendRefs"].pop()
    server.says(200, route)
    with pytest.raises(Unreachable, match="lacks the backend analytics-green"):
        router(server.url).weights()


@pytest.mark.parametrize("answer", [b"<html>under maintenance</html>", [], {}, {"metadata": {}, "spec": "?"}])
def test_an_answer_that_is_no_route_is_reported(server, answer) -> None:
    server.says(200, answer, **{"Content-Type": "text/html" if isinstance(answer, bytes) else "application/json"})
    with pytest.raises(Unreachable, match=r"is no Kubernetes API: its answer, when asked to show the HTTPRoute"):
        router(server.url).weights()
    with pytest.raises(Unreachable, match="is no Kubernetes API"):
        router(server.url).set_weights({"blue": 0, "green": 100})


@pytest.mark.parametrize(("status", "hint"), [(401, "renew the kubeconfig"), (403, "lacks the right"), (404, "exist")])
def test_a_refusal_says_what_to_do(server, status, hint) -> None:
    server.says(status, {"kind": "Status"})
    with pytest.raises(Unreachable, match=hint):
        router(server.url).weights()
