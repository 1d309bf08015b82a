"""Fence, promote, rebuild, switch over, and the way back from each; also when the harness dies between two steps."""

# ruff: noqa: ARG001, PLR0917 - a test names the fixtures that it needs, and a fake takes what the real one takes

from __future__ import annotations

import contextlib

import pytest

from drillbook.actions.recovery.fence import FencePrimary, RebuildAsStandby
from drillbook.actions.recovery.promote import PromoteStandby, SwitchOver
from drillbook.ports import Conflict, Unreachable
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


def as_before(east, west) -> bool:
    """One primary with its standby, and each comes back as what it is when its pod is started anew."""
    primary = east.is_primary and east.up and not east.held
    standby = west.receiving and not west.held
    return primary and standby and {east.given, west.given} == {""} and east.asked_for and west.asked_for


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


def test_a_long_lease_is_waited_for(sites, journal, timeline, world, east) -> None:
    east.reachable = east.host_reachable = east.up = False
    done = perform(FencePrimary(*sites, world, silence_s=135.0), journal, timeline, world)
    assert done.observation.data["silent_s"] >= 135.0


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
    assert as_before(east, west), world.steps
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
    assert as_before(east, west), world.steps
    assert world.write("after") == 1
    assert east.rows == west.rows == ["first", "in the west", *(["between"] if taken else []), "after"]
    assert world.thrown_away == []


@pytest.mark.parametrize("moment", range(12))
@pytest.mark.parametrize("plan", ["failover", "switch-over"])
def test_a_promotion_that_still_replays_when_it_is_undone_makes_no_second_primary(
    plan, moment, do, undo_all, world, east, west
) -> None:
    """Whoever asked for it is dead or has given up; the server goes on with it. So may the way back die."""
    world.replays = True
    with contextlib.suppress(Unreachable):
        fail_over(do) if plan == "failover" else do("switch-over", old="east", new="west")
    assert west.promoting
    assert not west.is_primary
    world.replays = False
    world.dies_at = len(world.steps) + moment if moment else 0
    with contextlib.suppress(SystemExit):
        undo_all()
    world.dies_at = 0
    assert all(found.restored for found in undo_all()), world.steps
    west.replayed()
    assert as_before(east, west), world.steps
    assert world.write("after") == 1
    assert east.rows == west.rows == ["first", "after"]


@pytest.mark.parametrize("moment", range(14))
@pytest.mark.parametrize("comes", [False, True], ids=["never", "at once"])
def test_a_promotion_of_the_way_back_that_still_replays_is_led_to_its_end(
    comes, moment, do, undo_all, world, east, west
) -> None:
    fail_over(do)
    world.write("in the west")
    world.replays = True
    assert not all(found.restored for found in undo_all())
    assert sum(server.up and server.is_primary for server in (east, west)) <= 1
    world.replays = False
    world.dies_at = len(world.steps) + moment if moment else 0
    with contextlib.suppress(SystemExit):
        undo_all()
    world.dies_at = 0
    taken = 0
    if comes:
        east.replayed()
        taken = world.write("between")
    assert taken <= 1
    assert all(found.restored for found in undo_all()), world.steps
    east.replayed()
    assert as_before(east, west), world.steps
    assert east.rows == west.rows == ["first", "in the west", *(["between"] if taken else [])]
    assert world.thrown_away == []


@pytest.mark.parametrize("moment", range(12))
@pytest.mark.parametrize("plan", ["failover", "switch-over"])
def test_a_promotion_that_comes_about_while_it_is_undone_keeps_what_it_took(
    plan, moment, do, undo_all, world, east, west, monkeypatch
) -> None:
    world.replays = True
    with contextlib.suppress(Unreachable):
        fail_over(do) if plan == "failover" else do("switch-over", old="east", new="west")
    world.replays = False
    comes_at = len(world.steps) + moment

    def step(what, take=world.step):
        if len(world.steps) == comes_at:
            west.replayed()
            taken.append(world.write("in the west") if west.is_primary and not west.held else 0)
        assert sum(server.up and server.is_primary for server in (east, west)) <= 1
        take(what)

    taken: list[int] = []
    monkeypatch.setattr(world, "step", step)
    found = undo_all()
    assert all(it.restored for it in found), [it.text for it in found]
    assert max(taken, default=0) <= 1
    assert as_before(east, west), world.steps
    assert east.rows == west.rows == ["first", *(["in the west"] if any(taken) else [])]
    assert world.thrown_away == []


def test_a_standby_that_is_away_keeps_its_promotion_open(do, undo_all, world, east, west) -> None:
    world.replays = True
    with contextlib.suppress(Unreachable):
        fail_over(do)
    west.host_reachable = False
    found = undo_all()
    assert [it.restored for it in found] == [False, False]
    assert (east.up, east.given) == (False, "fenced")
    west.host_reachable = True


