"""A fault's experiment, one activity after the other, and what its timeline says afterwards."""

from __future__ import annotations

from dataclasses import replace

import pytest

from drillbook.activities import Halted
from drillbook.activities import fault as activities
from drillbook.domain.fault import CATALOGUE
from drillbook.domain.measurement import Window
from drillbook.domain.verdict import Objective, Verdict, judge
from drillbook.run.guard import Refused
from probes import faults as probes
from probes import story

WINDOW = Window(1000.0, 2000.0)
BIT = Objective("fault.bit", "it bit", "at_least", 1, "faults")


def experiment(name):
    activities.inject_fault(name)
    activities.hold_fault(name)
    activities.lift_fault(name)
    activities.await_aftermath()


@pytest.mark.parametrize("name", CATALOGUE)
def test_a_fault_is_made_held_lifted_and_over(region, drill, name):
    before = region.picture()
    experiment(name)
    assert region.picture() == before
    assert drill.journal.open_changes() == []
    events = drill.events()
    assert probes.meant(events) == name
    assert judge(BIT, probes.bites(events, WINDOW)).verdict is Verdict.PASS
    there = probes.while_there(events)
    assert there.start_s == 1000.0
    assert there.length_s >= CATALOGUE[name].held_s
    assert probes.lifetime(events, WINDOW).interval.high < CATALOGUE[name].longest_s
    assert region.now() >= there.end_s + 5.0, "the load has to go on for longer than sustained service takes"


def test_a_fault_that_did_not_bite_proves_nothing_and_is_undone(region, drill):
    region.silent = True
    with pytest.raises(Exception, match="not in effect after 60 s"):
        activities.inject_fault("kill-pod")
    with pytest.raises(Halted, match="not done, because: kill pod blue-1"):
        activities.lift_fault("kill-pod")
    measured = probes.bites(drill.events(), WINDOW)
    assert measured.doubts == ("no fault was seen to bite",)
    assert judge(BIT, measured).verdict is Verdict.INCONCLUSIVE
    assert probes.while_there(drill.events()) is None
    assert probes.lifetime(drill.events(), WINDOW).interval is None
    assert [change.action for change in drill.journal.open_changes()] == ["kill-pod"]


def test_a_fault_that_ends_before_it_is_lifted_proves_nothing(region, drill):
    activities.inject_fault("drain-node")
    region.known["n1"] = replace(region.known["n1"], schedulable=True)
    with pytest.raises(Halted, match="drain-node did not last until it was to be lifted: node n1 is well, takes new"):
        activities.hold_fault("drain-node")
    (doubt,) = probes.bites(drill.events(), WINDOW).doubts
    assert doubt.startswith("it did not last: node n1 is well, takes new pods")


def test_a_fault_that_reaches_further_than_allowed_is_not_made(region, drill):
    drill.platform.environment.guard = replace(drill.platform.environment.guard, resilience_pods_share=0.4)
    with pytest.raises(Refused, match="kill-pod is not made: it would take away 1 of 2 pods, and 40% may be"):
        activities.inject_fault("kill-pod")
    assert region.steps == []
    assert drill.journal.changes() == []


@pytest.mark.usefixtures("drill")
def test_two_faults_are_not_made_at_once(region):
    activities.inject_fault("drain-node")
    region.sleep(10)
    done = list(region.steps)
    with pytest.raises(Refused, match="drain-node is in the system already"):
        activities.inject_fault("kill-gateway-pod")
    assert region.steps == done


def test_a_fault_that_cannot_be_undone_halts_and_is_left_in_the_journal(region, drill, monkeypatch):
    monkeypatch.setattr("drillbook.run.journal.UNDO_WITHIN_S", 5.0)
    activities.inject_fault("kill-pod")
    region.replaces = False
    region.there = region.there[:2]
    with pytest.raises(Exception, match="kill-pod is not undone: 1 of 1 pods"):
        activities.lift_fault("kill-pod")
    assert [change.action for change in drill.journal.open_changes()] == ["kill-pod"]
    assert story.moment(drill.events(), "lift_fault", "recovered") is None


@pytest.mark.usefixtures("drill")
def test_nothing_is_lifted_that_was_not_made():
    with pytest.raises(Exception, match="there is no kill-pod in the system"):
        activities.lift_fault("kill-pod")


def test_where_the_environment_names_no_faults_none_is_made(drill):
    drill.platform.faults = None
    with pytest.raises(Halted, match="not proved here: the environment twin does not say what faults may hit"):
        activities.inject_fault("kill-pod")


def test_a_cutover_under_a_fault_is_decided_or_it_is_not(drill):
    assert probes.cutovers_decided(drill.events(), WINDOW).interval is None
    for ruling, count in (("undecided", 0), ("roll back", 1), ("keep", 2)):
        drill.timeline.record("decided", ruling, activity="watch_release", ruling=ruling)
        assert probes.cutovers_decided(drill.events(), WINDOW).interval.low == count


def test_a_fault_is_over_only_when_those_who_serve_are_whole_again(region, drill):
    activities.inject_fault("seal-vault")
    region.whole_from_s = region.now() + 40.0
    assert (
        activities.lift_fault("seal-vault")["seen"] == "the thing of seal-vault is here; 2 of 2 serving pods are ready"
    )
    assert probes.while_there(drill.events()).end_s >= region.whole_from_s


def test_a_fault_that_leaves_the_service_broken_is_not_undone(region, drill, monkeypatch):
    monkeypatch.setattr("drillbook.run.journal.UNDO_WITHIN_S", 5.0)
    activities.inject_fault("seal-vault")
    region.whole_from_s = 1e9
    with pytest.raises(Exception, match=r"seal-vault is not undone: .*; 0 of 2 serving pods are ready"):
        activities.lift_fault("seal-vault")
    assert [change.action for change in drill.journal.open_changes()] == ["seal-vault"]
