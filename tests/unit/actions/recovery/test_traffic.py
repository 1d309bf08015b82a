"""Repoint, scale up, move the name, verify; and back."""

# ruff: noqa: PLR0917 - a test names the fixtures that it needs

from __future__ import annotations

import pytest

from drillbook.actions.recovery.application import RepointApplication, ScaleUpRegion
from drillbook.actions.recovery.traffic import MoveTraffic, VerifyWrites
from drillbook.ports import Conflict
from drillbook.run.action import NotObserved, perform, restore


@pytest.fixture
def move(world):
    return MoveTraffic(world, world, world, "west", "/who", in_a_row=3)


@pytest.fixture
def repoint(world):
    return RepointApplication(world, world, world, "west", "west", "blue")


@pytest.fixture
def scale(world):
    return ScaleUpRegion(world, world, "west", "blue", 4)


def test_each_shows_and_is_put_back_in_reverse(move, repoint, scale, world, journal, timeline) -> None:
    actions = {action.name: action for action in (repoint, scale, move)}
    for action in actions.values():
        perform(action, journal, timeline, world)
    assert (world.points, world.desired, world.answering) == ("west", 4, "west")
    found = journal.undo_all(lambda change: restore(change, actions[change.action], world), world)
    assert [it.change.action for it in found if it.restored] == ["move-traffic", "scale-up-region",
                                                                 "repoint-application"]  # fmt: skip
    assert (world.points, world.desired, world.names_order) == ("east", 2, ("east", "west"))


def test_a_moved_name_counts_once_resolvers_have_forgotten_the_old_one(move, world, journal, timeline) -> None:
    began_s = world.now()
    done = perform(move, journal, timeline, world)
    assert 30.0 <= done.observed_s - began_s <= 31.0


def test_a_name_that_outlives_the_deadline_in_resolvers_is_not_moved(world, journal, timeline) -> None:
    move = MoveTraffic(world, world, world, "west", "/who", deadline_s=10.0)
    with pytest.raises(NotObserved, match="leads to east"):
        perform(move, journal, timeline, world)


def test_pods_of_before_the_restart_do_not_count_as_repointed(repoint, world, journal, timeline) -> None:
    began_s = world.now()
    done = perform(repoint, journal, timeline, world)
    assert 3.0 <= done.observed_s - began_s <= 3.5


@pytest.mark.parametrize("name", ["move", "repoint", "scale"])
def test_what_somebody_else_has_changed_since_is_left(name, request, world) -> None:
    action = request.getfixturevalue(name)
    before = action.capture()
    action.do()
    world.names_order, world.points, world.desired = ("other", "west", "east"), "other", 9
    with pytest.raises(Conflict, match="by hand"):
        action.undo(before)


def test_a_region_is_not_made_smaller_and_an_empty_slot_not_larger(scale, world) -> None:
    world.desired = 6
    scale.do()
    assert world.desired == 6
    world.desired = 0
    with pytest.raises(Conflict, match="holds no release"):
        scale.capture()


def test_writes_are_verified_in_the_region_that_has_to_answer(world) -> None:
    verify = VerifyWrites(world, world, world, "west", "blue", "/who")
    assert "east answered where west should" in verify.observe().text
    world.answering = "west"
    assert verify.observe().holds
    world.writes = 0
    assert not verify.observe().holds
    world.writes, world.smoke_problems = 4, ("a write was gone",)
    assert "a write was gone" in verify.observe().text
