"""A cluster that cannot be asked, or answers wrongly: who, what was asked, what to do; and nothing is changed."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime

import pytest
from kubernetes import client

from bad_input.conftest import TOKEN, Cluster, answering, at, drillbook, kubeconfig, listening
from drillbook.drivers.kubernetes import connect

COMMANDS = ["verify", "recover"]
READ = "read the Lease drillbook/environment"
WRONG_CREDENTIALS = {
    "no kubeconfig": (None, "does not exist; name the right one in the environment file"),
    "no YAML": (b"{unclosed", "cannot be used"),
    "no text": (b"\xff\xfe\x00", "cannot be used"),
    "no mapping": (b"- one\n", "cannot be used"),
    "no clusters": (b"{}", "cannot be used"),
}


@pytest.mark.parametrize(
    ("command", "case"), [("verify", "no kubeconfig"), *(("recover", case) for case in WRONG_CREDENTIALS)]
)
def test_credentials_that_are_none(environment, command, case):
    content, said = WRONG_CREDENTIALS[case]
    path = environment()
    credentials = path.with_name("kubeconfig.yaml")
    credentials.unlink()
    if content is not None:
        credentials.write_bytes(content)
    drillbook(command, "--environment", path).inconclusive(f"the kubeconfig {credentials} {said}")


@pytest.mark.parametrize("command", COMMANDS)
def test_a_context_that_is_not_there(environment, command):
    path = environment(at("regions", "us-east-1", "context", to="elsewhere"))
    drillbook(command, "--environment", path).inconclusive("kubeconfig.yaml", "with the context 'elsewhere'")


def test_a_certificate_that_is_not_there(environment):
    path = environment(server="https://127.0.0.1:1")
    credentials = path.with_name("kubeconfig.yaml")
    document = json.loads(credentials.read_text())
    document["users"][0]["user"] = {"client-certificate": "gone.crt", "client-key": "gone.key"}
    credentials.write_text(json.dumps(document))
    drillbook("verify", "--environment", path).inconclusive("kubeconfig.yaml", "gone.")


@pytest.mark.parametrize("command", COMMANDS)
def test_a_network_that_this_machine_lacks(environment, command):
    path = environment(at("reach", to={"network_namespace": "nowhere"}))
    drillbook(command, "--environment", path).inconclusive("the network namespace 'nowhere'", "drillbook twin up")


def test_a_token_that_is_renewed_in_its_file_is_taken_up(tmp_path):
    with answering(lambda *_: (200, b"{}")) as server:
        path = tmp_path / "kubeconfig.yaml"
        path.write_text(json.dumps(kubeconfig(server.url)))
        api = client.CoreV1Api(connect(path))
        api.list_namespace(_preload_content=False)
        path.write_text(json.dumps(kubeconfig(server.url)).replace(TOKEN, "a-new-token"))
        os.utime(path, (1, 1))
        api.list_namespace(_preload_content=False)
    assert server.credentials == [f"Bearer {TOKEN}", "Bearer a-new-token"]


def status(code: int) -> bytes:
    return json.dumps({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code}).encode()


NO_API = f"is no Kubernetes API: its answer, when asked to {READ}, could not be read"
WRONG_ANSWERS = {
    "an expired token": (401, status(401), "the credentials are not accepted: renew the kubeconfig's token"),
    "too few rights": (403, status(403), "the account lacks the right: grant it the harness' Role"),
    "an error of its own": (500, status(500), f"refused to {READ} (500)"),
    "too busy": (503, b"", f"refused to {READ} (503)"),
    "a login page": (200, b"<html><script>alert(1)</script></html>", NO_API),
    "noise": (200, bytes(range(256)), NO_API),
    "another object": (200, b'{"kind": "List", "items": []}', NO_API),
    "nothing": (200, b"", NO_API),
    "null": (200, b"null", NO_API),
}


@pytest.mark.parametrize(
    ("command", "case"),
    [("verify", "an expired token"), ("verify", "a login page"), *(("recover", case) for case in WRONG_ANSWERS)],
)
def test_an_answer_that_is_wrong(environment, command, case):
    code, body, said = WRONG_ANSWERS[case]
    with answering(lambda *_: (code, body)) as server:
        drillbook(command, "--environment", environment(server=server.url)).inconclusive(server.url, said)
    assert server.changes == []


@pytest.mark.parametrize("command", COMMANDS)
def test_nobody_listens(environment, command):
    said = drillbook(command, "--environment", environment())
    said.inconclusive(f"did not answer when asked to {READ}: nothing listens there; see that it runs")


@pytest.mark.parametrize("command", COMMANDS)
def test_silence(environment, command):
    with listening(None) as server:
        said = drillbook(command, "--environment", environment(server=server.url))
    said.inconclusive(f"{server.url} did not answer when asked to {READ}: no whole answer came in time")


@pytest.mark.parametrize(
    "first", [b"", b"220 smtp.example.com ESMTP\r\n", b'HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n{"kind":']
)
def test_an_answer_that_breaks_off(environment, first):
    with listening(first) as server:
        said = drillbook("recover", "--environment", environment(server=server.url))
    said.inconclusive(f"{server.url} did not answer when asked to {READ}: it broke off its answer")


def test_a_name_that_is_none(environment):
    said = drillbook("recover", "--environment", environment(server="http://cluster.invalid"))
    said.inconclusive(f"http://cluster.invalid did not answer when asked to {READ}: its name cannot be resolved")


def test_a_run_that_is_going_on_is_named(environment):
    now = datetime.now(UTC)
    cluster = Cluster("ann@build process 7", now.strftime("%Y-%m-%dT%H:%M:%S.%fZ"))
    with answering(cluster.answer) as server:
        said = drillbook("verify", "--environment", environment(server=server.url))
    since = now.strftime("since %Y-%m-%d %H:%M:%S UTC")
    said.inconclusive(f"the environment is in use by ann@build process 7 {since}", "--wait")
    assert server.changes == []


DOCUMENTS = {
    "an error": (500, status(500), "refused to list the ConfigMaps in drillbook (500)"),
    "a login page": (200, b"<html>", "could not be read"),
}


@pytest.mark.parametrize("case", DOCUMENTS)
@pytest.mark.parametrize("command", COMMANDS)
def test_what_others_left_cannot_be_told(environment, tmp_path, case, command):
    cluster = Cluster()
    code, body, said = DOCUMENTS[case]
    cluster.documents = (code, body)
    runs = ["--runs", tmp_path / "runs"] if command == "verify" else []
    with answering(cluster.answer) as server:
        drillbook(command, "--environment", environment(server=server.url), *runs).inconclusive(server.url, said)
    assert cluster.holder == "", "the lock is given back"
    assert all("/leases/environment" in path for _, path, _ in server.changes), "nothing but the lock is touched"
