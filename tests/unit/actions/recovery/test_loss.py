"""A server that is lost stays away until it is asked for again, by whoever; a fence has the last word."""

# ruff: noqa: PLR0917 - a test names the fixtures that it needs

from __future__ import annotations

import pytest

from drillbook.actions.recovery.loss import LostServer
from drillbook.ports import Unreachable
from drillbook.run.action import perform, restore


@pytest.fixture(autouse=True)
def _losable(world, sites) -> None:
    world.faults["server"] = LostServer(sites[0], world)


@pytest.fixture
def undo_all(recovery, journal, world):
    def undo():
        return journal.undo_all(
            lambda change: restore(change, recovery.make(change.action, change.arguments["arguments"]), world), world
        )

    return undo


def test_it_is_gone_at_its_own_port_and_comes_back_as_what_it_was(recovery, journal, timeline, world, undo_all) -> None:
    done = perform(recovery.fault("server"), journal, timeline, world)
    assert done.observation.text == "the database in east does not answer"
    assert world.write("nobody takes it") == 0
    assert [found.restored for found in undo_all()] == [True]
    assert world.write("second") == 1
    assert world.servers["east"].is_primary


def test_a_server_that_still_answers_was_not_lost(recovery, world, east, monkeypatch) -> None:
    monkeypatch.setattr(east, "lose", lambda: world.step("lose nothing"))
    action = recovery.fault("server")
    action.do()
    assert not action.observe().holds
    assert action.observe().text == "the database in east is the primary on timeline 1"


def test_a_loss_cut_short_is_undone_from_the_journal(recovery, journal, timeline, world, undo_all) -> None:
    world.dies_at = len(world.steps) + 1
    with pytest.raises(SystemExit, match="lose east"):
        perform(recovery.fault("server"), journal, timeline, world)
    assert [found.restored for found in undo_all()] == [True]
    assert world.write("second") == 1


def test_while_its_region_does_not_answer_it_is_not_said_to_be_back(recovery, journal, timeline, world, east, undo_all):
    perform(recovery.fault("server"), journal, timeline, world)
    east.host_reachable = False
    assert [found.restored for found in undo_all()] == [False]
    east.host_reachable = True
    with pytest.raises(Unreachable, match="does not answer"):
        east.status()


def test_once_fenced_it_stays_away_when_the_loss_ends_and_all_is_put_back_in_the_end(
    recovery, journal, timeline, world, east, west, undo_all
) -> None:
    perform(recovery.fault("server"), journal, timeline, world)
    for step in ("fence-primary", "promote-standby"):
        perform(recovery.step(step), journal, timeline, world)
    assert world.write("while it was away") == 1
    loss = recovery.fault("server")
    loss.undo({})
    seen = loss.observe_undone({})
    assert (seen.holds, seen.text) == (True, "the database in east stays away by its fence")
    assert not east.up
    assert all(found.restored for found in undo_all())
    assert (east.is_primary, west.is_primary) == (True, False)
    assert east.rows == west.rows == ["first", "while it was away"]
    assert world.thrown_away == []


def test_while_a_lost_region_is_away_nothing_is_taken_from_the_other(recovery, journal, timeline, world, undo_all):
    perform(recovery.fault("cut"), journal, timeline, world)
    for step in ("fence-primary", "promote-standby", "repoint-application", "scale-up-region", "move-traffic"):
        perform(recovery.step(step), journal, timeline, world)
    led, scaled, points = world.names_order, world.desired, world.points
    world.faults["cut"].mends = False
    found = undo_all()
    assert not any(it.restored for it in found)
    assert all(it.text == "left as it is while inject-fault is not undone" for it in found[1:])
    assert (world.names_order, world.desired, world.points) == (led, scaled, points)
    assert world.servers["west"].is_primary
    world.faults["cut"].mends = True
    assert all(it.restored for it in undo_all())
