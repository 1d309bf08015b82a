"""What experiments of recovery call beside the runbook's steps."""

from __future__ import annotations

import contextlib
from types import SimpleNamespace

import pytest

from drillbook import activities
from drillbook.actions.recovery import detect
from drillbook.activities import Halted
from drillbook.activities import recovery as recovery_activities
from drillbook.drills import topology
from drillbook.ports import Unreachable
from drillbook.run.action import NotObserved, perform, restore
from drillbook.run.journal import Journal
from tests.unit.actions.recovery.test_runbook import play


def heard(drill, activity):
    return [event for event in drill.events() if event.data.get("activity") == activity]


def test_service_is_good_once_nobody_was_answered_badly_for_so_long(drill, world) -> None:
    world.failing = True
    world.sleep(1.0)
    sleep, stopped_s = world.sleep, world.now() + 5.0

    def mended(seconds):
        world.failing = world.now() + seconds < stopped_s
        sleep(seconds)

    world.sleep = mended
    recovery_activities.await_good_service(10, 60)
    assert 9.5 <= world.now() - stopped_s <= 10.5
    assert heard(drill, "await_good_service")[-1].kind == "observed"


def test_what_was_good_before_it_is_asked_does_not_count(world, drill) -> None:
    for _ in range(60):
        world.sleep(0.25)
    began_s = world.now()
    recovery_activities.await_good_service(10, 60)
    assert world.now() - began_s >= 10.0
    assert drill


@pytest.mark.usefixtures("drill")
def test_service_that_nobody_uses_is_not_good(world) -> None:
    world.tell_clients = lambda _seconds: None
    with pytest.raises(Halted, match=r"0\.0 s of 10 s, after 20 s"):
        recovery_activities.await_good_service(10, 20)


def test_the_load_goes_on_until_the_way_back_is_done(drill, east) -> None:
    recovery_activities.take_step("switch-over")
    activities.put_back()
    assert east.is_primary
    kinds = [event.data.get("activity") for event in drill.events() if event.data.get("activity")]
    assert kinds.index("traffic_back") > kinds.index("put_back")
    (back,) = heard(drill, "traffic_back")
    undone = [event for event in heard(drill, "put_back") if event.kind == "recovered"]
    assert back.t_s >= undone[-1].t_s


@pytest.fixture
def look(recovery, world):
    return lambda: topology.look(recovery, world)


def test_the_starting_topology_is_seen(look) -> None:
    assert look().holds
    assert topology.differences([look().data, look().data]) == []


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda w: setattr(w, "cut", True), "west does not stream from a primary in east"),
        (lambda w: setattr(w.servers["east"], "held", True), "writes are held in east"),
        (lambda w: w.prefer(("west", "east")), "the public's name prefers west"),
        (lambda w: setattr(w.servers["east"], "given", "primary"), "ordered to be 'primary'"),
        (lambda w: setattr(w.servers["west"], "given", "fenced"), "ordered to be 'fenced'"),
        (lambda w: setattr(w, "points", "west"), "the application's database was"),
        (
            lambda w: setattr(w, "answering", "west") or setattr(w, "stays_away", True),
            "the public's name leads to west",
        ),
        (
            lambda w: setattr(w, "restarted_s", w.now_s + 9),
            "west has 2 of 2 pods of slot blue ready as they are to be now",
        ),
    ],
)
def test_whatever_differs_at_the_end_is_said(look, world, change, says) -> None:
    first = look().data
    change(world)
    found = topology.differences([first, look().data])
    assert any(says in text for text in found)


def test_what_an_earlier_version_did_not_look_at_is_no_difference(look) -> None:
    old = {key: value for key, value in look().data.items() if key not in {"led", "pods"}}
    assert topology.differences([old, old]) == []
    assert topology.differences([look().data, old]) == [
        "nobody saw led when the drill had ended",
        "nobody saw pods when the drill had ended",
    ]


def test_users_who_still_hold_an_answer_of_before_are_waited_for(recovery, world) -> None:
    world.prefer(("west", "east"))
    world.sleep(31.0)
    assert not topology.look(recovery, world).holds
    world.prefer(("east", "west"))
    began_s = world.now()
    assert topology.settled(recovery, world).holds
    assert 29.0 <= world.now() - began_s <= 31.0


def test_a_drill_at_whose_end_nobody_looked_or_could_look_is_not_back(look) -> None:
    assert topology.differences([look().data]) == ["nobody looked when the drill had ended"]
    assert "could not be looked at" in topology.differences([look().data, {"holds": False}])[0]


