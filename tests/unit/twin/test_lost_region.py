"""When a region counts as lost, and when as back: by who reaches its machines."""

from __future__ import annotations

import subprocess
from types import SimpleNamespace

import pytest

from drillbook.ports import Unreachable
from drillbook.twin import link, lost_machine, lost_region, machines, packet_filter, vaults

EAST = ("use1-cp", "use1-n1", "use1-n2")
WEST = ("usw2-cp", "usw2-n1", "usw2-n2")
CLOCK = SimpleNamespace(now=lambda: 7.0)


@pytest.fixture
def reached(monkeypatch):
    """Machine that asks to the regions whose machines it reaches; all of them at first."""
    found = {"client": {"us-east-1", "us-west-2"}, "use1-cp": {"us-west-2"}, "usw2-cp": {"us-east-1"}}

    def answering(way):
        names = frozenset(EAST if way.to.name == "us-east-1" else WEST)
        return names if way.to.name in found[way.start.name] else frozenset()

    monkeypatch.setattr(lost_region, "_answering", answering)
    return found


@pytest.fixture
def lost():
    return lost_region.losses(EAST, lambda: None, CLOCK)


def test_a_region_that_is_reached_by_anybody_is_not_cut(reached, lost):
    assert not lost["cut"].bit().holds
    reached["client"].discard("us-east-1")
    seen = lost["cut"].bit()
    assert not seen.holds
    assert seen.text == "from usw2-cp use1-cp, use1-n1, use1-n2 in us-east-1 are reached"
    reached["usw2-cp"].clear()
    assert lost["cut"].bit().holds
    assert lost["nodes"].bit().holds


def test_a_partition_is_closed_both_ways_and_leaves_both_sides_to_users(reached, lost):
    assert not lost["partition"].bit().holds
    reached["usw2-cp"].clear()
    assert not lost["partition"].bit().holds, "one way is open"
    reached["use1-cp"].clear()
    assert lost["partition"].bit().holds
    reached["client"].discard("us-east-1")
    assert not lost["partition"].bit().holds, "that is a region that is cut off"


def test_one_machine_that_lives_is_no_region_that_is_lost(monkeypatch, lost):
    monkeypatch.setattr(lost_region, "_answering", lambda _way: frozenset({"use1-n2"}))
    assert not lost["nodes"].bit().holds


def test_one_machine_that_stays_away_is_no_region_that_is_back(monkeypatch, lost):
    assert lost["cut"].region.name == "us-east-1"
    monkeypatch.setattr(lost_region, "_answering", lambda _way: frozenset({*EAST, *WEST}) - {"use1-n2"})
    assert not lost["cut"].undone().holds


def test_it_is_back_once_its_control_plane_answers_and_its_vault_is_open(reached, monkeypatch):
    def silent():
        raise Unreachable("the cluster does not answer")

    assert reached
    with pytest.raises(Unreachable):
        lost_region.losses(EAST, silent, CLOCK)["cut"].undone()
    for is_open in (False, True):
        monkeypatch.setattr(lost_region.vaults, "is_open", lambda _region, is_open=is_open: is_open)
        assert lost_region.losses(EAST, lambda: None, CLOCK)["nodes"].undone().holds is is_open
    assert lost_region.losses(EAST, lambda: None, CLOCK)["cut"].undone().holds


def test_a_cut_leaves_the_regions_own_ways_open(monkeypatch):
    put = []

    def note(filters):
        put.append(filters)

    monkeypatch.setattr(lost_region.PacketFilter, "put", note)
    losses = lost_region.losses(EAST, lambda: None, CLOCK)
    losses["cut"].inject()
    losses["partition"].inject()
    cut, parted = put
    assert cut.namespaces == tuple(f"drillbook-{name}" for name in EAST)
    assert {"-s 10.77.0.2/32", "-d 10.77.0.2/32", "-d 10.77.2.0/24", "-s 10.102.0.0/16"} <= set(cut.dropped)
    assert not any("10.77.1." in match or "10.101." in match for match in cut.dropped)
    assert set(parted.dropped) == {f"{way} {net}" for way in ("-s", "-d") for net in ("10.77.2.0/24", "10.102.0.0/16")}
    assert cut.chain != parted.chain


@pytest.mark.parametrize("names", [EAST[:2], (*EAST, "usw2-n1"), ("nobody",)])
def test_a_part_of_a_region_is_none(names):
    with pytest.raises(Unreachable, match="not all machines of one region"):
        lost_region.losses(names, lambda: None, CLOCK)


BUSY = [subprocess.TimeoutExpired("iptables -w 5 -S", 30), OSError(11, "Resource temporarily unavailable")]


@pytest.mark.parametrize("error", BUSY, ids=["late", "full"])
def test_a_machine_that_is_too_busy_to_be_given_back_is_told(monkeypatch, lost, error):
    def busy(*_, **__):
        raise error

    monkeypatch.setattr(packet_filter.subprocess, "run", busy)
    with pytest.raises(Unreachable, match="`iptables -w 5 -S` in drillbook-use1-cp"):
        lost["cut"].undo()
    monkeypatch.setattr(machines, "boot", busy)
    with pytest.raises(Unreachable, match="use1-cp could not be started or stopped"):
        lost["nodes"].undo()
    with pytest.raises(Unreachable, match="use1-n1 could not be started or stopped"):
        lost_machine.lost("use1-n1", None, None, []).give_back({})


def test_ways_that_cannot_be_tried_are_told(monkeypatch, lost):
    def full(_namespace):
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(lost_region, "inside", full)
    with pytest.raises(Unreachable, match="nobody can try the way from client to us-east-1: Too many open files"):
        lost["cut"].undone()
    monkeypatch.setattr(link, "inside", full)
    east, west = map(link.end, ("us-east-1", "us-west-2"))
    with pytest.raises(Unreachable, match=r"nobody can tell what the link between .* lets through: Too many"):
        link.Link(east, west).look({})


@pytest.mark.parametrize("answer", [{}, [], {"initialized": True, "sealed": True}], ids=["no", "a list", "no key"])
def test_a_vault_that_cannot_be_opened_yet_is_told(monkeypatch, tmp_path, lost, answer):
    monkeypatch.setattr(vaults, "wait_until", lambda *_, **__: None)
    monkeypatch.setattr(vaults.requests, "get", lambda *_, **__: SimpleNamespace(json=lambda: answer))
    monkeypatch.setattr(vaults, "made", lambda region: tmp_path / f"{region.name}.json")
    with pytest.raises(Unreachable, match="the vault in us-east-1 could not be opened after it was lost"):
        vaults.open_again(lost["cut"].region)
