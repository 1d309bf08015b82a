"""A promise about named regions is not proved by regions of other names."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

from drillbook.domain.interval import Interval
from drillbook.domain.measurement import Measurement, Window
from drillbook.domain.verdict import Objective, Verdict, judge
from drillbook.run.environment import DIRECTORY, load
from tests.unit.features.test_steps import matching

TWIN = load(DIRECTORY / "twin.yaml", releases=False)
EAST, WEST = TWIN.regions.values()


def verdict_in(*regions) -> Verdict:
    judged = []

    def check(id_, statement, comparison, limit, measured):
        judged.append(judge(Objective(id_, statement, comparison, limit, measured.unit), measured).verdict)

    def counted(name, count, unit, source):
        return Measurement(name, Interval.exactly(count), unit, 1, Window(0.0, 1.0), source)

    environment = replace(TWIN, regions={region.name: region for region in regions})
    sentence = "the primary region is us-east-1, and the other one us-west-2"
    (step,) = matching("then", sentence)
    drill = SimpleNamespace(platform=SimpleNamespace(environment=environment), check=check, counted=counted)
    step.step_func(drill, **step.parser.parse_arguments(sentence))
    (verdict,) = judged
    return verdict


@pytest.mark.parametrize(
    ("regions", "expected"),
    [
        ((EAST, WEST), Verdict.PASS),
        ((replace(EAST, role="secondary"), replace(WEST, role="primary")), Verdict.FAIL),
        ((replace(EAST, name="eu-central-1"), WEST), Verdict.FAIL),
        ((EAST,), Verdict.FAIL),
        ((EAST, WEST, replace(WEST, name="us-east-2")), Verdict.FAIL),
    ],
)
def test_only_the_promised_regions_pass_for_them(regions, expected) -> None:
    assert verdict_in(*regions) is expected
