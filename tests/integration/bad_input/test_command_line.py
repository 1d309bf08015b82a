"""What is wrong is said, with where and what to do; the exit code is the design's; nobody sees a traceback."""

from __future__ import annotations

import json
import os
import subprocess

import pytest
from kubernetes import client

from bad_input.conftest import PROJECT, answering, kubeconfig, recording, silent
from drillbook.drivers.kubernetes import connect

REFUSED, INCONCLUSIVE = 2, 75


def at(*keys, to):
    """A change of one value of an environment file."""

    def change(document):
        place = document
        for key in keys[:-1]:
            place = place[key]
        place[keys[-1]] = to

    return change


def another_primary(document):
    document["regions"]["us-west-2"] = dict(document["regions"]["us-east-1"])


WRONG_VALUES = {
    "an unknown key": (at("loadd", to={}), "did you mean 'load'"),
    "a wrong unit": (at("strategy", "watch", to="12 parsecs"), "strategy.watch"),
    "a duration without a unit": (at("objectives", "outage", to=5), "objectives.outage"),
    "a negative limit": (at("load", "rate", to=-50), "load.rate"),
    "a share above one": (at("objectives", "availability", to=99.9), "objectives.availability"),
    "a wrong driver": (at("router", "driver", to="nginx"), "router.driver"),
    "another wrong driver": (at("metrics", "driver", to="graphite"), "metrics.driver"),
    "two primaries": (another_primary, "exactly one region is the primary"),
    "one backend for both slots": (at("router", "backends", to={"blue": "a", "green": "a"}), "both slots"),
    "no chart": (at("releases", "chart", to="../nowhere"), "holds no Chart.yaml"),
    "no values file": (at("releases", "values", to=["nothing.yaml"]), "there is no file"),
    "a release without a slot": (at("releases", "release", to="analytics"), "releases.release"),
    "a URL that is none": (at("metrics", "url", to="prometheus"), "metrics.url"),
    "a name that is not the file's": (at("name", to="other"), "the file is called"),
    "a load that shows nothing": (at("load", "rate", to=1), "cannot reach a verdict"),
    "a namespace that the guard does not list": (at("guard", "namespaces", to=["other"]), "guard.namespaces"),
    "a run longer than allowed": (at("guard", "max_duration", to="10 s"), "guard.max_duration"),
    "production without its flag": (at("tier", to="production"), "production"),
    "an adapter that is not there": (at("workload", "adapter", to="nowhere.py:Workload"), "nowhere.py"),
    "an adapter's unknown option": (at("workload", "options", to={"colour": "red"}), "colour"),
}


@pytest.mark.parametrize("case", WRONG_VALUES)
def test_a_wrong_value_is_refused_before_anything_is_touched(drillbook, environment, case):
    change, said = WRONG_VALUES[case]
    code, output = drillbook("verify", "--environment", str(environment(change)))
    assert said in output
    assert code in {REFUSED, 4}, output  # 4 is pytest's own word for a wrong use
    assert "Traceback" not in output


WRONG_FILES = {
    "no YAML": (b"name: [unclosed", "is not YAML"),
    "no mapping": (b"- one\n- two\n", "where a mapping"),
    "not UTF-8": (b"name: \xff\xfe\n", "is not UTF-8"),
    "a key twice": (b"name: a\nname: b\n", "name"),
    "a tag that would run code": (b"name: !!python/object/apply:os.system ['touch /tmp/hacked']\n", "sample.yaml"),
    "larger than any such file": (b"# " + b"x" * 2_000_000, "larger than 1 MiB"),
    "nothing": (b"", "where a mapping"),
}


@pytest.mark.parametrize("case", WRONG_FILES)
@pytest.mark.parametrize("command", ["verify", "check"])
def test_a_file_that_is_none_is_refused(drillbook, environment, case, command):
    content, said = WRONG_FILES[case]
    path = environment()
    path.write_bytes(content)
    arguments = [str(path)] if command == "check" else ["--environment", str(path)]
    code, output = drillbook(command, *arguments)
    assert said in output
    assert code == REFUSED, output
    assert "Traceback" not in output


WRONG_CREDENTIALS = {
    "no kubeconfig": (None, "does not exist"),
    "a kubeconfig that is no YAML": ("{unclosed", "cannot be used"),
    "a kubeconfig without clusters": ("{}", "cannot be used"),
}


@pytest.mark.parametrize("case", WRONG_CREDENTIALS)
def test_credentials_that_are_none(drillbook, environment, case):
    content, said = WRONG_CREDENTIALS[case]
    path = environment()
    credentials = path.with_name("kubeconfig.yaml")
    credentials.unlink()
    if content is not None:
        credentials.write_text(content)
    code, output = drillbook("verify", "--environment", str(path))
    assert said in output
    assert "kubeconfig" in output
    assert code == INCONCLUSIVE, output
    assert "Traceback" not in output


