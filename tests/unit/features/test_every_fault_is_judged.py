"""Each fault's drill begins in a steady state, asks whether the fault bit, and judges users during it and after it."""

from __future__ import annotations

from pathlib import Path

import pytest
from pytest_bdd.feature import get_features

from drillbook.domain.fault import CATALOGUE
from drillbook.drills.drill import EXPERIMENTS
from drillbook.run import yaml_file
from features.scenarios import FEATURES

FAULTS = {Path(one.filename).stem: one for one in get_features([str(FEATURES / "resilience")])}
NEEDED = {
    "steady state": ("given", "release 1.0.0 is live and healthy, and the other slot is empty"),
    "users": ("given", "analysts and collectors are on the platform, metered on new and on reused connections"),
    "proof that it bit, and an end": ("then", "the fault bit, and was undone within"),
    "what users had while it lasted": ("then", "of requests were answered well while it lasted"),
    "how soon they were well": ("then", "users had good service again within"),
    "what was acknowledged": ("then", "every acknowledged event is there, once and unchanged"),
}


@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize(("kind", "words"), NEEDED.values(), ids=NEEDED)
def test_the_drill_of_a_fault_says_so(name, kind, words):
    background = FAULTS[name].background
    for scenario in FAULTS[name].scenarios.values():
        steps = [*(background.steps if background else []), *scenario.steps]
        assert [step for step in steps if step.type == kind and words in step.name], scenario.name


def test_what_comes_between_the_regions_begins_with_their_standby_which_is_looked_at_again_at_the_end():
    sentences = {f"{fault.sentence} <when>" for fault in CATALOGUE.values() if len(fault.regions) > 1}
    between = {
        name: feature.background.steps
        for name, feature in FAULTS.items()
        if any(step.name in sentences for scenario in feature.scenarios.values() for step in scenario.steps)
    }
    assert len(between) == len(sentences) > 0
    streams = ("given", "the primary region has the database, and the other region's standby streams from it")
    for name, steps in between.items():
        assert streams in [(step.type, step.name) for step in steps], name


@pytest.mark.parametrize(
    ("experiment", "order"),
    [
        ("steady", ["await_steady_load", "inject_fault", "hold_fault", "lift_fault", "await_aftermath"]),
        (
            "cutover",
            ["await_steady_load", "deploy_release", "inject_fault", "switch_traffic", "watch_release", "hold_fault",
             "lift_fault", "await_aftermath"],
        ),
    ],
)  # fmt: skip
def test_the_fault_is_looked_at_again_before_it_is_lifted_and_the_load_goes_on_after_it(experiment, order):
    _, document = yaml_file.read(EXPERIMENTS / "resilience" / f"{experiment}.yaml")
    functions = [step["provider"]["func"] for step in document["method"]]
    assert [name for name in functions if name in order] == order
    assert [probe["provider"]["func"] for probe in document["steady-state-hypothesis"]["probes"]] == ["platform_serves"]
