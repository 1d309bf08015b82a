from __future__ import annotations

from dataclasses import replace

import pytest
from region_in_memory import DATABASE, GATEWAY, SERVING, SETTINGS, offered

from drillbook.actions.faults.plan import NotOffered
from drillbook.domain.fault import CATALOGUE
from drillbook.domain.fault_settings import FaultSettings
from drillbook.ports import Conflict, Unreachable
from drillbook.ports.fault import Node
from drillbook.run.action import NotObserved


def test_a_killed_pod_is_gone_before_it_counts_as_killed_and_another_takes_its_place(region, harness):
    done = harness.make("kill-pod")
    assert "pod blue-1 is gone" in done.observation.text
    assert done.observed_s > done.accepted_s
    (undone,) = harness.recover()
    assert undone.text == "2 of 2 pods slot=blue in analytics are ready"
    assert [step for step in region.steps if "done" not in step] == ["kill blue-1"]


def test_a_kill_that_the_node_does_not_carry_out_did_not_bite(region, harness):
    region.silent = True
    with pytest.raises(NotObserved, match="blue-1 is still there"):
        harness.make("kill-pod")


def test_a_pod_that_is_not_replaced_is_not_put_back(region, harness, monkeypatch):
    monkeypatch.setattr("drillbook.run.journal.UNDO_WITHIN_S", 5.0)
    region.replaces = False
    harness.make("kill-pod")
    (undone,) = harness.recover()
    assert not undone.restored
    assert undone.text == "1 of 1 pods slot=blue in analytics are ready"


def test_another_pod_of_the_same_name_is_not_killed(region, faults):
    action = faults.choose("kill-pod").action
    region.there[0].pod = replace(region.there[0].pod, uid="another")
    with pytest.raises(Unreachable, match="blue-1 in analytics is gone already"):
        action.capture()
    action.do()
    assert region.steps == []


def test_where_no_pod_is_ready_none_is_killed(region, faults):
    region.now_s = -1.0
    with pytest.raises(Unreachable, match="no pod slot=blue in analytics is ready"):
        faults.choose("kill-pod")


def test_a_node_is_drained_of_the_named_namespaces_one_pod_at_a_time(region, harness):
    done = harness.make("drain-node")
    assert done.observation.data == {"left": [], "schedulable": False}
    assert all(pod.node == "n2" for group in (SERVING, GATEWAY) for pod in region.listed(*group))
    assert harness.recover()[0].text == "node n1 is well, takes new pods, pods ready: 2 in analytics, 1 in gateway"


def test_what_is_several_is_spread_again_and_what_is_alone_is_not_moved_once_more(region, harness):
    harness.make("drain-node")
    assert harness.recover()[0].restored
    assert sorted(pod.node for pod in region.listed(*SERVING)) == ["n1", "n2"]
    assert [pod.node for pod in region.listed(*GATEWAY)] == ["n2"]
    assert harness.make("drain-node").observation.holds, "it can be drained again"


@pytest.mark.parametrize("places_after_s", [0.0, 3.0])
def test_a_draining_that_died_is_spread_again_too_while_pods_end_and_others_have_no_node_yet(
    region, faults, places_after_s
):
    action = faults.choose("drain-node").action
    before = action.capture()
    region.places_after_s = places_after_s
    action.do()
    assert any(pod.ending and pod.node == "n1" for pod in region.listed(*SERVING))
    action.undo(before)
    region.sleep(30)
    assert sorted(pod.node for pod in region.listed(*SERVING)) == ["n1", "n2"]


def test_a_budget_that_never_allows_it_ends_the_draining(region, harness):
    region.budget = 2
    with pytest.raises(Unreachable, match="a disruption budget kept blue-1 on node n1 for 90 s"):
        harness.make("drain-node")
    assert all(found.restored for found in harness.recover())
    assert region.known["n1"].schedulable


def test_what_belongs_to_a_node_stays_there(region, harness):
    region.there[2].pod = replace(region.there[2].pod, daemon=True)
    harness.make("drain-node")
    assert "evict gateway-3" not in region.steps


def test_a_node_that_somebody_else_has_cordoned_is_left(region, faults):
    action = faults.choose("drain-node").action
    region.known["n1"] = Node("n1", ready=True, schedulable=False)
    with pytest.raises(Unreachable, match="is cordoned already"):
        action.capture()
    with pytest.raises(Conflict, match="cordoned by somebody else"):
        action.undo({"ready": {}, "there": {}})
    assert region.steps == []


def test_a_cordon_that_somebody_else_has_taken_away_is_undone(region, harness):
    harness.make("drain-node")
    region.known["n1"] = replace(region.known["n1"], schedulable=True)
    assert harness.recover()[0].restored
    assert not region.known["n1"].cordoned_by_us


