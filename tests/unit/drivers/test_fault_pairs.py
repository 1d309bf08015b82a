"""What can be taken away and given back: each pair by the requests that it makes, and by what it makes of answers."""

from __future__ import annotations

import json

import psycopg
import pytest
from recorded_api import RecordedApi, Right

from drillbook.drivers.held_connections import HeldConnections
from drillbook.drivers.kubernetes_disk import BALLAST, FilledVolume
from drillbook.drivers.kubernetes_faults import KubernetesPods
from drillbook.drivers.kubernetes_helper import Helper
from drillbook.drivers.kubernetes_pressure import EXCEEDED, HELD, Pressure
from drillbook.drivers.kubernetes_stopped import StoppedDeployment
from drillbook.drivers.vault_seal import SealedVault
from drillbook.ports import Conflict, Unreachable
from drillbook.ports.fault import Pod
from drillbook.twin import lost_machine, machines, vaults

SCALE = "/apis/apps/v1/namespaces/kube-system/deployments/coredns/scale"
PODS = "/api/v1/namespaces/kube-system/pods"
HELPERS = "/api/v1/namespaces/analytics/pods"
HELPER, CLEANER = f"{HELPERS}/drillbook-fault", f"{HELPERS}/drillbook-fault-cleaner"
MIB = 1048576


def scaled(replicas, *, ready=0):
    pods = [
        {
            "metadata": {"name": f"p{number}", "namespace": "kube-system", "uid": "u"}, "spec": {"containers": []},
            "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]},
        }
        for number in range(ready)
    ]  # fmt: skip
    return {f"GET {SCALE}": {"spec": {"replicas": replicas}}, f"GET {PODS}": {"items": pods}}


def stopped(replicas, *, ready=0):
    api = RecordedApi(scaled(replicas, ready=ready))
    return api, StoppedDeployment(lambda: api, "kube-system", "coredns", "k8s-app=kube-dns")


def test_a_deployment_is_stopped_and_started_with_as_many_pods_as_before():
    api, pair = stopped(2, ready=2)
    noted = pair.note()
    assert pair.look(noted).well
    pair.take()
    assert api.bodies[-1] == {"spec": {"replicas": 0}}
    api.answers.update(scaled(0, ready=1))
    assert not pair.look({}).gone, "its last pod still answers"
    api.answers.update(scaled(0))
    assert pair.look({}).gone
    pair.give_back(noted)
    assert api.bodies[-1] == {"spec": {"replicas": 2}}
    api.answers.update(scaled(2, ready=1))
    assert not pair.look(noted).well
    assert {(right.resource, right.verb, right.name) for right in api.rights} == {
        ("deployments/scale", "get", "coredns"), ("deployments/scale", "patch", "coredns"), ("pods", "list", ""),
    }  # fmt: skip


def test_a_deployment_that_was_never_stopped_is_not_scaled_and_one_that_is_at_zero_not_taken():
    api, pair = stopped(2)
    pair.give_back({"replicas": 2})
    assert {right.verb for right in api.rights} == {"get"}
    with pytest.raises(Unreachable, match="is asked for no pod already"):
        stopped(0)[1].note()


def test_a_deployment_that_somebody_else_has_scaled_since_is_left():
    api, pair = stopped(5)
    with pytest.raises(Conflict, match="asked for 5 pods, where it had 2 before"):
        pair.give_back({"replicas": 2})
    assert {right.verb for right in api.rights} == {"get"}


def helper_pod(phase="Running", *, ready=False, ended="", waits=False, restarts=0, node="n1"):
    state = {"waiting": {"reason": "CrashLoopBackOff"}} if waits else {"running": {}}
    last = {"terminated": {"reason": ended, "exitCode": 137}} if ended else {}
    if ended and not (waits or restarts):
        state, last = last, {}
    return {
        "metadata": {"name": "drillbook-fault"}, "spec": {"containers": [], "nodeName": node},
        "status": {
            "phase": phase, "conditions": [{"type": "Ready", "status": str(ready)}],
            "containerStatuses": [
                {
                    "name": "helper", "image": "i", "imageID": "i", "ready": ready, "restartCount": restarts,
                    "state": state, "lastState": last,
                }
            ],
        },
    }  # fmt: skip


