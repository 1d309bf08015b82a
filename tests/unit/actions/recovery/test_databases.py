"""Fence, promote, rebuild, switch over, and the way back from each; also when the harness dies between two steps."""

# ruff: noqa: ARG001, PLR0917 - a test names the fixtures that it needs, and a fake takes what the real one takes

from __future__ import annotations

import contextlib

import pytest

from drillbook.actions.recovery.fence import FencePrimary, RebuildAsStandby
from drillbook.actions.recovery.promote import PromoteStandby, SwitchOver
from drillbook.ports import Conflict
from drillbook.run.action import NotObserved, perform, restore


@pytest.fixture
def make(sites, world):
    """Each action by name, made anew from its arguments, as another process would."""
    by_region = {site.region: site for site in sites}
    return {
        "fence-primary": lambda a: FencePrimary(by_region[a["old"]], by_region[a["new"]], world, silence_s=20.0),
        "promote-standby": lambda a: PromoteStandby(by_region[a["old"]], by_region[a["new"]], world, a["timeline"]),
        "rebuild-as-standby": lambda a: RebuildAsStandby(by_region[a["site"]], by_region[a["source"]], world),
        "switch-over": lambda a: SwitchOver(by_region[a["old"]], by_region[a["new"]], world),
    }


@pytest.fixture
def do(make, journal, timeline, world):
    return lambda name, **arguments: perform(make[name](arguments), journal, timeline, world)


@pytest.fixture
def undo_all(make, journal, world):
    def undo():
        return journal.undo_all(
            lambda change: restore(change, make[change.action](change.arguments["arguments"]), world), world
        )

    return undo


def fail_over(do):
    do("fence-primary", old="east", new="west")
    do("promote-standby", old="east", new="west", timeline=1)


def test_a_primary_whose_region_answers_is_stopped_before_the_other_is_made(do, world, east, west) -> None:
    fail_over(do)
    assert (east.up, east.given) == (False, "fenced")
    assert (west.is_primary, west.timeline, west.given) == (True, 2, "primary")
    assert world.steps.index("stop east") < world.steps.index("promote west")
    assert "detach west" not in world.steps  # what was written is received to the last
    assert world.write("second") == 1


def test_a_primary_that_nobody_can_tell_is_fenced_by_its_lease(do, world, east) -> None:
    east.host_reachable = east.reachable = False
    began_s = world.now()
    done = do("fence-primary", old="east", new="west")
    assert done.observation.data["by"] == "lease"
    assert world.now() - began_s >= 20.0
    assert "detach west" in world.steps


def test_without_a_lease_nothing_is_certain_and_nobody_is_promoted(sites, journal, timeline, world, east) -> None:
    east.host_reachable = east.reachable = False
    with pytest.raises(NotObserved, match="nobody can know that it takes no writes"):
        perform(FencePrimary(*sites, world, silence_s=0.0), journal, timeline, world)


def test_a_primary_that_still_answers_is_not_fenced_whatever_the_lease_says(do, world, east, west) -> None:
    east.host_reachable = False  # and the client reaches its port
    with pytest.raises(NotObserved, match="it is not fenced"):
        do("fence-primary", old="east", new="west")
    with pytest.raises(Conflict, match="has to be fenced"):
        do("promote-standby", old="east", new="west", timeline=1)
    assert not west.is_primary


def test_a_server_that_does_not_stop_counts_as_running(do, east) -> None:
    east.hangs, east.reachable = True, False
    done = do("fence-primary", old="east", new="west")
    assert done.observation.data["by"] == "lease"


def test_a_standby_on_another_timeline_is_not_promoted(do, west) -> None:
    do("fence-primary", old="east", new="west")
    west.timeline = 3
    with pytest.raises(Conflict, match="on timeline 1 was to be promoted"):
        do("promote-standby", old="east", new="west", timeline=1)
    assert not west.is_primary


def test_a_promotion_to_a_timeline_that_is_not_the_next_is_not_believed(do, west, monkeypatch) -> None:
    do("fence-primary", old="east", new="west")

    def promote(self, *, wait_s):
        self.is_primary, self.timeline = True, 4

    monkeypatch.setattr(type(west), "promote", promote)
    with pytest.raises(NotObserved, match="timeline 4"):
        do("promote-standby", old="east", new="west", timeline=1)


