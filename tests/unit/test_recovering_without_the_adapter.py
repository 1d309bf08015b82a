"""`drillbook recover` where the workload's adapter is a file that is not there, as in a cluster without it."""

# ruff: noqa: ARG001, ARG002 - what is in memory takes the arguments of what is real

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from types import SimpleNamespace

import pytest
from ruamel.yaml import YAML

from drillbook import wiring
from drillbook.afterwards import recovery
from drillbook.domain.slot_history import Revision
from drillbook.domain.undo import Change
from drillbook.ports import Answer, Holder, SlotStatus
from drillbook.run import journal
from drillbook.run.clock import SteadyClock
from drillbook.run.environment import DIRECTORY
from tests.unit.run.test_two_regions import Documents

ADAPTER = """
from drillbook.domain.traffic import Origin

class Workload:
    def __init__(self, namespace, options):
        pass

    def origin(self, reply):
        return Origin(slot=reply.headers["slot"], version="", region="")
"""


@pytest.fixture
def environment(tmp_path):
    """The twin's, as a cluster sees it that has its kubeconfig, and an adapter's name without the file."""
    document = YAML(typ="safe", pure=True).load((DIRECTORY / "twin.yaml").read_text())
    del document["reach"], document["recovery"], document["migrations"], document["faults"]
    document["regions"] = {"us-east-1": {"kubeconfig": "kubeconfig.yaml", "role": "primary"}}
    document["name"] = "staging"
    document["workload"] |= {"adapter": "adapter.py:Workload"}
    (tmp_path / "kubeconfig.yaml").write_text(json.dumps({
        "apiVersion": "v1", "kind": "Config", "current-context": "c", "users": [{"name": "u", "user": {"token": "t0"}}],
        "clusters": [{"name": "k", "cluster": {"server": "http://127.0.0.1:1"}}],
        "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
    }))  # fmt: skip
    path = tmp_path / "staging.yaml"
    path.write_text(json.dumps(document))
    return wiring.read_environment(str(path), releases=False)


@dataclass
class Cluster:
    """Lock, route and slots of a cluster, whose user is answered by the slot that has the weight."""

    weights_: dict[str, int] = field(default_factory=lambda: {"blue": 100, "green": 0})
    there: str = ""

    def acquire(self, identity, *, wait_s):
        return Holder(identity, 0.0, 1)

    def nothing(self):
        """The lock is ours, and stays so."""

    check = renew = release = nothing

    def weights(self):
        return dict(self.weights_)

    def set_weights(self, weights):
        self.weights_ = dict(weights)

    def backends(self):
        return {"blue": "b", "green": "g"}

    def slot(self, slot):
        pods = ("p",) if self.there else ()
        return SlotStatus(slot, self.there, len(pods), len(pods), pods)

    def history(self, slot):
        return [Revision(1, "ours", current=True)] if self.there else []

    def restore(self, slot, revision, *, deadline_s):
        self.there = ""

    def send(self, path):
        slot = next(slot for slot, weight in self.weights_.items() if weight)
        return Answer(200, {"slot": slot}, b"", 0.0)


@pytest.fixture
def world(monkeypatch, environment):
    """The ports that the environment's file comes to, in front of this cluster."""
    real, cluster, left = wiring.platform, Cluster(), Documents()

    def platform(asked, clock, *, witnessed=False):
        made = real(asked, clock)
        origin = made.client.origin
        client = SimpleNamespace(get=lambda path, **_: cluster.send(path), origin=origin)
        parts = dict.fromkeys(("router", "releaser", "cluster", "lock"), cluster)
        return replace(made, **parts, client=client, store=left, left=left)

    monkeypatch.setattr(recovery.wiring, "platform", platform)
    monkeypatch.setattr(journal, "UNDO_WITHIN_S", 0.0)

    def change(sequence, action, arguments, before, *touches):
        made = Change(
            sequence, "run-1", "drill", action, {"arguments": arguments, "before": before}, 7, touches=touches,
            target=environment.target,
        )  # fmt: skip
        left[made.name] = made.as_document()

    def deployed():
        cluster.there = "1.1.0"
        before = {"revision": 0, "last": 0, "version": "", "replicas": 0}
        change(1, "deploy-release", {"slot": "green", "release": "1.1.0", "mark": "ours"}, before, "slot/green")

    def switched():
        cluster.weights_ = {"blue": 0, "green": 100}
        change(2, "switch-traffic", {"slot": "green"}, {"weights": {"blue": 100, "green": 0}}, "route", "slot/green")

    return SimpleNamespace(cluster=cluster, left=left, deployed=deployed, switched=switched)


def recovered(environment):
    said = []
    return recovery.recover(environment, said.append, unattended=True), said


@pytest.mark.usefixtures("world")
def test_where_nothing_is_left_nobody_asks_for_it(environment):
    assert recovered(environment) == (0, ["recover: no run has left anything changed"])


def test_what_is_seen_without_it_is_put_back_without_it(environment, world):
    world.deployed()
    code, said = recovered(environment)
    assert (code, world.cluster.there, dict(world.left)) == (0, "", {})
    assert said == [
        "recover: put back: deploy-release of drill in run-1: slot green runs nothing in 0 pods, 0 of them ready"
    ]


def test_traffic_is_led_back_and_that_nobody_can_tell_is_said(environment, world, tmp_path):
    world.deployed()
    world.switched()
    code, said = recovered(environment)
    assert (code, world.cluster.weights_) == (75, {"blue": 100, "green": 0})
    assert "NOT put back: switch-traffic of drill in run-1: " in said[0]
    assert f"'{tmp_path}/adapter.py:Workload' cannot be imported: FileNotFoundError" in said[0]
    assert said[-1].startswith("recover: without the workload's adapter nobody can tell who answers")
    (tmp_path / "adapter.py").write_text(ADAPTER)
    assert recovered(environment)[0] == 0
    assert (world.cluster.there, dict(world.left)) == ("", {})


def test_what_cannot_be_undone_for_another_reason_is_no_doubt(environment, world, tmp_path):
    (tmp_path / "adapter.py").write_text(ADAPTER)
    world.switched()
    world.cluster.weights_ = {"blue": 50, "green": 50}
    code, said = recovered(environment)
    assert code == 1
    assert "somebody else has changed them since" in said[-1]


def test_the_ports_are_made_without_it_and_whoever_releases_is_told_before(environment):
    assert wiring.platform(environment, SteadyClock.starting_now()).environment == environment
    with pytest.raises(wiring.EnvironmentFileError, match=r"workload: .* cannot be imported"):
        wiring.check_workload(environment)
