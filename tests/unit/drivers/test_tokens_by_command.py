"""Kubeconfigs whose token is fetched by a command (Amazon EKS, and Vault by `drillbook credential`) or is in a file."""

from __future__ import annotations

import fcntl
import io
import json
import os
import sys
import threading
import time
from concurrent.futures import wait
from pathlib import Path
from types import SimpleNamespace

import pytest
from kubernetes import client, config
from typer.testing import CliRunner

import drillbook
from drillbook.cli import app
from drillbook.drivers import exec_credential, kubernetes_token
from drillbook.drivers.kubernetes import KubernetesCluster, connect
from drillbook.ports import Unreachable

SCALE = {"spec": {"replicas": 1}}


@pytest.fixture(autouse=True)
def _patient(monkeypatch):
    """However slowly a busy machine starts a command."""
    monkeypatch.setattr(kubernetes_token, "WAITS_S", 60.0)


def kubeconfig(path, server, *command: str):
    user = {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": command[0], "args": list(command[1:]),
                     "interactiveMode": "Never"}}  # fmt: skip
    return written(path, server, user)


def written(path, server, user):
    document = {
        "apiVersion": "v1", "kind": "Config", "current-context": "c", "users": [{"name": "u", "user": user}],
        "clusters": [{"name": "k", "cluster": {"server": server.url}}],
        "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
    }  # fmt: skip
    file = path / "kubeconfig"
    file.write_text(json.dumps(document))
    return file


def counting(path, lasts_s: float) -> tuple[str, ...]:
    """A command that gives token-1, then token-2 and so on, each for a time."""
    program = path / "command"
    program.write_text(
        "n=$(($(cat count 2>/dev/null || echo 0) + 1)); echo $n > count\n"
        f'until=$(date -u -d "@$(($(date +%s) + {int(lasts_s)}))" +%Y-%m-%dT%H:%M:%SZ)\n'
        'echo "{\\"apiVersion\\":\\"client.authentication.k8s.io/v1\\",\\"kind\\":\\"ExecCredential\\",'
        '\\"status\\":{\\"token\\":\\"token-$n\\",\\"expirationTimestamp\\":\\"$until\\"}}"\n'
    )
    return "sh", str(program)


@pytest.mark.parametrize(("lasts_s", "tokens"), [(-10, ["token-2", "token-3"]), (3600, ["token-1", "token-1"])])
def test_a_token_is_fetched_again_once_it_has_expired(server, tmp_path, monkeypatch, lasts_s, tokens):
    monkeypatch.chdir(tmp_path)
    server.says(200, SCALE)
    learned: list[str] = []
    api = connect(kubeconfig(tmp_path, server, *counting(tmp_path, lasts_s)), learn=learned.extend)
    for _ in tokens:
        KubernetesCluster(api, "analytics").scale("blue", 1)
    assert [asked.headers["authorization"] for asked in server.asked] == [f"Bearer {token}" for token in tokens]
    assert set(tokens) <= set(learned)


def rewritten(file, content: str) -> None:
    """Later than whatever was written before, also for a file system whose clock ticks slowly."""
    later_ns = file.stat().st_mtime_ns + 1_000_000_000
    file.write_text(content)
    os.utime(file, ns=(later_ns, later_ns))


@pytest.mark.parametrize("part", ["command that fails", "user that is not written yet"])
def test_a_kubeconfig_that_gives_no_token_for_a_moment_takes_none_away(server, tmp_path, monkeypatch, part):
    monkeypatch.chdir(tmp_path)
    server.says(200, SCALE)
    file = kubeconfig(tmp_path, server, *counting(tmp_path, 3600))
    cluster, whole = KubernetesCluster(connect(file), "analytics"), file.read_text()
    if part == "command that fails":
        rewritten(file, whole.replace('"sh"', '"false"'))
    else:
        rewritten(file, json.dumps({**json.loads(whole), "users": []}))
    cluster.scale("blue", 1)
    cluster.scale("blue", 1)
    rewritten(file, whole)
    cluster.scale("blue", 1)
    tokens = [asked.headers.get("authorization") for asked in server.asked]
    assert tokens == ["Bearer token-1", "Bearer token-1", "Bearer token-2"]


