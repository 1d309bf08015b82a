"""One lock and one journal for two regions: never two runs inside, whichever region is away."""

from __future__ import annotations

import json
import socket
import time
from dataclasses import dataclass
from types import SimpleNamespace

import pytest

from drillbook import wiring
from drillbook.domain.undo import FAULT, Change, Restoration
from drillbook.drivers.kubernetes import connect
from drillbook.drivers.kubernetes_lease import KubernetesLease
from drillbook.ports import Holder, LockHeld, LockLost, Unreachable
from drillbook.run.two_regions import BothLocks, BothStores
from tests.unit.clocks import Clock


@dataclass
class Region:
    """What one region keeps, for every process that asks it."""

    away: bool = False
    held: Holder | None = None
    takings: int = 0
    renewals: int = 0

    def answer(self):
        if self.away:
            raise Unreachable("the cluster does not answer")


class Lease:
    """One process' view of a region's lock."""

    def __init__(self, region: Region) -> None:
        self.region = region
        self.ours: Holder | None = None

    def acquire(self, identity, *, wait_s):
        self.region.answer()
        if self.region.held is not None:
            raise LockHeld(f"in use by {self.region.held.identity} for longer than {wait_s:g} s")
        self.region.takings += 1
        self.region.held = self.ours = Holder(identity, 0.0, self.region.takings)
        return self.ours

    def adopt(self, holder):
        self.ours = holder

    def check(self):
        self.region.answer()
        ours = self.ours
        if ours is None or (self.region.held or Holder("", 0, 0)).fencing != ours.fencing:
            raise LockLost("held by somebody else")

    def renew(self):
        self.check()
        self.region.renewals += 1

    def release(self):
        self.region.answer()
        if self.ours is not None and self.region.held == self.ours:
            self.region.held = None
        self.ours = None

    def holder(self):
        self.region.answer()
        return self.region.held


class Documents(dict):
    """One region's documents."""

    away = False

    def put(self, name, document):
        self._answer()
        self[name] = document

    def get(self, name, default=None):
        self._answer()
        return super().get(name, default)

    def names(self, prefix=""):
        self._answer()
        return sorted(name for name in self if name.startswith(prefix))

    def delete(self, name):
        self._answer()
        self.pop(name, None)

    def _answer(self):
        if self.away:
            raise Unreachable("the cluster does not answer")


@pytest.fixture
def home():
    return Region()


@pytest.fixture
def west():
    return Region()


def lock(home, west, *, witnessed=True):
    return BothLocks(Lease(home), Lease(west), "west" if witnessed else "")


def test_a_run_that_may_lose_a_region_holds_both_and_goes_by_the_witness(home, west):
    west.takings = 6
    holder = lock(home, west).acquire("me", wait_s=0)
    assert (holder.fencing, holder.kept_by) == (7, "west")
    assert home.held is not None


def test_any_other_run_holds_both_and_goes_by_its_own_region(home, west):
    west.takings = 6
    holder = lock(home, west, witnessed=False).acquire("me", wait_s=0)
    assert (holder.fencing, holder.kept_by) == (1, "")
    assert west.held is not None


@pytest.mark.parametrize("witnessed", [True, False])
@pytest.mark.parametrize("other", [True, False])
def test_of_two_runs_one_is_inside_whatever_they_go_by(home, west, witnessed, other):
    lock(home, west, witnessed=witnessed).acquire("me", wait_s=0)
    with pytest.raises(LockHeld, match="in use by me"):
        lock(home, west, witnessed=other).acquire("you", wait_s=0)


@pytest.mark.parametrize("held", ["home", "west"])
def test_whoever_knows_of_one_region_alone_is_kept_out_and_keeps_out(home, west, held):
    Lease({"home": home, "west": west}[held]).acquire("an older one", wait_s=0)
    with pytest.raises(LockHeld, match="in use by an older one"):
        lock(home, west).acquire("me", wait_s=0)
    free = {"home": west, "west": home}[held]
    assert free.held is None, "what was taken first is given back"


def test_a_recovery_of_a_lost_region_holds_the_witness_alone(home, west):
    home.away = True
    ours = lock(home, west)
    assert ours.acquire("me", wait_s=0).kept_by == "west"
    home.away = False
    with pytest.raises(LockHeld):
        lock(home, west, witnessed=False).acquire("you", wait_s=0)
    ours.release()
    assert (home.held, west.held) == (None, None)


def test_nobody_is_inside_without_the_one_that_is_gone_by(home, west):
    home.away = True
    with pytest.raises(Unreachable):
        lock(home, west, witnessed=False).acquire("me", wait_s=0)
    home.away, west.away = False, True
    with pytest.raises(Unreachable):
        lock(home, west).acquire("me", wait_s=0)
    assert home.held is None


