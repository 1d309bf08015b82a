"""Whether the public is served is asked many times over, for only some of its ways may lead nowhere."""

from __future__ import annotations

from itertools import count
from types import SimpleNamespace
from typing import Any, cast

import pytest

from drillbook.platform import Platform
from drillbook.ports import Unreachable


def platform(answer) -> Platform:
    """One whose user is answered so, by the number of the request and its path."""
    numbers = count(1)
    ports: Any = dict.fromkeys(
        ("clock", "router", "releaser", "cluster", "metrics", "series", "store", "left", "lock", "workload", "smoke")
    )
    environment = SimpleNamespace(workload=SimpleNamespace(health_paths=("/healthz", "/readyz")))
    client = SimpleNamespace(get=lambda path: SimpleNamespace(status=answer(next(numbers), path)))
    return Platform(environment=cast("Any", environment), client=cast("Any", client), **ports)


def test_the_public_is_served_when_every_path_answers_well_on_many_connections() -> None:
    asked = []
    assert platform(lambda number, path: asked.append((number, path)) or 200).unserved() == ""
    assert len(asked) == 20
    assert {path for _, path in asked} == {"/healthz", "/readyz"}


@pytest.mark.parametrize("which", [1, 13, 20])
def test_one_connection_that_leads_nowhere_is_enough(which) -> None:
    def answer(number, _path):
        if number == which:
            raise Unreachable("no way")
        return 200

    assert platform(answer).unserved() == "the public is not served: no way"


def test_an_answer_that_is_not_well_is_told() -> None:
    found = platform(lambda _, path: 503 if path == "/readyz" else 200).unserved()
    assert found == "the public is not served: /readyz answered 503"