def test_a_node_is_drained_only_when_another_can_take_its_pods(region, faults):
    region.known["n2"] = Node("n2", ready=False, schedulable=True)
    with pytest.raises(Unreachable, match="n1 is the only one"):
        faults.choose("drain-node")


def test_only_a_node_with_serving_pods_is_drained(region, faults):
    for there in region.there:
        there.pod = replace(there.pod, node="elsewhere")
    with pytest.raises(Unreachable, match="none of the nodes n1, n2, which may be drained, has a pod that serves"):
        faults.choose("drain-node")


def test_only_a_node_with_serving_pods_is_killed(region, faults):
    region.there[1].pod = replace(region.there[1].pod, node="n1")
    with pytest.raises(Unreachable, match="none of the machines n2, which may be killed, has a pod that serves"):
        faults.choose("kill-node")
    region.there[0].pod = replace(region.there[0].pod, node="n2")
    region.now_s = -1.0
    with pytest.raises(Unreachable, match="has a pod that serves"):
        faults.choose("kill-node")


@pytest.mark.parametrize(
    ("places", "killed", "share"),
    [(("n1", "n2", "n2"), "n1", 1 / 3), (("n1", "n1", "n2"), "n2", 1 / 3), (("n2", "n2", "n2"), "n2", 1.0)],
)
def test_the_node_with_the_fewest_serving_pods_is_killed_but_one_at_least(region, places, killed, share):
    region.start(SERVING, "n1", ready_from_s=0.0)
    for there, node in zip([one for one in region.there if one.group == SERVING], places, strict=True):
        there.pod = replace(there.pod, node=node)
    several = offered(region, replace(SETTINGS, machines=("n1", "n2")))
    chosen = several.choose("kill-node")
    assert chosen.action.describe() == f"kill node: the thing of kill-node {killed}"
    assert chosen.reach.share == pytest.approx(share)
    assert several.make("kill-node", chosen.action.arguments) == chosen.action


def test_how_far_a_fault_reaches_is_counted(faults):
    assert faults.choose("kill-pod").reach.share == 0.5
    assert faults.choose("drain-node").reach.share == 0.5
    assert faults.choose("kill-gateway-pod").reach.share == 1.0
    assert faults.choose("kill-node").reach.share == 0.5
    assert faults.choose("drain-node").reach.namespaces == ("analytics", "gateway")


@pytest.mark.parametrize("name", [name for name, fault in CATALOGUE.items() if name != "kill-pod"])
def test_what_the_environment_does_not_name_is_not_hit(region, name):
    bare = offered(region, FaultSettings())
    assert bare.lacks(name).startswith("faults.")
    with pytest.raises(NotOffered, match="which the environment file does not say"):
        bare.choose(name)
    assert bare.lacks("kill-pod") == ""


@pytest.mark.parametrize("name", CATALOGUE)
def test_a_fault_is_made_again_from_the_journal_just_as_it_was(faults, name):
    action = faults.choose(name).action
    again = faults.make(name, dict(action.arguments))
    assert again == action
    assert again.name == name


def test_a_database_whose_data_would_end_with_its_pod_is_not_restarted(region, faults):
    assert faults.choose("restart-database").action.victim == "database-4"
    region.there[3].pod = replace(region.there[3].pod, claims=())
    with pytest.raises(Unreachable, match="database-4 in data has no persistent volume: what it keeps would be lost"):
        faults.choose("restart-database")


@pytest.mark.parametrize("ready_from_s", [0.0, 2000.0])
def test_a_database_is_not_restarted_where_its_labels_are_a_replicas_too(region, faults, ready_from_s):
    region.start(DATABASE, "n1", ready_from_s=ready_from_s)
    with pytest.raises(Unreachable, match="app=database in data are those of database-4, database-5: which one takes"):
        faults.choose("restart-database")


def test_what_is_not_well_already_is_not_taken_away(region, harness):
    region.pairs["seal-vault"].away = True
    with pytest.raises(Unreachable, match="the thing of seal-vault is not well before the fault"):
        harness.make("seal-vault")
    assert region.steps == []


def test_what_does_not_go_away_when_it_is_taken_did_not_bite(region, harness):
    region.silent = True
    with pytest.raises(NotObserved, match="not in effect after 20 s: the thing of stop-dns is here"):
        harness.make("stop-dns")


def test_what_was_taken_from_one_thing_is_not_given_to_another(faults):
    with pytest.raises(ValueError, match="seal-vault was made of the vault at elsewhere, which this environment file"):
        faults.make("seal-vault", {"what": "the vault at elsewhere"})
