"""What a sentence does: said once more by whoever judges a run again, or goes on where another sentence has raised."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from pytest_bdd.steps import step_function_context_registry

import features.steps
from drillbook.drills import replay

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pytest_bdd.steps import StepFunctionContext

    from drillbook.drills.drill import Drill
    from drillbook.drills.inspection import Inspection


_Step = TypeVar("_Step", bound=Callable[..., None])
_ANYWAY: set[Callable[..., None]] = set()


def promised_anyway(step: _Step) -> _Step:
    """Mark the step of a sentence that promises what has to be so however far the drill came.

    What users were told is kept has to be kept, whatever broke off. How they were served is promised of what was
    drilled.
    """
    _ANYWAY.add(step)
    return step


def is_promised_anyway(text: str) -> bool:
    """Whether a sentence, without `then` before it, promises such a thing."""
    return any(step.step_func in _ANYWAY for step in _steps("then") if step.parser.is_matching(text))


def say(about: Drill | Inspection, text: str, kind: str = "then") -> None:
    """Do what the sentence's step does; raises what that raises.

    Args:
        about: Whose sentence it is.
        text: What it says, without `given`, `when` or `then` before it.
        kind: Which of these it is.

    Raises:
        NotKept: When no step of this version knows the sentence, or more than one does.
    """
    found = [step for step in _steps(kind) if step.parser.is_matching(text)]
    if len(found) != 1:
        raise replay.NotKept(f"{len(found)} steps of this version know the sentence")
    (step,) = found
    arguments: Mapping[str, Any] = step.parser.parse_arguments(text) or {}
    converted = {name: step.converters.get(name, lambda value: value)(value) for name, value in arguments.items()}
    step.step_func(about, **converted)


def _steps(kind: str) -> Iterator[StepFunctionContext]:
    for module in pkgutil.iter_modules(features.steps.__path__, "features.steps."):
        importlib.import_module(module.name)
    for step in {id(step): step for step in step_function_context_registry.values()}.values():
        if step.type == kind and step.step_func.__module__.startswith("features.steps."):
            yield step
