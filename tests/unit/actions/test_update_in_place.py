"""An update of the slot that has the public, and the way back, on a platform in memory."""

from __future__ import annotations

from dataclasses import replace

import pytest

from drillbook import activities
from drillbook.activities import update
from drillbook.domain.slot_history import Revision
from drillbook.ports import Unreachable
from drillbook.run.action import NotObserved
from probes import story

pytestmark = pytest.mark.usefixtures("clients", "drill")


def test_the_live_slot_is_updated_and_rolled_back_by_order(world, drill) -> None:
    update.update_release("1.1.0")
    assert world.slots == {"blue": "1.1.0", "green": ""}
    (change,) = drill.journal.open_changes()
    assert (change.action, change.touches) == ("update-release", ("slot/blue",))
    update.roll_back_by_operator("10")
    assert world.calls == ["deploy 1.1.0 to blue", "restore blue to 1"]
    assert world.slots == {"blue": "1.0.0", "green": ""}
    assert drill.journal.open_changes() == []
    assert list(story.stages(drill.events())) == ["switched", "seen by clients"]


def test_the_public_counts_as_led_elsewhere_until_the_update_is_taken_back(drill) -> None:
    update.update_release("1.1.0")
    activities.put_back()
    told = [event.kind + " " + str(event.data.get("activity")) for event in drill.events()][-2:]
    assert told == ["recovered put_back", "note traffic_back"]


def test_an_update_is_undone_by_a_run_that_knows_only_the_journal_though_the_slot_has_the_public(world) -> None:
    update.update_release("1.1.0")
    assert activities.put_back()["all"]
    assert world.slots["blue"] == "1.0.0"


def test_what_somebody_has_deployed_there_since_is_left(world) -> None:
    update.update_release("1.1.0")
    world.revisions["blue"].append(("1.1.0", Revision(3, mark="theirs", current=True)))
    found = activities.put_back()
    assert not found["all"]
    assert "somebody else has deployed since" in found["restored"][0]
    assert world.slots["blue"] == "1.1.0"


def test_there_has_to_be_an_update_to_take_back() -> None:
    with pytest.raises(Unreachable, match="no update to take back"):
        update.roll_back_by_operator("0")


def test_an_update_that_does_not_come_about_halts_and_is_undone(world, monkeypatch) -> None:
    def stuck(slot):
        seen = type(world).slot(world, slot)
        return replace(seen, ready=1) if seen.version == "1.1.0" else seen

    monkeypatch.setattr(world, "slot", stuck)
    with pytest.raises(NotObserved, match=r"slot blue runs 1\.1\.0 with 1 of 2 pods ready"):
        update.update_release("1.1.0")
    with pytest.raises(activities.Halted, match="not done, because"):
        update.roll_back_by_operator("0")
    assert activities.put_back()["all"]
    assert world.slots["blue"] == "1.0.0"
