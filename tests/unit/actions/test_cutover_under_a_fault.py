"""The whole experiment of a fault during a cutover, by Chaos Toolkit, on a platform in memory."""

# ruff: noqa: ARG002 - what is in memory takes the arguments of what is real

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace

import pytest
from chaoslib.experiment import run_experiment
from chaoslib.types import Strategy

from drillbook.actions.faults.plan import Faults, Offered
from drillbook.domain.environment import GuardSettings
from drillbook.domain.fault import CATALOGUE, Reach
from drillbook.domain.fault_settings import FaultSettings, VaultPart
from drillbook.domain.measurement import Window
from drillbook.drills.drill import EXPERIMENTS
from drillbook.ports.fault import Look
from drillbook.run.action import restore
from drillbook.run.experiment import _render, read_journal
from probes import faults, story

BLUE, GREEN = {"blue": 100, "green": 0}, {"blue": 0, "green": 100}


@dataclass
class Vault:
    """A pair that hurts the new slot's users while it is away, when it is told to."""

    world: object
    hurts: float = 0.0
    sealed: bool = False
    named: str = "vault"

    def note(self):
        return {}

    def take(self):
        self.sealed, self.world.bad_share = True, self.hurts

    def give_back(self, noted):
        self.sealed, self.world.bad_share = False, 0.0

    def look(self, noted):
        return Look(self.sealed, not self.sealed, f"the vault is {'sealed' if self.sealed else 'open'}")


@pytest.fixture
def vault(world, drill, monkeypatch) -> Vault:
    pair, platform = Vault(world), drill.platform
    platform.environment.guard = GuardSettings(namespaces=("analytics",))
    platform.environment.regions = {"us-east-1": None}
    platform.faults = Faults(
        FaultSettings(vault=VaultPart("http://vault", "env:T", "env:K")), "us-east-1", "analytics", "{slot}",
        platform.live_slot, world, SimpleNamespace(), SimpleNamespace(),
        {"seal-vault": Offered(pair, Reach(("us-east-1",), ()))},
    )  # fmt: skip
    slots = platform.make

    def make(change):
        arguments = change.arguments["arguments"]
        return platform.faults.make(change.action, arguments) if change.action in CATALOGUE else slots(change)

    platform.make = make
    platform.undo = lambda change: restore(change, make(change), world)
    monkeypatch.setattr("drillbook.wiring.serving", lambda _ports: (2, 2))
    return pair


def run(release="1.1.0"):
    experiment = _render([EXPERIMENTS / "resilience" / "cutover.yaml"], {"fault": "seal-vault", "release": release})
    settings = {"runtime": {"rollbacks": {"strategy": "always"}}}
    return read_journal(run_experiment(experiment, settings=settings, strategy=Strategy.DEFAULT), [])


@pytest.mark.usefixtures("clients")
@pytest.mark.parametrize(("hurts", "ruling"), [(0.0, "keep"), (0.1, "roll back")])
def test_a_release_is_cut_over_under_a_fault_and_everything_is_put_back(world, drill, vault, hurts, ruling) -> None:
    vault.hurts = hurts
    result = run()
    assert result.problems == ()
    events = drill.events()
    assert [event.data["ruling"] for event in story.of(events, "watch_release") if event.kind == "decided"] == [ruling]
    assert faults.cutovers_decided(events, Window(0.0, 1.0)).interval.low == 1
    assert faults.cutovers_under(events, Window(0.0, 1.0)).interval.low == 1
    there = faults.while_there(events)
    told = [(event.data.get("action") or event.data.get("activity"), event.kind) for event in events]
    order = [("seal-vault", "observed"), ("switch-traffic", "injected"), ("lift_fault", "recovered")]
    assert sorted(order, key=told.index) == order, "the fault has to be there while the traffic is switched"
    assert there.length_s >= CATALOGUE["seal-vault"].held_s
    assert world.weights == BLUE
    assert world.slots["green"] == ""
    assert not vault.sealed
    assert drill.journal.open_changes() == []


@pytest.mark.usefixtures("clients")
def test_a_release_that_is_not_fit_gets_no_fault(world, drill, vault) -> None:
    world.smoke_problems = ("query was answered wrongly",)
    result = run()
    assert result.problems
    assert faults.meant(drill.events()) == ""
    assert not vault.sealed
    assert world.weights == BLUE


@pytest.mark.usefixtures("clients")
def test_a_fault_that_is_left_when_the_cutover_breaks_is_undone_on_the_way_back(world, drill, vault) -> None:
    world.gateway_lag_s = 1e9  # the switch never shows
    result = run()
    assert any("still answers" in problem for problem in result.problems)
    assert not vault.sealed
    assert world.weights == BLUE
    assert drill.journal.open_changes() == []
