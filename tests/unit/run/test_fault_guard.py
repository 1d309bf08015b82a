"""How far a fault may reach, and for how long it may be there."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest

from drillbook.domain.environment import GuardSettings
from drillbook.domain.fault import CATALOGUE, OpenFault, Reach, overdue
from drillbook.domain.undo import Change, Stage
from drillbook.run import fault_guard
from drillbook.run.guard import Refused

KILL = CATALOGUE["kill-pod"]
ALLOWED = Reach(("us-east-1",), ("analytics",), taken=1, of=2)


def environment(**guard):
    settings = GuardSettings(**{"namespaces": ("analytics",), "pods_share": 0.5, **guard})
    return SimpleNamespace(guard=settings, regions={"us-east-1": None, "us-west-2": None})


@pytest.mark.parametrize(
    ("reach", "guard", "said"),
    [
        (
            replace(ALLOWED, namespaces=("analytics", "data")),
            {},
            "namespace data, which guard.namespaces does not list",
        ),
        (ALLOWED, {"regions": ("us-west-2",)}, "us-east-1, which guard.regions leaves out"),
        (Reach(("eu-west-1",), ("analytics",), 1, 2), {}, "eu-west-1, which guard.regions leaves out"),
        (ALLOWED, {"pods_share": 0.49}, "1 of 2 pods, and 49% may be"),
        (ALLOWED, {"pods_share": 1.0, "resilience_pods_share": 0.3}, "1 of 2 pods, and 30% may be"),
        # The fault itself says that it takes half at most, whatever the environment allows.
        (Reach(("us-east-1",), ("analytics",), 1, 1), {"pods_share": 1.0}, "1 of 1 pods, and 50% may be"),
        (Reach(("us-east-1",), ("analytics",), 1, 0), {"pods_share": 1.0}, "1 of 0 pods, and 50% may be"),
    ],
)
def test_a_fault_that_would_reach_too_far_is_refused(reach, guard, said):
    with pytest.raises(Refused, match=f"kill-pod is not made: it would (change|take away) {said}"):
        fault_guard.check(environment(**guard), KILL, reach, [])


def test_one_within_its_limits_is_allowed_and_a_second_one_beside_it_is_not():
    fault_guard.check(environment(), KILL, ALLOWED, [])
    with pytest.raises(Refused, match="drain-node is in the system already"):
        fault_guard.check(environment(), KILL, ALLOWED, [OpenFault(CATALOGUE["drain-node"], 0.0)])


def written(path, *changes):
    path.write_text("".join(json.dumps(change.as_document()) + "\n" for change in changes))
    return fault_guard.there(path)


def test_the_journal_tells_which_faults_are_there_and_since_when(tmp_path):
    path = tmp_path / "undo.jsonl"
    assert fault_guard.there(path) == []
    meant = Change(1, "run-1", "drill", "kill-pod", {"arguments": {}, "before": {"since_s": 1000.0}}, 7)
    switch = Change(2, "run-1", "drill", "switch-traffic", {"arguments": {}, "before": {}}, 7)
    assert written(path, meant, switch) == [OpenFault(KILL, 1000.0)]
    assert written(path, meant, meant.at(Stage.DONE)) == [OpenFault(KILL, 1000.0)]
    assert written(path, meant, meant.at(Stage.STUCK)) == [OpenFault(KILL, 1000.0)]
    assert written(path, meant, meant.at(Stage.UNDONE)) == []


def test_a_fault_that_is_there_for_longer_than_its_longest_life_stops_the_run():
    there = [OpenFault(CATALOGUE["drain-node"], 1100.0), OpenFault(KILL, 1000.0)]
    assert overdue(there, 1000.0 + KILL.longest_s) == ""
    assert overdue(there, 1000.1 + KILL.longest_s) == (
        "the fault kill-pod has been there for longer than 120 s, its longest life"
    )
    assert overdue([], 1e9) == ""