def test_it_is_kept_while_the_lost_region_is_away_and_renewed_there_again_afterwards(home, west):
    ours = lock(home, west)
    ours.acquire("me", wait_s=0)
    home.away = True
    ours.check()
    ours.renew()
    assert (home.renewals, west.renewals) == (0, 1)
    home.away = False
    ours.renew()
    assert (home.renewals, west.renewals) == (1, 2)


def test_a_lost_region_that_takes_connections_and_never_answers_is_not_waited_for(west, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as mute:
        user = {"name": "u", "user": {"token": "t"}}
        cluster = {"name": "k", "cluster": {"server": f"http://127.0.0.1:{mute.getsockname()[1]}"}}
        context = {"name": "c", "context": {"cluster": "k", "user": "u"}}
        file = tmp_path / "kubeconfig"
        file.write_text(json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "c",
            "users": [user], "clusters": [cluster], "contexts": [context],
        }))  # fmt: skip
        ours = BothLocks(KubernetesLease(connect(file), timeout_s=(0.2, 0.2)), Lease(west), "west")
        ours.adopt(Lease(west).acquire("me", wait_s=0))
        began_s = time.monotonic()
        ours.renew()
        assert time.monotonic() - began_s < 5.0
    assert west.renewals == 1


def test_somebody_who_took_the_returned_regions_lock_is_noticed(home, west):
    ours = lock(home, west)
    ours.acquire("me", wait_s=0)
    home.held = Holder("an older one", 0.0, 99)
    with pytest.raises(LockLost):
        ours.renew()


def test_another_process_of_the_run_goes_on_with_both(home, west):
    taken = lock(home, west).acquire("me", wait_s=0)
    adopting = lock(home, west)
    adopting.adopt(Holder("me", 0.0, taken.fencing))
    adopting.check()
    adopting.renew()
    assert (home.renewals, west.renewals) == (1, 1)
    adopting.release()
    assert (home.held, west.held) == (None, None)


def test_what_is_not_its_own_is_neither_renewed_nor_given_back(home, west):
    home.away = True
    ours = lock(home, west)
    ours.acquire("me", wait_s=0)
    home.away = False
    Lease(home).acquire("an older one", wait_s=0)
    ours.renew()
    ours.release()
    assert home.renewals == 0
    assert home.held is not None


def test_what_either_kind_of_run_has_left_is_found_and_deleted_where_it_is():
    keeper, other = Documents({"undo-1": {"n": 1}}), Documents({"undo-2": {"n": 2}})
    both = BothStores(keeper, other)
    assert both.names("undo-") == ["undo-1", "undo-2"]
    assert both.get("undo-2") == {"n": 2}
    both.put("undo-2", {"n": 3})
    both.put("undo-3", {"n": 4})
    assert (other["undo-2"], keeper["undo-3"]) == ({"n": 3}, {"n": 4})
    both.delete("undo-2")
    assert not other


@pytest.mark.parametrize("away", ["keeper", "other"])
def test_of_a_region_that_is_away_nobody_says_that_nothing_is_left_there(away):
    keeper, other = Documents(), Documents()
    both = BothStores(keeper, other)
    {"keeper": keeper, "other": other}[away].away = True
    with pytest.raises(Unreachable):
        both.names("undo-")
    {"keeper": other, "other": keeper}[away]["undo-1"] = {}
    assert both.names("undo-") == ["undo-1"], "to undo that may bring the other back"


@dataclass
class Left:
    """What runs that died have left in two regions, of which the other one is away."""

    keeper: Documents
    other: Documents
    mended_by: str = FAULT

    def __post_init__(self):
        self.other.away = True
        self.undone: list[str] = []

    def put(self, region, sequence, action):
        change = Change(sequence, "run-1", "drill", action, {"arguments": {}, "before": {}}, 7, touches=(action,))
        region[change.name] = change.as_document()

    def ports(self):
        lock = SimpleNamespace(check=lambda: None)
        return SimpleNamespace(left=BothStores(self.keeper, self.other), undo=self.undo, clock=Clock(), lock=lock)

    def undo(self, change):
        self.undone.append(change.action)
        self.other.away &= change.action != self.mended_by
        return Restoration(change, restored=True, text="as before", at_s=0.0)


def test_a_run_begins_once_a_region_that_was_away_is_put_back_as_well():
    left = Left(Documents(), Documents())
    left.put(left.keeper, 1, FAULT)
    left.put(left.other, 2, "switch-traffic")
    assert wiring.put_back_what_others_left(left.ports()) == []
    assert left.undone == [FAULT, "switch-traffic"]
    assert not left.other


def test_no_run_begins_while_a_region_stays_away_whatever_the_other_held():
    left = Left(Documents(), Documents(), mended_by="nobody")
    left.put(left.keeper, 1, FAULT)
    with pytest.raises(Unreachable):
        wiring.put_back_what_others_left(left.ports())
    assert left.undone == [FAULT]