@pytest.fixture
def hanging(server, tmp_path, monkeypatch):
    """A cluster whose command has given a token, and hangs from its second start on until it is mended."""
    monkeypatch.chdir(tmp_path)
    server.says(200, SCALE)
    program = Path(counting(tmp_path, 100)[1])
    program.write_text("[ -e count ] && [ ! -e mended ] && flock held true\n" + program.read_text())
    with (tmp_path / "held").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        file = kubeconfig(tmp_path, server, "sh", str(program))
        yield SimpleNamespace(cluster=KubernetesCluster(connect(file), "analytics"), mended=tmp_path / "mended")
    for thread in threading.enumerate():
        if thread.name == kubernetes_token.THREAD:
            thread.join(10)


def authorized(server):
    return [asked.headers["authorization"].removeprefix("Bearer ") for asked in server.asked]


def test_a_command_that_hangs_keeps_no_request_waiting(server, hanging, monkeypatch):
    """Its token is still good: the library asks for another five minutes before its end."""
    waited_s: list[float] = []

    def noted(attempts, within_s):
        waited_s.append(within_s)
        return wait(attempts, within_s)

    monkeypatch.setattr(kubernetes_token, "wait", noted)
    monkeypatch.setattr(kubernetes_token, "WAITS_S", 0.3)
    for _ in range(3):
        hanging.cluster.scale("blue", 1)
    assert authorized(server) == ["token-1"] * 3
    assert waited_s[0] <= 0.3
    assert waited_s[1:] == [0.0, 0.0], "it is waited for once, and not before each"


def test_a_command_that_hangs_for_long_is_given_up_for_another(server, hanging, monkeypatch):
    monkeypatch.setattr(kubernetes_token, "WAITS_S", 0.3)
    hanging.cluster.scale("blue", 1)
    hanging.mended.touch()
    monkeypatch.setattr(kubernetes_token, "HANGS_AFTER_S", 0.0)
    monkeypatch.setattr(kubernetes_token, "WAITS_S", 60.0)
    hanging.cluster.scale("blue", 1)
    assert authorized(server) == ["token-1", "token-2"]


