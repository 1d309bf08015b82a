"""What experiments of recovery call beside the runbook's steps."""

from __future__ import annotations

import pytest

from drillbook import activities, recovery_activities, topology
from drillbook.activities import Halted


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
    ],
)
def test_whatever_differs_at_the_end_is_said(look, world, change, says) -> None:
    first = look().data
    change(world)
    found = topology.differences([first, look().data])
    assert any(says in text for text in found)


def test_a_drill_at_whose_end_nobody_looked_or_could_look_is_not_back(look) -> None:
    assert topology.differences([look().data]) == ["nobody looked when the drill had ended"]
    assert "could not be looked at" in topology.differences([look().data, {"holds": False}])[0]


def test_looks_are_found_again_on_the_timeline(drill, look) -> None:
    topology.tell(drill.timeline, look())
    topology.tell(drill.timeline, look())
    assert topology.differences(topology.told(drill.events())) == []
