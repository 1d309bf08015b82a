"""Several experiments, run as one before anything is put back."""

from __future__ import annotations

from pathlib import Path

import pytest

from drillbook.run import experiment

EXPERIMENTS = Path(__file__).resolve().parents[3] / "experiments"
BOTH = [EXPERIMENTS / "failover.yaml", EXPERIMENTS / "failback.yaml"]


def test_the_second_follows_the_first_and_is_put_back_with_it() -> None:
    made = experiment._render(BOTH, {"how": "cut"})
    names = [activity["name"] for activity in made["method"]]
    assert names.index("move-traffic") < names.index("end-fault") < names.index("switch-back")
    assert [activity["name"] for activity in made["rollbacks"]] == ["put-back"]
    assert made["configuration"] == {"how": "cut"}
    assert made["title"] == "Fail over to the other region, then: Rebuild the lost region and hand its place back"


def test_a_value_that_nobody_gives_or_nobody_wants_is_told_with_both_names() -> None:
    with pytest.raises(ValueError, match=r"failover\.yaml and failback\.yaml needs values for how"):
        experiment._render(BOTH, {})
    with pytest.raises(ValueError, match=r"failover\.yaml and failback\.yaml has no configuration what"):
        experiment._render(BOTH, {"how": "cut", "what": "nothing"})
