"""`drillbook recover` while the primary region is away: by the witness's lock, the loss first, then a second look."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from drillbook.afterwards import recovery
from drillbook.domain.undo import FAULT, Change, Restoration
from drillbook.ports import Holder, LockLost, Unreachable
from drillbook.run.environment import find, load
from drillbook.run.two_regions import BothStores
from tests.unit.run.test_two_regions import Documents

TWIN = load(find("twin"))


def change(sequence, action):
    return Change(sequence, "run-1", "drill", action, {"arguments": {}, "before": {}}, 7, touches=(action,))


class Lock:
    """The lock of one kind of run."""

    waits_s = 30.0
    lost_after = ""

    def __init__(self, log, name, home) -> None:
        self.log, self.name, self.home = log, name, home

    def acquire(self, identity, *, wait_s):
        assert wait_s == self.waits_s
        if self.name == "home" and self.home.away:
            raise Unreachable("the cluster of the primary region does not answer")
        self.log.append(f"lock by {self.name}")
        return Holder(identity, 0.0, 1)

    def check(self):
        if self.lost_after in self.log:
            raise LockLost("the environment's lock is held by another run now")

    def renew(self):
        self.log.append("renew")

    def release(self):
        self.log.append(f"release by {self.name}")


@pytest.fixture
def world(monkeypatch):
    home, west, log = Documents(), Documents(), []
    unserved: list[str] = []

    def undo(found):
        log.append(f"undo {found.action}")
        if found.action == FAULT:
            home.away = False
        return Restoration(found, restored=not home.away, text="as before", at_s=0.0)

    def platform(_environment, clock, *, witnessed=False):
        keeper, other = (west, home) if witnessed else (home, west)
        return SimpleNamespace(
            lock=Lock(log, "witness" if witnessed else "home", home), left=BothStores(keeper, other), undo=undo,
            clock=clock, unserved=lambda: unserved.pop(0) if unserved else "",
        )  # fmt: skip

    monkeypatch.setattr(recovery.wiring, "platform", platform)
    return SimpleNamespace(home=home, west=west, log=log, unserved=unserved)


def left_by_a_region_loss(world):
    for made in (change(1, FAULT), change(2, "promote-standby")):
        world.west[made.name] = made.as_document()


def test_the_loss_is_ended_first_and_what_the_region_holds_comes_after(world):
    left_by_a_region_loss(world)
    switch = change(9, "switch-traffic")
    world.home[switch.name] = switch.as_document()
    world.home.away = True
    said = []
    assert recovery.recover(TWIN, said.append) == 0
    assert world.log == [
        "lock by witness", "undo inject-fault", "undo promote-standby", "undo switch-traffic", "release by witness",
    ]  # fmt: skip
    assert not world.home
    assert not world.west
    assert said[3:] == ["recover: the public is served"]


def test_a_region_that_answers_is_recovered_by_its_own_lock_whoever_keeps_the_journal(world):
    left_by_a_region_loss(world)
    assert recovery.recover(TWIN, lambda _: None) == 0
    assert world.log[0] == "lock by home"
    assert not world.west


@pytest.mark.parametrize(("unattended", "code"), [(False, 75), (True, 0)])
def test_a_recovery_that_loses_the_lock_goes_no_further(world, monkeypatch, unattended, code):
    monkeypatch.setattr(Lock, "waits_s", 0.0 if unattended else 30.0)
    monkeypatch.setattr(Lock, "lost_after", "undo switch-traffic")
    for made in (change(1, "promote-standby"), change(9, "switch-traffic")):
        world.home[made.name] = made.as_document()
    said = []
    assert recovery.recover(TWIN, said.append, unattended=unattended) == code
    assert world.log == ["lock by home", "undo switch-traffic", "release by home"]
    assert said == ["recover: the environment's lock is held by another run now"]


def test_nobody_says_that_nothing_is_left_while_a_region_is_silent(world):
    world.home.away = True
    said = []
    assert recovery.recover(TWIN, said.append) == 75
    assert "does not answer" in said[0]


def test_nothing_is_well_before_users_are_served(world):
    left_by_a_region_loss(world)
    world.unserved += ["the public is not served: no way"] * 2
    said = []
    assert recovery.recover(TWIN, said.append) == 0
    assert not world.unserved
    assert said[-1] == "recover: the public is served"


def test_a_public_that_stays_away_is_told_and_is_no_success(world, monkeypatch):
    monkeypatch.setattr(recovery, "_SERVED_WITHIN_S", 1.0)
    left_by_a_region_loss(world)
    world.unserved += ["the public is not served: no way"] * 100
    said = []
    assert recovery.recover(TWIN, said.append) == 75
    assert said[-1] == "recover: all is put back, and the public is not served: no way, 1 s later: look at it yourself"


def test_who_runs_within_the_cluster_does_not_ask_for_users(world, monkeypatch):
    monkeypatch.setattr(Lock, "waits_s", 0.0)
    left_by_a_region_loss(world)
    world.unserved += ["the public is not served: no way"]
    said = []
    assert recovery.recover(TWIN, said.append, unattended=True) == 0
    assert world.unserved
    assert len(said) == 2
