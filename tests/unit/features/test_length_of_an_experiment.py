"""An experiment with a release is not ended while it waits for what its environment makes it wait for."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from drillbook.domain.canary import Plan
from drillbook.domain.environment import Strategy
from drillbook.drills import fault, migration, release
from drillbook.drills.drill import Drill


@pytest.fixture
def within_s(tmp_path, monkeypatch):
    """How long the experiment of a sentence may take in an environment."""
    asked: list[float] = []
    monkeypatch.setattr(Drill, "run_experiment", lambda *_, deadline_s, **_given: asked.append(deadline_s))

    def told(act, *, watch_s=20.0, scrape_s=1.0, release_s=120.0, way_s=120.0) -> float:
        strategy = Strategy(watch_s=watch_s, drain_s=30.0, canary=Plan(steps=(50, 100), hold_s=10.0))
        platform = SimpleNamespace(
            environment=SimpleNamespace(
                name="here",
                strategy=strategy,
                releases=SimpleNamespace(deadline_s=release_s),
                metrics=SimpleNamespace(scrape_interval_s=scrape_s),
                primary=SimpleNamespace(name="us-east-1"),
            ),
            version_of=str,
            faults=SimpleNamespace(lacks=lambda _name: ""),
            migration=SimpleNamespace(
                settings=SimpleNamespace(
                    newer="1.1.0",
                    deadline_s=way_s,
                    progress="backfill",
                    table=SimpleNamespace(unfilled="total IS NULL"),
                )
            ),
        )
        session = SimpleNamespace(folder=SimpleNamespace(drill=tmp_path.joinpath))
        act(Drill(*cast("Any", (session, platform, "d", "f", "s", "", (), None, None, 1000.0))))
        return asked[-1]

    return told


RELEASES = {
    "cutover": lambda drill: release.cut_over(drill, "1.1.0"),
    "rollback": lambda drill: release.cut_over_and_order_back(drill, "1.1.0", 10.0),
    "canary": lambda drill: release.try_as_canary(drill, "1.1.0"),
    "update": lambda drill: release.update_in_place(drill, "1.1.0", 10.0),
    "under a fault": lambda drill: fault.undergo(drill, SimpleNamespace(name="kill-pod"), "1.1.0"),
}
MIGRATIONS = {
    "migration": lambda drill: migration.prove(drill, "1.1.0", 3.0),
    "backfill": lambda drill: migration.kill_backfill(drill, 1000),
}


@pytest.mark.parametrize("act", RELEASES.values(), ids=RELEASES)
def test_a_long_watch_and_scrapes_that_are_far_apart_are_waited_for(within_s, act):
    usual = within_s(act)
    assert within_s(act, watch_s=600.0) >= usual + 580.0
    assert within_s(act, scrape_s=25.0) >= usual + 4.5 * 24.0


@pytest.mark.parametrize("act", [*RELEASES.values(), *MIGRATIONS.values()], ids=[*RELEASES, *MIGRATIONS])
def test_a_release_that_may_take_long_is_waited_for_and_so_is_its_way_back(within_s, act):
    assert within_s(act, release_s=600.0) >= within_s(act) + 4 * 480.0


@pytest.mark.parametrize("act", MIGRATIONS.values(), ids=MIGRATIONS)
def test_each_way_of_a_migration_is_waited_for(within_s, act):
    assert within_s(act, way_s=600.0) >= within_s(act, way_s=0.0) + 4 * 600.0