def test_looks_are_found_again_on_the_timeline(drill, look) -> None:
    topology.tell(drill.timeline, look())
    topology.tell(drill.timeline, look())
    assert topology.differences(topology.told(drill.events())) == []


def test_a_fault_that_does_not_bite_ends_the_drill_before_anything_is_failed_over(drill, world) -> None:
    world.faults["cut"].bites = False
    with pytest.raises(NotObserved, match="cut east from the network: not in effect after 180 s: east answers"):
        recovery_activities.lose_region("cut")
    with pytest.raises(Halted, match="not done, because"):
        recovery_activities.detect_loss()
    assert world.steps == ["cut east off"]
    assert drill


def test_a_fault_that_the_environment_does_not_offer_is_not_proved(drill, world) -> None:
    with pytest.raises(ValueError, match="not proved here: this environment has no fault 'nodes'; it has cut"):
        recovery_activities.lose_region("nodes")
    assert (world.steps, drill.journal.open_changes()) == ([], [])


def test_a_loss_is_detected_after_several_looks_in_a_row_and_not_after_one(drill, world, east) -> None:
    began_s, status = world.now(), type(east).status

    def flaky(self):
        if self.region == "east" and world.now() != began_s + 1.0:
            raise Unreachable("nothing answers")
        return status(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(east), "status", flaky)
        recovery_activities.detect_loss()
    (found,) = [event for event in heard(drill, "detect_loss") if event.kind == "detected"]
    assert found.data["in_a_row"] == detect.IN_A_ROW
    assert found.data["first_s"] == began_s + 2.0
    assert found.t_s == began_s + 4.0
    assert [event.data["stage"] for event in heard(drill, "stage")] == ["detect"]


def test_nothing_is_failed_over_while_the_primary_answers(drill, world) -> None:
    with pytest.raises(Halted, match="the database in east is a primary, 120 s after"):
        recovery_activities.detect_loss()
    assert world.steps == []
    assert heard(drill, "stage") == []


def test_a_primary_that_lets_nobody_in_is_not_lost(drill, east) -> None:
    east.lets_nobody_in = True
    with pytest.raises(Halted, match="too many clients, 120 s after"):
        recovery_activities.detect_loss()
    assert heard(drill, "stage") == []


@pytest.mark.parametrize(
    "change", [lambda e, _w: e, lambda e, w: (setattr(e, "up", False), setattr(w, "is_primary", True))]
)
def test_the_rule_decides_against_a_primary_that_is_back_and_for_no_second_one(drill, east, west, change) -> None:
    change(east, west)
    with pytest.raises(Halted, match=r"nothing is failed over|no standby to promote"):
        recovery_activities.decide_failover()
    assert [event.data["holds"] for event in heard(drill, "decide_failover") if event.kind == "decided"] == [False]


def test_what_was_never_done_cannot_be_taken_back(drill) -> None:
    with pytest.raises(Halted, match="there is no promote-standby to take back"):
        recovery_activities.take_back("switch-back")
    assert drill


def test_a_region_that_does_not_come_back_ends_the_failback(drill, world) -> None:
    recovery_activities.lose_region("cut")
    world.faults["cut"].mends = False
    with pytest.raises(Halted, match="inject-fault could not be taken back"):
        recovery_activities.end_fault()
    assert [change.stage.open for change in drill.journal.open_changes()] == [True]


@pytest.mark.parametrize("moment", range(1, 16))
def test_wherever_the_harness_dies_the_fault_is_ended_first_and_one_primary_comes_out(
    drill, world, east, west, moment
) -> None:
    world.dies_at = moment
    with contextlib.suppress(SystemExit):
        for name in ("failover", "failback"):
            play(name)
    world.dies_at = 0
    world.write("between")
    found = drill.journal.undo_all(drill.platform.undo, world)
    assert all(it.restored for it in found), [it.text for it in found]
    assert not world.cut
    assert (east.is_primary, west.is_primary, west.receiving) == (True, False, True)
    assert east.rows == west.rows


def test_a_fault_is_ended_although_it_keeps_the_lock_from_being_looked_at(world, recovery, tmp_path, timeline) -> None:
    def lock():
        if world.cut:
            raise Unreachable("the lock's cluster does not answer")

    store = SimpleNamespace(put=lambda *_: None, get=world.documents.get, names=lambda _="": [], delete=lambda _: None)
    journal = Journal(tmp_path / "u.jsonl", store, "run-1", 7, lock)
    perform(recovery.fault("cut"), journal, timeline, world)
    assert world.cut
    action = recovery.make("inject-fault", {"how": "cut"})
    (found,) = journal.undo_all(lambda change: restore(change, action, world), world)
    assert found.restored
    assert not world.cut