@pytest.mark.parametrize("ended", [False, True], ids=["its node is silent", "it ends a moment later"])
def test_a_fence_that_died_right_after_its_scale_leaves_a_server_that_is_asked_for(
    ended, do, undo_all, world, east, west
) -> None:
    """The server goes on answering for a while, as the primary, with its standby streaming."""
    east.hangs, world.dies_at = True, 3
    with contextlib.suppress(SystemExit):
        do("fence-primary", old="east", new="west")
    assert (east.up, east.asked_for, east.given) == (True, False, "fenced")
    assert all(found.restored for found in undo_all()), world.steps
    if ended:
        east.up = east.hangs = False
        east.start()
    assert as_before(east, west), world.steps


def test_a_fence_that_is_not_taken_away_is_not_undone(sites, world, east) -> None:
    action = FencePrimary(*sites, world, silence_s=20.0)
    assert action.observe_undone({"timeline": 1}).holds
    east.given = "fenced"
    seen = action.observe_undone({"timeline": 1})
    assert not seen.holds
    assert seen.text.endswith("and streams; east is ordered to be 'fenced' at its next start")
    east.given, east.asked_for = "", False
    assert action.observe_undone({"timeline": 1}).text.endswith("no server is asked for in east")


@pytest.mark.parametrize("kind", ["promotion", "switch"])
def test_orders_that_are_left_are_seen(kind, sites, world, west) -> None:
    action = PromoteStandby(*sites, world, 1) if kind == "promotion" else SwitchOver(*sites, world)
    before = {"position": 1, "orders": "", "timeline": 1}
    assert action.observe_undone(before).holds
    west.given = "primary"
    assert action.observe_undone(before).text.endswith("west is ordered to be 'primary' at its next start")
    assert not action.observe_undone(before).holds


@pytest.mark.parametrize("moment", range(1, 6))
def test_a_rebuild_that_dies_leaves_a_fenced_server_fenced_and_no_other(moment, do, undo_all, world, east, west):
    fail_over(do)
    world.write("in the west")
    world.dies_at = len(world.steps) + moment
    with contextlib.suppress(SystemExit):
        do("rebuild-as-standby", site="east", source="west")
    world.dies_at = 0
    rebuilt = undo_all()[0]
    assert rebuilt.change.action == "rebuild-as-standby"
    assert rebuilt.restored
    assert as_before(east, west), world.steps


@pytest.mark.parametrize("moment", range(1, 6))
def test_a_standby_whose_rebuild_dies_is_not_left_fenced(moment, do, undo_all, world, east, west) -> None:
    west.joined = False
    world.dies_at = moment
    with contextlib.suppress(SystemExit):
        do("rebuild-as-standby", site="west", source="east")
    world.dies_at = 0
    assert all(found.restored for found in undo_all()), world.steps
    assert west.given in {"", "standby"}
    assert west.up
    assert west.asked_for


def test_nothing_is_stopped_for_a_primary_that_lets_nobody_in(do, undo_all, world, east, west) -> None:
    fail_over(do)
    west.lets_nobody_in = True
    steps = list(world.steps)
    found = undo_all()
    assert not any(it.restored for it in found)
    assert "too many clients" in found[0].text
    assert (west.up, west.is_primary) == (True, True)
    assert [step for step in world.steps[len(steps) :] if step.startswith(("stop", "order west"))] == []
    west.lets_nobody_in = False
    assert all(it.restored for it in undo_all())
    assert as_before(east, west)


def test_a_server_that_runs_is_not_stopped_since_its_port_is_not_reached(do, undo_all, world, east, west) -> None:
    fail_over(do)
    west.reachable = east.reachable = False
    steps = list(world.steps)
    found = undo_all()
    assert not any(it.restored for it in found)
    assert "the server in west runs, and does not answer from here" in found[0].text
    assert (west.up, west.is_primary) == (True, True)
    assert [step for step in world.steps[len(steps) :] if step.startswith(("stop", "order west"))] == []
    west.reachable = east.reachable = True
    assert all(it.restored for it in undo_all())
    assert as_before(east, west)


@pytest.mark.parametrize("begun_since", [False, True])
def test_a_start_that_waits_for_who_is_fenced_is_no_server_that_runs(
    do, undo_all, world, west, east, monkeypatch, begun_since
) -> None:
    fail_over(do)
    west.up, stop = False, west.stop
    west.printed = "The other region's server does not say what it is, and this one does not start without knowing\n"
    west.printed += "Starting.\n" * begun_since
    waits = [True]

    def stopped():
        waits.clear()
        stop()

    monkeypatch.setattr(west, "running", lambda: bool(waits) or west.up)
    monkeypatch.setattr(west, "stop", stopped)
    assert all(it.restored for it in undo_all()) is not begun_since
    assert as_before(east, west) is not begun_since
    assert world


def test_nobody_is_promoted_beside_a_primary_that_lets_nobody_in(do, world, east, west) -> None:
    east.lets_nobody_in = True
    with pytest.raises(Unreachable, match="too many clients"):
        do("promote-standby", old="east", new="west", timeline=1)
    assert not west.is_primary