def pressure(on, cpu="500m", memory="128Mi", **answers):
    api = RecordedApi({f"GET {HELPER}": 404, **answers})
    helper = Helper(lambda: api, "analytics", "drillbook-fault", "image", 180.0)
    return api, Pressure(helper, on, "app=a,slot=blue", cpu, memory)


def test_a_neighbour_that_presses_has_limits_an_end_of_its_own_and_no_privilege():
    api, pair = pressure("cpu")
    assert pair.note() == {}
    pair.take()
    spec = api.bodies[-1]["spec"]
    (container,) = spec["containers"]
    assert container["resources"]["limits"] == {"cpu": "500m", "memory": "128Mi"}
    assert spec["activeDeadlineSeconds"] == 180
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["automountServiceAccountToken"] is False
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    (term,) = spec["affinity"]["podAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    assert term["labelSelector"]["matchLabels"] == {"app": "a", "slot": "blue"}
    assert api.rights[-1] == Right("analytics", "", "pods", "create", "")


def test_without_a_limit_of_the_processor_the_memory_is_still_limited():
    api, pair = pressure("cpu", cpu="")
    pair.take()
    assert api.bodies[-1]["spec"]["containers"][0]["resources"] == {
        "limits": {"memory": "128Mi"}, "requests": {"cpu": "250m", "memory": "16Mi"},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("on", "pod", "gone"),
    [
        ("cpu", helper_pod(), False),
        ("cpu", helper_pod(ready=True), True),
        ("cpu", helper_pod("Pending", node=""), False),
        ("memory", helper_pod(ready=True), False),
        ("memory", helper_pod(ended="OOMKilled"), False),
        ("memory", helper_pod(ended="OOMKilled", waits=True), False),
        ("memory", helper_pod(ended="OOMKilled", restarts=1), False),
        ("memory", helper_pod(ended="OOMKilled", restarts=1, ready=True), True),
        ("memory", helper_pod(ended="OOMKilled", restarts=2, ready=True), False),
        ("memory", helper_pod(ended="Error", restarts=1, ready=True), False),
    ],
)
def test_pressure_is_there_when_the_node_says_so(on, pod, gone):
    _, pair = pressure(on, **{f"GET {HELPER}": pod})
    look = pair.look({})
    assert (look.gone, look.well) == (gone, False)
    with pytest.raises(Unreachable, match="there is a pod analytics/drillbook-fault already"):
        pair.note()


def test_a_neighbour_that_was_ended_again_is_said_to_have_been_away():
    _, pair = pressure("memory", **{f"GET {HELPER}": helper_pod(ended="OOMKilled", restarts=3, ready=True)})
    assert "does not press all along, and was started again 3 times" in pair.look({}).text


@pytest.mark.parametrize(("limit", "held"), [("128Mi", 96), ("64Mi", 48), ("1Gi", 992), ("65536Ki", 48)])
def test_a_neighbour_holds_memory_close_to_its_limit_and_leaves_room_for_the_look_of_its_node(limit, held):
    api, pair = pressure("memory", memory=limit)
    pair.take()
    (container,) = api.bodies[-1]["spec"]["containers"]
    size = int(container["resources"]["limits"]["memory"][:-2]) * {"K": 1024, "M": MIB, "G": 1024 * MIB}[limit[-2]]
    assert container["command"][3:] == [str(2 * size), str(held * MIB), EXCEEDED, HELD]
    assert container["readinessProbe"]["exec"]["command"][-1] == HELD
    assert api.bodies[-1]["spec"]["restartPolicy"] == "Always"


def test_a_neighbour_that_is_gone_is_well_and_ending_it_twice_is_fine():
    api, pair = pressure("memory", **{f"DELETE {HELPER}": 404, f"POST {HELPERS}": 409})
    pair.take()
    pair.give_back({})
    assert pair.look({}).well
    assert api.rights[-2] == Right("analytics", "", "pods", "delete", "drillbook-fault")


def mounting(name, node, claim="data-0", *, ending=False):
    ends = {"deletionTimestamp": "2026-01-01T00:00:00Z"} if ending else {}
    volumes = [{"name": "data", "persistentVolumeClaim": {"claimName": claim}}]
    return {
        "metadata": {"name": name, "namespace": "analytics", "uid": "u", **ends},
        "spec": {"containers": [], "nodeName": node, "volumes": volumes},
        "status": {"phase": "Running"},
    }


def volume(*pods, group=None, **answers):
    """One that a database's pod mounts on n2, beside another database of the same labels."""
    there = pods or (mounting("db-1", "n1", "data-1"), mounting("db-0", "n2"))
    api = RecordedApi(
        {f"GET {HELPER}": 404, f"GET {CLEANER}": 404, f"GET {HELPERS}": {"items": list(there)}, **answers}
    )
    helper = Helper(lambda: api, "analytics", "drillbook-fault", "image", 180.0)
    pods_there = KubernetesPods(lambda: api)
    return api, FilledVolume(helper, pods_there, "data-0", 10001, 64, 2048, lambda _: None, group=group)


def made(api):
    """The pods that were asked for."""
    return [body["spec"] for body in api.bodies if body is not None and "spec" in body]


def test_a_volume_is_filled_up_to_its_reserve_by_the_user_that_owns_it():
    api, pair = volume()
    pair.take()
    (spec,) = made(api)
    assert (spec["securityContext"]["runAsUser"], spec["securityContext"]["runAsGroup"]) == (10001, 10001)
    assert spec["volumes"][-1]["persistentVolumeClaim"] == {"claimName": "data-0"}
    command = spec["containers"][0]["command"]
    assert command[-3:] == [BALLAST, str(64 * 1048576), str(2048 * 1048576)]


def test_nothing_in_a_volume_of_somebody_elses_gets_another_group_or_mode():
    api, pair = volume(**{f"GET {CLEANER}": helper_pod("Succeeded")})
    pair.take()
    pair.give_back({})
    filler, cleaner = made(api)
    assert "fsGroup" not in filler["securityContext"]
    assert "fsGroup" not in cleaner["securityContext"]


def test_who_may_write_into_a_volume_by_its_group_is_of_that_group():
    api, pair = volume(group=103)
    pair.take()
    (spec,) = made(api)
    assert (spec["securityContext"]["runAsUser"], spec["securityContext"]["runAsGroup"]) == (10001, 103)


def test_a_volume_is_filled_and_emptied_where_it_is_mounted():
    api, pair = volume(**{f"GET {CLEANER}": helper_pod("Succeeded")})
    noted = pair.note()
    assert noted == {"node": "n2"}
    pair.take()
    pair.give_back(noted)
    assert [spec["nodeName"] for spec in made(api)] == ["n2", "n2"]


def test_a_volume_that_went_elsewhere_with_its_pod_is_emptied_there():
    moved = mounting("db-0", "n2", ending=True), mounting("db-0-again", "n3")
    api, pair = volume(*moved, **{f"GET {CLEANER}": helper_pod("Succeeded")})
    pair.give_back({"node": "n2"})
    assert [spec["nodeName"] for spec in made(api)] == ["n3"]


@pytest.mark.parametrize("pods", [[mounting("db-1", "n1", "data-1")], [mounting("db-0", "")]])
def test_a_volume_whose_pod_is_away_is_emptied_where_it_was_filled(pods):
    api, pair = volume(*pods, **{f"GET {CLEANER}": helper_pod("Succeeded")})
    pair.give_back({"node": "n2"})
    assert [spec["nodeName"] for spec in made(api)] == ["n2"]


def test_a_volume_that_was_filled_before_it_was_noted_where_is_emptied_wherever_it_can_be_mounted():
    api, pair = volume(mounting("db-1", "n1", "data-1"), **{f"GET {CLEANER}": helper_pod("Succeeded")})
    pair.give_back({})
    (spec,) = made(api)
    assert "nodeName" not in spec


def test_a_volume_that_no_pod_mounts_is_not_filled():
    mine = mounting("drillbook-fault", "n1"), mounting("drillbook-fault-cleaner", "n1")
    api, pair = volume(*mine, mounting("db-1", "n1", "data-1"))
    for harm in (pair.note, pair.take):
        with pytest.raises(Unreachable, match="no pod in analytics mounts the claim data-0"):
            harm()
    assert made(api) == []


def test_a_volume_is_emptied_by_a_pod_that_says_so_after_the_filler_has_ended():
    api, pair = volume(**{f"GET {CLEANER}": helper_pod("Succeeded")})
    pair.give_back({})
    verbs = [(right.verb, right.name) for right in api.rights]
    assert verbs[:4] == [("delete", "drillbook-fault"), ("get", "drillbook-fault"), ("list", ""), ("create", "")]
    assert verbs[-1] == ("delete", "drillbook-fault-cleaner")


def test_a_volume_is_not_emptied_while_its_filler_may_still_write():
    api, pair = volume(**{f"GET {HELPER}": helper_pod(), f"GET {CLEANER}": helper_pod("Succeeded")})
    with pytest.raises(Unreachable, match="its filler is Running still; delete its pod by hand"):
        pair.give_back({})
    assert "create" not in {right.verb for right in api.rights}


@pytest.mark.parametrize("phase", ["Failed", "Pending"])
def test_a_volume_whose_cleaner_does_not_succeed_is_not_given_back(phase):
    _, pair = volume(**{f"GET {CLEANER}": helper_pod(phase)})
    with pytest.raises(Unreachable, match=f"is not emptied: its cleaner is {phase} on node n2; delete {BALLAST}"):
        pair.give_back({})


def test_a_volume_is_full_when_its_node_found_it_full():
    assert not volume(**{f"GET {HELPER}": helper_pod()})[1].look({}).gone
    assert volume(**{f"GET {HELPER}": helper_pod(ready=True)})[1].look({}).gone
    assert not volume(**{f"GET {CLEANER}": helper_pod()})[1].look({}).well
    assert volume()[1].look({}).well


def vault(server, *, sealed, key="key"):
    """A vault that keeps its state, as the scripted server tells it."""
    state = {"sealed": sealed}

    def answer(asked):
        if asked.path == "/v1/sys/seal":
            state["sealed"] = asked.headers.get("x-vault-token") == "token" or state["sealed"]
            return (204, {}, b"") if asked.headers.get("x-vault-token") == "token" else (403, {}, b"{}")
        if asked.path == "/v1/sys/unseal":
            if asked.json["key"] != "key":
                return 400, {}, b"{}"
            state["sealed"] = False
        return 200, {}, json.dumps(state).encode()

    server.answer = answer
    return SealedVault(server.url, lambda: "token", lambda: key)


def test_a_vault_is_sealed_and_opened(server):
    pair = vault(server, sealed=False)
    assert pair.note() == {}
    assert pair.look({}).well
    pair.take()
    assert pair.look({}).gone
    pair.give_back({})
    assert pair.look({}).well
    asked = len(server.asked)
    pair.give_back({})
    assert [one.path for one in server.asked[asked:]] == ["/v1/sys/seal-status"], "an open one is given no key"


def test_a_vault_that_takes_no_order_or_no_key_is_said(server):
    refusing = SealedVault(vault(server, sealed=False).url, lambda: "other", lambda: "key")
    with pytest.raises(Unreachable, match=r"was not sealed \(403\): see what the token may do"):
        refusing.take()
    with pytest.raises(Unreachable, match=r"did not take the unseal key \(400\); open it by hand"):
        vault(server, sealed=True, key="wrong").give_back({})


def test_a_vault_is_not_sealed_without_the_key_that_opens_it(server):
    def missing():
        raise Unreachable("there is no credential at file:/nowhere")

    pair = SealedVault(server.url, lambda: "token", missing)
    with pytest.raises(Unreachable, match="there is no credential"):
        pair.note()


@pytest.mark.parametrize(
    ("said", "service", "gone"),
    [
        ("sorry, too many clients already", "", True),
        ("remaining connection slots are reserved for roles with the SUPERUSER attribute", "", True),
        ("remaining connection slots are reserved for non-replication superuser connections", "", True),
        ('too many connections for database "shop"', "", True),
        ('too many connections for role "shop"', "shop", True),
        ('too many connections for role "shop"', "", False),
        ('too many connections for role "shop"', "shopper", False),
        ('too many connections for role "shopper"', "shop", False),
    ],
)
def test_connections_are_used_up_by_a_limit_that_the_service_meets_too(monkeypatch, said, service, gone):
    def refuse(*_arguments, **_options):
        raise psycopg.OperationalError(f'connection to server at "h", port 5432 failed: FATAL:  {said}')

    monkeypatch.setattr(psycopg, "connect", refuse)
    look = HeldConnections(lambda: "postgresql://x@h/shop", most=5, lives_s=1.0, service=service).look({})
    assert (look.gone, look.well) == (gone, False)
    assert said in look.text


class Nodes:
    """The control plane's word."""

    def __init__(self, *, ready):
        self.ready = ready

    def node(self, name):
        return type("Node", (), {"name": name, "ready": self.ready})()


class Pods:
    """Those of one namespace that are ready."""

    def __init__(self):
        self.ready = 2

    def listed(self, namespace, selector=""):
        assert (namespace, selector) == ("analytics", "")
        return [Pod(namespace, f"p{n}", f"u{n}", "n", ready=n < self.ready) for n in range(2)]


def lost(*, ready, name="use1-n2", pods=None):
    return lost_machine.lost(name, Nodes(ready=ready), pods or Pods(), ["analytics"])


@pytest.fixture
def machine(monkeypatch):
    running = {"it": True}
    monkeypatch.setattr(machines, "is_running", lambda _machine: running["it"])
    monkeypatch.setattr(machines, "stop", lambda _machine: running.update(it=False))
    monkeypatch.setattr(machines, "boot", lambda _machine: running.update(it=True))
    return running


@pytest.fixture
def vault_beside(monkeypatch):
    """One that is open, and that whoever has its key opens again."""
    state = {"open": True}
    monkeypatch.setattr(vaults, "is_open", lambda _region: state["open"])
    monkeypatch.setattr(vaults, "open_again", lambda _region: state.update(open=True))
    return state


@pytest.mark.usefixtures("vault_beside")
def test_a_machine_is_lost_when_its_control_plane_says_so_and_back_when_it_runs_and_is_well(machine):
    seen, unseen = (lost(ready=ready, name="use1-n1") for ready in (False, True))
    noted = unseen.note()
    unseen.take()
    assert machine == {"it": False}
    assert (unseen.look(noted).gone, unseen.look(noted).well) == (False, False)
    assert (seen.look(noted).gone, seen.look(noted).well) == (True, False)
    with pytest.raises(Unreachable, match="the machine use1-n1 does not run"):
        unseen.note()
    unseen.give_back(noted)
    assert unseen.look(noted).well


@pytest.mark.usefixtures("machine")
@pytest.mark.parametrize("was_open", [True, False])
def test_a_vault_that_its_machine_has_started_sealed_is_opened_if_it_was_open(vault_beside, was_open: bool):
    vault_beside["open"] = was_open
    pair = lost(ready=True)
    noted = pair.note()
    vault_beside["open"] = False
    assert pair.look(noted).well is not was_open
    assert ("the vault in us-east-1 is not open yet" in pair.look(noted).text) is was_open
    pair.give_back(noted)
    assert vault_beside["open"] is was_open
    assert pair.look(noted).well


@pytest.mark.usefixtures("machine", "vault_beside")
def test_a_node_that_is_ready_before_its_pods_are_is_not_as_it_was():
    pods = Pods()
    pair = lost(ready=True, pods=pods)
    noted = pair.note()
    pods.ready = 1
    seen = pair.look(noted)
    assert (seen.gone, seen.well) == (False, False)
    assert seen.text.endswith("of the pods that were ready 1 of 2 in analytics are")
    pods.ready = 2
    assert pair.look(noted).well


@pytest.mark.usefixtures("machine")
def test_what_goes_wrong_with_a_machine_is_said(monkeypatch):
    def fails(_machine):
        raise machines.MachineError("it does not come up")

    monkeypatch.setattr(machines, "boot", fails)
    with pytest.raises(Unreachable, match="it does not come up"):
        lost(ready=False).give_back({})
    with pytest.raises(Unreachable, match="the twin has no worker 'use1-n9'"):
        lost_machine.worker("use1-n9")
