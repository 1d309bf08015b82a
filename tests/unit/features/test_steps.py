"""The sentences have their steps: pytest-bdd finds an undefined one only at run time, and picks one of two silently."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest
from pytest_bdd.feature import get_features
from pytest_bdd.steps import step_function_context_registry

import features.steps
from drillbook.run import planning
from features.sentences import is_promised_anyway

FEATURES = Path(features.steps.__file__).parents[1]


def definitions():
    for module in pkgutil.iter_modules(features.steps.__path__, "features.steps."):
        importlib.import_module(module.name)
    found = {id(context): context for context in step_function_context_registry.values()}
    return [context for context in found.values() if context.step_func.__module__.startswith("features.steps.")]


def sentences():
    for feature in get_features([str(FEATURES)]):
        background = feature.background.steps if feature.background else []
        for scenario in feature.scenarios.values():
            examples = [row for table in scenario.examples for row in table.as_contexts()] or [{}]
            for example in examples:
                rendered = scenario.render(example)
                for step in [*background, *rendered.steps]:
                    yield f"{Path(feature.filename).name}: {rendered.name}", step.type, step.name


def matching(kind, name):
    return [step for step in definitions() if step.type == kind and step.parser.is_matching(name)]


SCENARIOS = len(planning.drills(FEATURES))
SENTENCES = sorted({(kind, name): where for where, kind, name in sentences()}.items())


@pytest.mark.parametrize(("sentence", "where"), SENTENCES, ids=[name for (_, name), _ in SENTENCES])
def test_a_sentence_has_exactly_one_step(sentence, where) -> None:
    found = matching(*sentence)
    assert len(found) == 1, f"{where}: {' '.join(sentence)!r} is matched by {[step.parser.name for step in found]}"


@pytest.mark.parametrize("module", [module.name for module in pkgutil.iter_modules(features.steps.__path__)])
def test_pytest_knows_every_module_of_steps(module, pytestconfig) -> None:
    assert pytestconfig.pluginmanager.has_plugin(f"features.steps.{module}")


def test_every_step_is_used() -> None:
    used = {id(step) for (kind, name), _ in SENTENCES for step in matching(kind, name)}
    unused = [f"{step.step_func.__module__}: {step.parser.name}" for step in definitions() if id(step) not in used]
    assert not unused


def test_no_step_takes_the_name_of_a_release_for_its_version() -> None:
    judging = [step.step_func for step in definitions() if step.type == "then"]
    assert not [told.__module__ for told in judging if "version" in inspect.signature(told).parameters]
    named = [told for told in judging if "release" in inspect.signature(told).parameters]
    assert named
    assert all("drill.platform.version_of(release)" in inspect.getsource(told) for told in named)


def test_what_users_were_told_is_kept_is_promised_however_far_a_drill_came() -> None:
    """Whatever its experiment broke off at; other promises are of what was to be drilled."""
    anyway = {name for (kind, name), _ in SENTENCES if kind == "then" and is_promised_anyway(name)}
    assert anyway == {
        "every acknowledged event is there, once and unchanged",
        "every event that release 1.1.0 acknowledged is there, once and unchanged",
        "every event that was acknowledged at any rate is there, once and unchanged",
        "of what was acknowledged at most the last 1 h was lost",
        "at most the last 1 h of what was acknowledged was lost with them",
        "nothing is missing that was acknowledged once the lost primary was fenced, and no event is there twice",
        "nothing is missing that was acknowledged once the restored server took writes, and no event is there twice",
    }


def test_every_scenario_fits_on_a_screen() -> None:
    for feature in get_features([str(FEATURES)]):
        for scenario in feature.scenarios.values():
            assert len(scenario._steps) + sum(len(t.examples) for t in scenario.examples) <= 20, scenario.name


def test_every_scenario_names_the_promises_that_it_proves() -> None:
    catalogue = {f"{part}-{i}.{j}" for part in ("ENV", "DEP", "IAC", "OBS", "SEC", "DR") for i in range(1, 4)
                 for j in range(1, 7)}  # fmt: skip
    for feature in get_features([str(FEATURES)]):
        for scenario in feature.scenarios.values():
            written = (scenario.tags | feature.tags) - {"static", "nightly", "resilience", "recovery", "performance"}
            tags = {tag for tag in written if not planning.says_how_far(tag) and not planning.says_what_is_needed(tag)}
            assert tags, scenario.name
            assert tags <= catalogue, scenario.name


def test_every_scenario_is_one_that_pytest_can_run() -> None:
    command = [sys.executable, "-m", "pytest", "features", "--collect-only", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=FEATURES.parent, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{SCENARIOS} tests collected" in done.stdout