def test_putting_a_failover_back_loses_no_write_that_the_new_primary_took(do, undo_all, world, east, west) -> None:
    fail_over(do)
    world.write("in the west")
    assert all(found.restored for found in undo_all())
    assert (east.is_primary, west.is_primary) == (True, False)
    assert east.rows == west.rows == ["first", "in the west"]
    assert (east.given, west.given) == ("", "")
    assert not west.held
    assert world.write("after") == 1


def test_a_fence_alone_is_taken_back(do, undo_all, world, east, west) -> None:
    east.host_reachable = east.reachable = False
    do("fence-primary", old="east", new="west")
    east.host_reachable = east.reachable = True
    assert all(found.restored for found in undo_all())
    assert east.is_primary
    assert west.receiving


def test_nothing_is_put_back_while_the_lost_region_is_away_and_nobody_is_made_a_second_primary(
    do, undo_all, world, east, west
) -> None:
    east.host_reachable = east.reachable = False
    fail_over(do)
    found = undo_all()
    assert [it.restored for it in found] == [False, False]
    assert "left as it is" in found[1].text
    assert west.is_primary
    east.host_reachable = east.reachable = True


def test_a_fence_is_not_taken_back_by_hand_while_the_other_region_has_gone_on(sites, do, world) -> None:
    fail_over(do)
    with pytest.raises(Conflict, match="stays fenced"):
        FencePrimary(*sites, world, silence_s=20.0).undo({"timeline": 1})


def test_a_lost_primary_is_rebuilt_and_handed_its_place_back(do, world, east, west) -> None:
    fail_over(do)
    east.rows.append("never received")
    world.write("in the west")
    do("rebuild-as-standby", site="east", source="west")
    assert east.rows == west.rows
    assert world.thrown_away == ["never received"]
    do("switch-over", old="west", new="east")
    assert east.is_primary
    assert west.receiving
    assert east.timeline == 3
    assert world.write("last") == 1


def test_a_server_follows_nobody_but_a_primary(do, east) -> None:
    with pytest.raises(Conflict, match="can only follow a primary"):
        do("rebuild-as-standby", site="east", source="west")
    assert east.up


def test_a_planned_switch_holds_writes_first_and_loses_none(do, undo_all, world, east, west) -> None:
    do("switch-over", old="east", new="west")
    assert world.steps[:4] == ["hold east", "order east fenced", "stop east", "promote west"]
    assert world.write("second") == 1
    assert east.rows == west.rows == ["first", "second"]
    assert all(found.restored for found in undo_all())
    assert east.is_primary
    assert east.rows == west.rows == ["first", "second"]


def test_a_planned_switch_needs_a_standby_that_streams(do, world, east) -> None:
    world.cut = True
    with pytest.raises(Conflict, match="needs a standby that streams"):
        do("switch-over", old="east", new="west")
    assert world.steps == []


@pytest.mark.parametrize("moment", range(1, 12))
@pytest.mark.parametrize("plan", ["failover", "switch-over"])
def test_whatever_step_the_harness_dies_at_one_primary_comes_out_with_every_write(
    plan, moment, do, undo_all, world, east, west
) -> None:
    world.dies_at = moment
    with contextlib.suppress(SystemExit):
        fail_over(do) if plan == "failover" else do("switch-over", old="east", new="west")
    world.dies_at = 0
    taken = world.write("between")
    assert taken <= 1
    assert all(found.restored for found in undo_all()), world.steps
    assert east.is_primary
    assert west.receiving
    assert world.write("after") == 1
    wanted = ["first", *(["between"] if taken else []), "after"]
    assert east.rows == west.rows == wanted
    assert world.thrown_away == []


@pytest.mark.parametrize("moment", range(1, 14))
@pytest.mark.parametrize("plan", ["failover", "switch-over"])
def test_whatever_step_the_way_back_dies_at_the_next_try_leads_back(
    plan, moment, do, undo_all, world, east, west
) -> None:
    fail_over(do) if plan == "failover" else do("switch-over", old="east", new="west")
    assert world.write("in the west") == 1
    world.dies_at = len(world.steps) + moment
    with contextlib.suppress(SystemExit):
        undo_all()
    world.dies_at = 0
    taken = world.write("between")
    assert taken <= 1
    assert all(found.restored for found in undo_all()), world.steps
    assert (east.is_primary, west.receiving) == (True, True)
    assert world.write("after") == 1
    assert east.rows == west.rows == ["first", "in the west", *(["between"] if taken else []), "after"]
    assert world.thrown_away == []
