"""Both servers lose their data: one repository brings them back, and whatever dies meanwhile there is one history."""

# ruff: noqa: PLR0917 - a test names the fixtures that it needs

from __future__ import annotations

import pytest

from drillbook.actions.recovery.both_lost import LostServers
from drillbook.activities import Halted, put_back, restoring
from drillbook.ports import Conflict, Unreachable
from drillbook.run.action import perform, restore
from tests.unit.actions.recovery.test_runbook import play


@pytest.fixture(autouse=True)
def _losable(world, sites) -> None:
    world.faults["servers"] = LostServers(*sites, world)
    world.write("not archived")


@pytest.fixture
def undo_all(recovery, journal, world):
    def undo():
        return journal.undo_all(
            lambda change: restore(change, recovery.make(change.action, change.arguments["arguments"]), world), world
        )

    return undo


def one_history(east, west) -> bool:
    return east.is_primary and not west.is_primary and east.rows == west.rows and east.timeline == west.timeline


def test_what_is_archived_is_back_and_the_other_one_follows_it(drill, world, east, west) -> None:
    play("both_servers_gone")
    world.write("since")
    assert put_back()["all"]
    assert one_history(east, west)
    assert east.rows == ["first", "since"]
    assert (east.timeline, east.given, west.given) == (2, "", "")
    stages = [event.data["stage"] for event in drill.events() if event.data.get("activity") == "stage"]
    assert stages == ["detect", "decide", "restore"]
    assert drill.journal.open_changes() == []


@pytest.mark.parametrize("dies_at", range(1, 20))
def test_wherever_it_dies_there_is_one_history_with_all_that_was_acknowledged_in_it(
    drill, world, east, west, undo_all, dies_at
) -> None:
    world.dies_at = len(world.steps) + dies_at
    try:
        play("both_servers_gone")
        undo_all()
    except SystemExit:
        world.write("after the death")
    restored = east.timeline == 2
    assert all(found.restored for found in undo_all()), [found.text for found in undo_all()]
    assert one_history(east, west)
    assert east.rows[: 1 if restored else 2] == (["first"] if restored else ["first", "not archived"])
    assert (east.given, west.given) == ("", "")
    assert drill


def test_a_standby_that_cannot_follow_what_was_restored_is_made_anew(
    recovery, journal, timeline, world, east, west, undo_all
):
    perform(recovery.fault("servers"), journal, timeline, world)
    perform(recovery.restore_server(2), journal, timeline, world)
    world.write("since")
    west.joined = False
    assert all(found.restored for found in undo_all())
    assert one_history(east, west)
    assert "order west lost" in world.steps[-10:]


@pytest.mark.parametrize("which", ["east", "west"])
def test_servers_that_answer_still_and_are_about_to_end_are_asked_for(recovery, world, which) -> None:
    action = recovery.fault("servers")
    world.servers[which].asked_for = False  # who was to end it died right after the scale
    seen = action.observe_undone({})
    assert (seen.holds, seen.text.rpartition("; ")[2]) == (False, f"no server is asked for in {which}")
    action.undo({})
    assert action.observe_undone({}).holds


def test_a_server_that_still_answers_was_not_lost(recovery, world, east) -> None:
    action = recovery.fault("servers")
    action.do()
    assert action.observe().holds
    east.printed = ""
    assert action.observe().text == "of the two servers 0 answer, and 1 have no data"
    assert not action.observe().holds
    east.up = True
    assert not action.observe().holds
    assert world


def test_nothing_is_restored_beside_a_server_that_answers(recovery, drill) -> None:
    with pytest.raises(Conflict, match="nothing is restored beside it"):
        recovery.restore_server(2).capture()
    with pytest.raises(Halted, match="nothing is restored"):
        restoring.decide_server()
    assert drill


def test_what_was_found_there_was_not_restored(recovery, journal, timeline, world, east) -> None:
    perform(recovery.fault("servers"), journal, timeline, world)
    action = recovery.restore_server(1)
    action.do()
    assert action.observe().holds
    assert action.observe().text.endswith("Restored 9 MiB of repository 1.")
    east.printed = "Restored already: starting what is here."
    assert not action.observe().holds


def test_while_a_region_does_not_answer_nothing_is_said_to_be_back(recovery, journal, timeline, world, east, undo_all):
    perform(recovery.fault("servers"), journal, timeline, world)
    east.host_reachable = False
    assert [found.restored for found in undo_all()] == [False]
    with pytest.raises(Unreachable, match="does not answer"):
        east.status()


def test_servers_that_were_not_lost_are_not_stopped_since_their_ports_are_not_reached(recovery, world, east, west):
    east.reachable = west.reachable = False
    steps = list(world.steps)
    with pytest.raises(Unreachable, match="east takes writes"):
        recovery.fault("servers").undo({})
    assert (east.up, west.up, east.is_primary) == (True, True, True)
    assert [step for step in world.steps[len(steps) :] if step.startswith(("stop", "order"))] == []


def test_a_restored_server_that_misses_one_look_is_not_stopped(drill, world, east, west, monkeypatch) -> None:
    play("both_servers_gone")
    steps, missed, status = list(world.steps), [], east.status

    def once():
        if not missed:
            missed.append(1)
            raise Unreachable("the way to it was bad for a moment")
        return status()

    monkeypatch.setattr(east, "status", once)
    assert put_back()["all"]
    assert missed
    assert [step for step in world.steps[len(steps) :] if step.startswith("stop")] == []
    assert one_history(east, west)
    assert drill


def test_a_primary_that_was_to_be_lost_and_lives_is_spared_before_its_standby_is_waited_for(
    recovery, world, east, west
) -> None:
    """Its lease would end it, and its next start would find that it is to have no data."""
    east.given = west.given = "lost"
    west.lose()
    steps = list(world.steps)
    recovery.fault("servers").undo({})
    after = world.steps[len(steps) :]
    assert after.index("order east as it is") < after.index("order west returned")
    assert "stop east" not in after
    assert east.rows == west.rows == ["first", "not archived"]
    assert one_history(east, west)


def test_a_standby_that_waits_for_a_primary_that_waits_for_it_is_returned_as_well(
    recovery, journal, timeline, world, east, west, undo_all
) -> None:
    """As who died while he made the standby anew leaves them, once the restored primary was started anew."""
    perform(recovery.fault("servers"), journal, timeline, world)
    perform(recovery.restore_server(2), journal, timeline, world)
    west.given, west.empty, west.up, east.up = "standby", True, False, False
    steps = list(world.steps)
    undo_all()
    assert "order west returned" in world.steps[len(steps) :]
