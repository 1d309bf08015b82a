"""Which scenarios pytest drills, and what they are called."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pytest_bdd.scenario import scenario_wrapper_template_registry

from drillbook.afterwards import signers
from drillbook.domain import titles
from drillbook.run import planning
from drillbook.run.resumption import Earlier, NotResumable, earlier, not_passed
from features import scenarios

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_bdd.parser import ScenarioTemplate

    from drillbook.domain.environment import Environment


def scenario_of(item: pytest.Item) -> ScenarioTemplate | None:
    """The scenario that an item is; None when it is something else."""
    function = getattr(item, "obj", None)
    return scenario_wrapper_template_registry.get(function) if function is not None else None


def is_static(item: pytest.Item) -> bool:
    """Whether it needs no platform."""
    return planning.STATIC in _tags(item)


def loses_region(item: pytest.Item) -> bool:
    """Whether it takes the whole primary region away."""
    return bool(planning.REGION_LOSSES & _tags(item))


def keep(items: list[pytest.Item], only: set[str]) -> None:
    """Of the scenarios those of these features; all when none is named.

    Raises:
        UsageError: When there is no such feature.
    """
    names = only - {planning.OFFERED}
    known = {name for item in items if scenario_of(item) is not None for name in (stem(item), *_class(item))}
    # Where no scenario is known at all, they could not be read, and pytest says why.
    if known and (unknown := names - known):
        told = f"there is no feature {', '.join(sorted(unknown))}; there are {', '.join(sorted(known))}"
        raise pytest.UsageError(f"--only: {told}")
    if names:
        items[:] = [item for item in items if scenario_of(item) is None or {stem(item), *_class(item)} & names]


def resumed(config: pytest.Config, environment: Environment, items: list[pytest.Item], plan: str) -> Earlier | None:
    """The run to go on with; what came to its end there is not drilled again.

    Args:
        config: With the option `--resume`.
        environment: Where it is gone on with.
        items: What is drilled; those that were are taken out.
        plan: Digest of what would be done.

    Raises:
        NotResumable: When that run cannot be gone on with.
    """
    if not (path := config.getoption("--resume")):
        return None
    found = earlier(Path(path), environment, [title(item) for item in items], now_s=time.time(), plan=plan)
    try:
        found = dataclasses.replace(found, envelope=signers.envelope_of(environment, found.path))
    except signers.NotAsSigned as error:
        raise NotResumable(f"{found.path.name} cannot be gone on with: {error}") from error
    done = [item for item in items if title(item) in found.scenarios]
    if len(done) == len(items):
        raise NotResumable(f"{found.path.name} has drilled all that was asked for")
    _leave_out(config, items, done)
    return found


def keep_not_passed(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Of the scenarios those that did not pass, as they are now, in the run of the option `--again`.

    Raises:
        NotResumable: When there is no such run, or it leaves nothing to drill.
    """
    if path := config.getoption("--again"):
        names = not_passed(Path(path), {name: told.sentences for (_, name), told in scenarios.known().items()})
        _leave_out(
            config, items, [item for item in items if scenario_of(item) is not None and title(item) not in names]
        )


def leave_out_unasked(
    config: pytest.Config, items: list[pytest.Item], environment: Environment, only: set[str]
) -> None:
    """What is drilled only where the environment has what it needs, or where it is asked for."""
    unoffered: set[str] = set()
    if planning.OFFERED in only:
        unoffered = {
            drill.title
            for drill in planning.drills(scenarios.FEATURES)
            if planning.lacks_its_release(drill, environment)
        }
    left_out = [
        item
        for item in items
        if scenario_of(item) is not None
        and (title(item) in unoffered or not planning.is_drilled(stem(item), _tags(item), environment, only))
    ]
    _leave_out(config, items, left_out)


def _leave_out(config: pytest.Config, items: list[pytest.Item], left_out: Sequence[pytest.Item]) -> None:
    """As pytest does it, which counts and tells them."""
    if left_out:
        items[:] = [item for item in items if item not in left_out]
        config.hook.pytest_deselected(items=left_out)


def stem(item: pytest.Item) -> str:
    """Name of the feature's file, by which it is asked for; empty for what is no scenario."""
    scenario = scenario_of(item)
    return Path(scenario.feature.filename).stem if scenario is not None else ""


def _class(item: pytest.Item) -> set[str]:
    """Under which names other than its feature's it is asked for."""
    return planning.CLASSES & _tags(item)


def _tags(item: pytest.Item) -> set[str]:
    scenario = scenario_of(item)
    return set(scenario.tags | scenario.feature.tags) if scenario is not None else set()


def title(item: pytest.Item) -> str:
    """The scenario's name, with its example's values."""
    callspec = getattr(item, "callspec", None)
    example = callspec.params.get("_pytest_bdd_example", {}) if callspec is not None else {}
    scenario = scenario_of(item)
    name = scenario.name if scenario is not None else item.name
    return titles.title(name, [str(value) for value in example.values()])


def collected(items: Sequence[pytest.Item]) -> list[tuple[str, str]]:
    """What pytest means to drill, by feature and scenario."""
    return [(stem(item), scenario.name) for item in items if (scenario := scenario_of(item)) is not None]
