"""pytest's side of the drills: options, tags as marks, and the steps.

Everything else that a run of drills needs is in `features/conftest.py`, so that unit tests do not load it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from drillbook.domain import scenarios
from drillbook.run import planning

if TYPE_CHECKING:
    from collections.abc import Callable

pytest_plugins = [
    "features.steps.backup",
    "features.steps.canary",
    "features.steps.crossing",
    "features.steps.fault",
    "features.steps.layers",
    "features.steps.load",
    "features.steps.migration",
    "features.steps.performance",
    "features.steps.pipeline",
    "features.steps.platform",
    "features.steps.recovery",
    "features.steps.release",
    "features.steps.restore",
    "features.steps.slo",
    "features.steps.state",
    "features.steps.workers",
]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options of `pytest features/`, the same as those of `drillbook verify`."""
    group = parser.getgroup("drills")
    group.addoption("--environment", default="twin", help="Name in environments/, or a file's path.")
    group.addoption("--only", default="", help="Features to drill, by file name and with commas: cutover,rollback.")
    group.addoption("--lock-wait", type=float, default=0.0, help="Seconds to wait for somebody else's run.")
    group.addoption("--production-allowed", action="store_true", help="Allow drills in a production environment.")
    group.addoption("--approval", default="", help="File with the approval of a production run.")
    group.addoption("--resume", default="", help="Folder of a run that was ended before its time, to go on with.")
    group.addoption("--again", default="", help="Folder of a run; drilled is what did not pass in it.")
    group.addoption("--begun", type=int, default=-1, help="File descriptor that is told the run's folder; for verify.")
    group.addoption("--runs", default="", help="Where run folders are made; reports/runs when left out.")


def pytest_configure(config: pytest.Config) -> None:
    """Tags of the features become this mark."""
    config.addinivalue_line("markers", "resilience: a scenario that makes a fault; drilled where it is asked for")
    config.addinivalue_line("markers", "nightly: a scenario that takes minutes; drilled where it is asked for")
    config.addinivalue_line("markers", "performance: a scenario that gives more load than usual; likewise")
    config.addinivalue_line("markers", "static: a scenario about files, which needs no platform")
    config.addinivalue_line("markers", "recovery: a scenario that needs an environment which says how it is recovered")
    config.addinivalue_line("markers", "destructive: a scenario that takes away what users rest on")
    config.addinivalue_line("markers", "requirement(id): the promise that a scenario proves, for example DEP-2.1")


def pytest_bdd_apply_tag(tag: str, function: Callable[..., Any]) -> bool | None:
    """A requirement's id is no Python name, so it becomes an argument of one mark."""
    if scenarios.is_requirement(tag):
        pytest.mark.requirement(tag)(function)
        return True
    # How far a scenario reaches, and what it loses, is no mark either: the plan of the run knows it.
    return True if planning.says_how_far(tag) or planning.says_what_is_needed(tag) else None
