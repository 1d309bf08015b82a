from __future__ import annotations

import json

import pytest
from kubernetes import client

from drillbook.drivers.kubernetes_database import StatefulSetDatabase
from drillbook.ports import Unreachable
from tests.unit.drivers.recorded_api import RecordedApi

OWNER = {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "postgres", "uid": "1"}


@pytest.fixture
def database(server) -> StatefulSetDatabase:
    return StatefulSetDatabase(client.ApiClient(client.Configuration(host=server.url)))


def test_orders_that_nobody_gave_are_none(server, database) -> None:
    server.says(404, {})
    assert database.orders() == ""


def test_orders_are_read_and_strange_ones_refused(server, database) -> None:
    server.says(200, {"data": {"orders": "fenced"}})
    assert database.orders() == "fenced"
    server.says(200, {"data": {"orders": "fence"}})
    with pytest.raises(Unreachable, match="orders 'fence', which is none of"):
        database.orders()


def test_orders_are_made_where_there_are_none(server, database) -> None:
    server.answer = lambda asked: (404 if asked.method == "PUT" else 201, {}, b"{}")
    database.order("fenced")
    assert [asked.method for asked in server.asked] == ["PUT", "POST"]
    assert server.asked[-1].json["data"] == {"orders": "fenced"}


def test_a_refusal_to_take_orders_is_no_fence(server, database) -> None:
    server.says(403, {})
    with pytest.raises(Unreachable, match="grant it the harness' Role"):
        database.order("fenced")


@pytest.mark.parametrize(("verb", "replicas"), [("stop", 0), ("start", 1)])
def test_it_is_scaled(server, database, verb, replicas) -> None:
    server.says(200, {"spec": {}})
    getattr(database, verb)()
    asked = server.asked[-1]
    assert (asked.method, asked.path) == ("PATCH", "/apis/apps/v1/namespaces/data/statefulsets/postgres/scale")
    assert asked.json == {"spec": {"replicas": replicas}}


@pytest.mark.parametrize(("spec", "wanted"), [({"replicas": 1}, True), ({"replicas": 0}, False), ({}, False)])
def test_whether_one_is_asked_for_is_what_the_scale_says(server, database, spec, wanted) -> None:
    server.says(200, {"spec": spec})
    assert database.wanted() is wanted
    asked = server.asked[-1]
    assert (asked.method, asked.path) == ("GET", "/apis/apps/v1/namespaces/data/statefulsets/postgres/scale")


@pytest.mark.parametrize(
    ("pods", "running"),
    [
        ([], False),
        ([({}, "Running")], True),
        ([({"labels": {"app.kubernetes.io/name": "of-another-chart"}}, "Running")], True),
        ([({"deletionTimestamp": "2026-01-01T00:00:00Z"}, "Running")], True),
        ([({}, "Unknown")], True),
        ([({}, "Failed")], False),
        ([({"ownerReferences": [], "labels": {"app.kubernetes.io/name": "postgres"}}, "Running")], False),
        ([({"ownerReferences": [{**OWNER, "kind": "Job"}]}, "Running")], False),
    ],
    ids=["none", "runs", "other labels", "is ending", "silent node", "failed", "nobody's", "a job's"],
)
def test_only_a_pod_that_is_gone_or_done_does_not_run(server, database, pods, running) -> None:
    items = [
        {"metadata": {"ownerReferences": [OWNER], **metadata}, "status": {"phase": phase}} for metadata, phase in pods
    ]
    server.answer = lambda _: (200, {}, json.dumps({"items": items}).encode())
    assert database.running() is running


@pytest.mark.parametrize("status", [200, 404], ids=["there", "gone"])
def test_it_is_lost_at_once_and_asked_for_no_more(server, database, status) -> None:
    server.answer = lambda asked: (status if asked.method == "DELETE" else 200, {}, b"{}")
    database.lose()
    scaled, deleted = server.asked
    assert (scaled.path.rpartition("/")[2], scaled.json) == ("scale", {"spec": {"replicas": 0}})
    assert (deleted.method, deleted.path) == ("DELETE", "/api/v1/namespaces/data/pods/postgres-0")
    assert deleted.json["gracePeriodSeconds"] == 0


def test_a_server_that_may_not_be_ended_is_not_lost(server, database) -> None:
    server.answer = lambda asked: (403 if asked.method == "DELETE" else 200, {}, b"{}")
    with pytest.raises(Unreachable, match="delete the pod data/postgres-0"):
        database.lose()


def test_what_the_server_printed_is_read_and_nothing_of_one_that_is_not_there() -> None:
    log = "GET /api/v1/namespaces/data/pods/postgres-0/log"
    assert "LOST: no data" in StatefulSetDatabase(RecordedApi({log: "LOST: no data"})).said()
    for nothing_yet in (404, 400):
        assert StatefulSetDatabase(RecordedApi({log: nothing_yet})).said() == ""
    with pytest.raises(Unreachable, match="read what the pod data/postgres-0 printed"):
        StatefulSetDatabase(RecordedApi({log: 403})).said()