def test_a_command_that_hangs_from_the_start_is_not_waited_for_without_end(server, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(kubernetes_token, "HANGS_AFTER_S", 0.5)
    with (tmp_path / "held").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(Unreachable, match=r"kubeconfig names for a token has not ended within 0\.5 s"):
            connect(kubeconfig(tmp_path, server, "flock", "held", "true"))


def test_a_token_that_was_not_looked_at_for_long_is_waited_for(server, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    server.says(200, SCALE)
    monkeypatch.setattr(kubernetes_token, "WAITS_S", 0.0)
    monkeypatch.setattr(kubernetes_token, "LATELY_S", 0.0)
    KubernetesCluster(connect(kubeconfig(tmp_path, server, *counting(tmp_path, 100))), "analytics").scale("blue", 1)
    assert authorized(server) == ["token-2"]


def test_what_the_library_raises_is_told_to_whoever_has_asked():
    def refuse(_configuration) -> None:
        raise ValueError("no token")

    renewal = kubernetes_token.Renewal(access=None, learn=list, seen={}, own=refuse)
    with pytest.raises(ValueError, match="no token"):
        renewal(client.Configuration())


@pytest.mark.parametrize("named", ["beside the kubeconfig", "by its whole path"])
def test_a_token_in_a_file_of_its_own_is_read_again_once_that_is_written(server, tmp_path, named):
    """The kubelet writes that of a pod's account anew every hour or less."""
    server.says(200, SCALE)
    first, second = tmp_path / "first", tmp_path / "second"
    first.write_text("token-1")
    second.write_text("token-3")
    user = {"tokenFile": first.name if named.startswith("beside") else str(first)}
    learned: list[str] = []
    file = written(tmp_path, server, user)
    cluster = KubernetesCluster(connect(file, learn=learned.extend), "analytics")
    for change in (
        lambda: None,
        lambda: rewritten(first, "token-2"),
        first.unlink,
        lambda: rewritten(file, file.read_text().replace("first", "second")),
        lambda: rewritten(second, ""),
        lambda: rewritten(second, "token-4"),
    ):
        change()
        cluster.scale("blue", 1)
    tokens = ["token-1", "token-2", "token-2", "token-3", "token-3", "token-4"]
    assert [asked.headers["authorization"] for asked in server.asked] == [f"Bearer {token}" for token in tokens]
    assert {*learned} == {*tokens}


def test_a_kubeconfig_that_is_rewritten_while_the_client_is_made_is_seen(server, tmp_path, monkeypatch):
    server.says(200, SCALE)
    file = kubeconfig(tmp_path, server, *counting(tmp_path, 3600))
    load = config.new_client_from_config

    def rewritten_meanwhile(*arguments, **options):
        made = load(*arguments, **options)
        monkeypatch.setattr(config, "new_client_from_config", load)
        rewritten(file, file.read_text())
        return made

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(config, "new_client_from_config", rewritten_meanwhile)
    KubernetesCluster(connect(file), "analytics").scale("blue", 1)
    assert server.asked[-1].headers["authorization"] == "Bearer token-2"


def test_a_command_that_gives_nothing_is_named(server, tmp_path):
    with pytest.raises(Unreachable, match=r"gives no credential.*exec command"):
        connect(kubeconfig(tmp_path, server, "false"))


def test_a_token_of_a_vault_is_fetched_once_for_many_requests(server, tmp_path, monkeypatch):
    def answer(asked):
        vault = asked.path.startswith("/v1/secret")
        return 200, {}, json.dumps({"data": {"token": "of-a-vault"}} if vault else SCALE).encode()

    server.answer = answer
    monkeypatch.setenv("VAULT_ADDR", server.url)
    monkeypatch.setenv("VAULT_TOKEN", "own-token")
    monkeypatch.setenv("PYTHONPATH", str(Path(drillbook.__file__).parents[1]))  # that which is tested, wherever it is
    command = (sys.executable, "-m", "drillbook", "credential", "vault:secret/staging#token")
    api = connect(kubeconfig(tmp_path, server, *command))
    KubernetesCluster(api, "analytics").scale("blue", 1)
    KubernetesCluster(api, "analytics").scale("blue", 1)
    authorized = [asked.headers.get("authorization") for asked in server.asked]
    assert authorized == [None, "Bearer of-a-vault", "Bearer of-a-vault"], "the vault is asked first, and no more"


def test_a_credential_that_is_not_there_ends_the_command(monkeypatch):
    monkeypatch.setattr(sys, "__stdout__", io.StringIO())
    done = CliRunner().invoke(app, ["credential", "env:NOT_SET"])
    assert (done.exit_code, done.stdout) == (2, "")
    assert "env:NOT_SET" in done.stderr


def test_nobody_is_shown_a_credential(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "__stdout__", shown := Terminal())
    monkeypatch.setenv("MINE", "of-a-variable")
    assert CliRunner().invoke(app, ["credential", "env:MINE"]).exit_code == 2
    assert not shown.getvalue()


@pytest.mark.parametrize("asked", ["", "[]", "{}", '{"apiVersion": "client.authentication.k8s.io/v1beta1"}'])
def test_what_is_printed_is_of_the_version_that_was_asked_for(asked):
    printed = json.loads(exec_credential.document("t", asked, time.time()))
    assert printed["apiVersion"] == "client.authentication.k8s.io/" + ("v1beta1" if "beta" in asked else "v1")
    assert printed["status"].keys() == {"token", "expirationTimestamp"}
