"""The experiments, by Chaos Toolkit itself, on a region in memory: what they pass on, and what their journal says."""

from __future__ import annotations

import pytest
from chaoslib.experiment import ensure_experiment_is_valid, run_experiment
from chaoslib.types import Strategy

from drillbook.domain.fault import CATALOGUE
from drillbook.drills.drill import EXPERIMENTS
from drillbook.run.experiment import _render, read_journal
from probes import faults as probes


def rendered(name, **configuration):
    experiment = _render([EXPERIMENTS / "resilience" / f"{name}.yaml"], configuration)
    ensure_experiment_is_valid(experiment)
    return experiment


@pytest.fixture
def quiet(monkeypatch, drill):
    """What is not about faults: the load's steady time, the slots, and the way back after all is undone."""
    monkeypatch.setattr("drillbook.activities.platform_serves", lambda: True)
    monkeypatch.setattr("drillbook.activities.await_steady_load", lambda: None)

    def put_back():
        undone = drill.journal.undo_all(drill.platform.undo, drill.clock)
        return {"all": all(found.restored for found in undone)}

    monkeypatch.setattr("drillbook.activities.put_back", put_back)


def run(experiment):
    settings = {"runtime": {"rollbacks": {"strategy": "always"}}}
    return read_journal(run_experiment(experiment, settings=settings, strategy=Strategy.DEFAULT), [])


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("name", ["kill-pod", "drain-node", "seal-vault"])
def test_a_fault_in_steady_state_runs_to_its_end(region, drill, name):
    before = region.picture()
    result = run(rendered("steady", fault=name))
    assert result.problems == ()
    assert [activity.name for activity in result.activities if activity.section == "method"] == [
        "await-steady-load", "inject-fault", "hold-fault", "lift-fault", "await-aftermath",
    ]  # fmt: skip
    assert probes.while_there(drill.events()).length_s >= CATALOGUE[name].held_s
    assert region.picture() == before


@pytest.mark.usefixtures("quiet")
def test_a_fault_that_does_not_bite_is_in_the_journal_and_undone(region, drill):
    before = region.picture()
    region.silent = True
    result = run(rendered("steady", fault="seal-vault"))
    failed = [activity.name for activity in result.activities if not activity.succeeded]
    assert failed == ["inject-fault", "hold-fault", "lift-fault", "await-aftermath"]
    assert "not in effect after 20 s" in result.problems[0]
    assert drill.journal.open_changes() == []
    assert region.picture() == before


def test_during_a_cutover_it_is_made_when_the_release_was_found_fit_and_lifted_after_it_was_watched():
    names = [activity["name"] for activity in rendered("cutover", fault="kill-pod", release="1.1.0")["method"]]
    order = ["validate-release", "inject-fault", "switch-traffic", "watch-release", "lift-fault", "await-aftermath"]
    assert sorted(order, key=names.index) == order
