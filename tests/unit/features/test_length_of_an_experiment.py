"""An experiment with a release is not ended while it waits for what its environment makes it wait for."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from drillbook.domain.canary import Plan
from drillbook.domain.environment import Strategy
from drillbook.drills import fault, release
from drillbook.drills.drill import Drill


@pytest.fixture
def within_s(tmp_path, monkeypatch):
    """How long the experiment of a sentence may take in an environment."""
    asked: list[float] = []
    monkeypatch.setattr(Drill, "run_experiment", lambda *_, deadline_s, **_given: asked.append(deadline_s))

    def told(act, *, watch_s: float, scrape_s: float) -> float:
        strategy = Strategy(watch_s=watch_s, drain_s=30.0, canary=Plan(steps=(50, 100), hold_s=10.0))
        platform = SimpleNamespace(
            environment=SimpleNamespace(
                name="here",
                strategy=strategy,
                metrics=SimpleNamespace(scrape_interval_s=scrape_s),
                primary=SimpleNamespace(name="us-east-1"),
            ),
            version_of=str,
            faults=SimpleNamespace(lacks=lambda _name: ""),
        )
        session = SimpleNamespace(folder=SimpleNamespace(drill=tmp_path.joinpath))
        act(Drill(*cast("Any", (session, platform, "d", "f", "s", "", (), None, None, 1000.0))))
        return asked[-1]

    return told


@pytest.mark.parametrize(
    "act",
    [
        lambda drill: release.cut_over(drill, "1.1.0"),
        lambda drill: release.cut_over_and_order_back(drill, "1.1.0", 10.0),
        lambda drill: release.try_as_canary(drill, "1.1.0"),
        lambda drill: fault.undergo(drill, SimpleNamespace(name="kill-pod"), "1.1.0"),
    ],
    ids=["cutover", "rollback", "canary", "under a fault"],
)
def test_a_long_watch_and_scrapes_that_are_far_apart_are_waited_for(within_s, act):
    usual = within_s(act, watch_s=20.0, scrape_s=1.0)
    assert within_s(act, watch_s=600.0, scrape_s=1.0) >= usual + 580.0
    assert within_s(act, watch_s=20.0, scrape_s=25.0) >= usual + 4.5 * 24.0