def test_a_context_that_is_not_there(drillbook, environment):
    path = environment(at("regions", "us-east-1", "context", to="elsewhere"))
    code, output = drillbook("verify", "--environment", str(path))
    assert "elsewhere" in output
    assert code == INCONCLUSIVE, output
    assert "Traceback" not in output


WRONG_ANSWERS = {
    "an expired token": (401, b'{"kind": "Status", "code": 401}', "credentials are not accepted"),
    "too few rights": (403, b'{"kind": "Status", "code": 403}', "lacks the right"),
    "an error of its own": (500, b"{}", "500"),
    "a login page": (200, b"<html><script>alert(1)</script></html>", "127.0.0.1"),
    "noise": (200, bytes(range(256)), "127.0.0.1"),
    "another object": (200, b'{"kind": "List", "items": []}', "127.0.0.1"),
}


@pytest.mark.parametrize("case", WRONG_ANSWERS)
@pytest.mark.parametrize("command", ["verify", "recover"])
def test_a_cluster_that_answers_wrongly(drillbook, environment, case, command):
    status, body, said = WRONG_ANSWERS[case]
    with answering(status, body) as server:
        code, output = drillbook(command, "--environment", str(environment(server=server)))
    assert said in output
    assert code == INCONCLUSIVE, output
    assert "Traceback" not in output
    assert "a-token-that-has-expired" not in output


@pytest.mark.parametrize("command", ["verify", "recover"])
def test_a_cluster_that_is_not_there(drillbook, environment, command):
    code, output = drillbook(command, "--environment", str(environment()))
    assert "did not answer" in output
    assert code == INCONCLUSIVE, output
    assert "Traceback" not in output


def test_a_cluster_that_says_nothing(drillbook, environment):
    with silent() as server:
        code, output = drillbook("recover", "--environment", str(environment(server=server)))
    assert "did not answer" in output
    assert code == INCONCLUSIVE, output
    assert "Traceback" not in output


def test_a_token_that_is_renewed_in_its_file_is_taken_up(tmp_path):
    with recording() as (server, seen):
        path = tmp_path / "kubeconfig.yaml"
        path.write_text(json.dumps(kubeconfig(server)))
        api = client.CoreV1Api(connect(path))
        api.list_namespace(_preload_content=False)
        renewed = json.dumps(kubeconfig(server)).replace("a-token-that-has-expired", "a-new-token")
        path.write_text(renewed)
        os.utime(path, (1, 1))
        api.list_namespace(_preload_content=False)
    assert seen == ["Bearer a-token-that-has-expired", "Bearer a-new-token"]


def test_an_environment_that_is_not_there(drillbook):
    code, output = drillbook("verify", "--environment", "atlantis")
    assert "atlantis" in output
    assert "twin" in output
    assert code == REFUSED


def test_drills_that_are_not_there(drillbook, environment):
    code, output = drillbook("verify", "--environment", str(environment()), "--only", "cutovr")
    assert "cutovr" in output
    assert "cutover" in output
    assert code in {REFUSED, 4}
    assert "Traceback" not in output


def test_a_stop_file(drillbook, environment, tmp_path):
    stop = tmp_path / "stop"
    stop.touch()
    code, output = drillbook("verify", "--environment", str(environment(at("guard", "stop_file", to=str(stop)))))
    assert str(stop) in output
    assert code in {REFUSED, 4}


def lease(holder=""):
    return {
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": {"name": "environment", "resourceVersion": "1"},
        "spec": {"holderIdentity": holder, "leaseTransitions": 1, "leaseDurationSeconds": 15},
    }  # fmt: skip


def test_a_run_folder_that_cannot_be_made(drillbook, environment, tmp_path):
    (tmp_path / "file").touch()
    with answering(200, json.dumps(lease()).encode()) as server:
        code, output = drillbook(
            "verify", "--environment", str(environment(server=server)), "--runs", str(tmp_path / "file" / "runs")
        )
    assert str(tmp_path / "file") in output
    assert code == INCONCLUSIVE, output
    assert "Traceback" not in output


def test_a_run_folder_on_a_full_disk(drillbook, environment, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)], check=True)
    try:
        with (disk / "ballast").open("wb", buffering=0) as file:
            assert file.write(bytes(1_000_000)) < 70_000, "the disk is larger than meant"
        with answering(200, json.dumps(lease()).encode()) as server:
            code, output = drillbook("verify", "--environment", str(environment(server=server)), "--runs", str(disk))
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)
    assert "full" in output
    assert code == INCONCLUSIVE, output
    assert "Traceback" not in output


def test_a_report_of_nothing(drillbook):
    code, output = drillbook("report", "no-such-run")
    assert "no-such-run" in output
    assert code == REFUSED


def test_a_report_of_a_folder_that_is_no_run(drillbook, tmp_path):
    (tmp_path / "run.json").write_text("{")
    code, output = drillbook("report", str(tmp_path))
    assert "Traceback" not in output
    assert str(tmp_path) in output
    assert code in {0, REFUSED, INCONCLUSIVE}


def test_no_tag_of_a_file_was_carried_out():
    assert not (PROJECT / "hacked").exists()
