"""Faults on a region in memory, with the journal that undoes them."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from region_in_memory import Region, offered

from drillbook.domain.environment import GuardSettings
from drillbook.run import journal as journals
from drillbook.run.action import perform, restore
from drillbook.run.journal import Journal
from drillbook.run.timeline import Timeline, events


class Documents(dict):
    """The target environment's own, which outlive the harness."""

    put = dict.__setitem__

    def names(self, prefix=""):
        return sorted(name for name in self if name.startswith(prefix))

    def delete(self, name):
        self.pop(name, None)


@pytest.fixture
def region() -> Region:
    return Region.started()


@pytest.fixture
def faults(region):
    return offered(region)


@pytest.fixture
def harness(region, faults, tmp_path):
    """Makes faults, and undoes them as a later process would: from what the target environment has of them."""
    store = Documents()
    journal = Journal(tmp_path / "undo.jsonl", store, "run-1", 7)
    timeline = Timeline(tmp_path / "timeline.jsonl", "drill", region)

    def make(name):
        return perform(faults.choose(name).action, journal, timeline, region)

    def undo(change):
        return restore(change, offered(region).make(change.action, change.arguments["arguments"]), region)

    return SimpleNamespace(
        make=make, recover=lambda: journals.recover(store, undo, region, lambda: None), store=store, journal=journal,
        undo=undo, path=tmp_path,
    )  # fmt: skip


@pytest.fixture
def drill(region, faults, harness, tmp_path, monkeypatch):
    """What `wiring.experiment` gives to the activities."""
    guard = GuardSettings(namespaces=("analytics", "gateway", "data"), pods_share=0.5, resilience_pods_share=1.0)
    environment = SimpleNamespace(name="twin", guard=guard, regions={"us-east-1": None})
    timeline = Timeline(tmp_path / "timeline.jsonl", "drill", region)
    platform = SimpleNamespace(
        environment=environment, faults=faults, undo=harness.undo,
        make=lambda change: faults.make(change.action, change.arguments["arguments"]),
    )  # fmt: skip
    made = SimpleNamespace(
        timeline=timeline, clock=region, journal=harness.journal, platform=platform,
        events=lambda: events(timeline.path),
    )  # fmt: skip
    monkeypatch.setattr("drillbook.wiring.experiment", lambda: made)
    monkeypatch.setattr("drillbook.wiring.serving", lambda _ports: region.serving())
    monkeypatch.setattr("drillbook.activities._halted", [])
    return made
