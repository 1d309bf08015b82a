"""What the guard counts as serving."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from drillbook import wiring
from drillbook.ports import Unreachable

PODS = {"blue": SimpleNamespace(serving=1, desired=2), "green": SimpleNamespace(serving=3, desired=3)}


def ports(*seen: set[str]):
    looks = iter(seen)
    return SimpleNamespace(
        serving_slots=lambda: frozenset(next(looks)), cluster=SimpleNamespace(slot=lambda slot: PODS[slot])
    )


def test_pods_of_every_slot_with_traffic_are_counted():
    assert wiring.serving(ports({"blue"}, {"blue"})) == (1, 2)
    assert wiring.serving(ports({"blue", "green"}, {"blue", "green"})) == (4, 5)


def test_what_a_slot_has_too_much_while_its_pods_are_replaced_makes_up_for_nobody(monkeypatch):
    monkeypatch.setitem(PODS, "green", SimpleNamespace(serving=4, desired=3))
    assert wiring.serving(ports({"blue", "green"}, {"blue", "green"})) == (4, 5)


def test_a_switch_in_mid_look_is_not_taken_for_a_count():
    with pytest.raises(Unreachable, match="led elsewhere than to blue while"):
        wiring.serving(ports({"blue"}, {"green"}))
