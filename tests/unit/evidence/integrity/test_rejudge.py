"""What is recorded, held against what the raw data say."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from drillbook.domain.interval import Interval
from drillbook.domain.measurement import Measurement, Window
from drillbook.domain.verdict import Judgement, Objective, Verdict, judge
from drillbook.evidence import rejudge
from drillbook.evidence.record import Check, DrillRecord, RunRecord
from drillbook.evidence.rejudge import Derived, Opinion, Rejudged

if TYPE_CHECKING:
    from typing import Any

OUTAGE = Objective("release.downtime", "no outage was longer than 0.25 s", "at_most", 0.25, "s", ("DEP-2.1",))
SEEN = Measurement("downtime", Interval(0.0, 0.02), "s", 6000, Window(0.0, 60.0), "meter", (), ("requests.parquet",))
PASSED = judge(OUTAGE, SEEN)


def recorded(*judgements: Judgement, verdict: Verdict = Verdict.PASS) -> DrillRecord:
    checks = tuple(Check(one, judge(one.objective, one.measurement)) for one in judgements)
    blank: Any = dict.fromkeys(DrillRecord.__dataclass_fields__, ())
    return DrillRecord(**blank | {"id": "cutover", "checks": checks, "recorded": verdict})


def opinion(one: Judgement, other: Judgement, verdict: Verdict = Verdict.PASS) -> Opinion:
    return rejudge.drill(recorded(one, verdict=verdict), Derived((other,)))


def test_what_agrees_agrees() -> None:
    found = opinion(PASSED, PASSED)
    assert (found.verdict, found.agreed, found.differences, found.lacking) == (Verdict.PASS, 1, (), ())


@pytest.mark.parametrize(
    ("other", "says"),
    [
        (judge(OUTAGE, replace(SEEN, interval=Interval(0.0, 0.03))), "the raw data say 0 to 0.03 s"),
        (judge(OUTAGE, replace(SEEN, interval=Interval(0.4, 0.5))), "recorded as PASS, and it is FAIL"),
        (judge(OUTAGE, replace(SEEN, interval=None)), "recorded as PASS, and it is INCONCLUSIVE"),
        (judge(OUTAGE, replace(SEEN, samples=5999)), "the raw data have 5999"),
        (judge(OUTAGE, replace(SEEN, window=Window(0.0, 50.0))), "another window"),
        (judge(OUTAGE, replace(SEEN, doubts=("the meter slept",))), "the meter slept"),
        (judge(replace(OUTAGE, limit=0.1), SEEN), "held against at most 0.25 s, and at most 0.1 s was promised"),
        (judge(replace(OUTAGE, requirements=("DEP-2.2",)), SEEN), "answers for DEP-2.1, and is about DEP-2.2"),
    ],
)
def test_whatever_differs_is_said(other: Judgement, says: str) -> None:
    (said,) = [text for text in opinion(PASSED, other).differences if text.startswith("release.downtime")]
    assert says in said


def test_a_rounding_of_the_last_place_is_none() -> None:
    assert opinion(PASSED, judge(OUTAGE, replace(SEEN, interval=Interval(0.0, 0.02 + 1e-12)))).differences == ()


def test_a_check_that_nobody_recorded_or_that_no_sentence_makes_is_said() -> None:
    failed = judge(OUTAGE, replace(SEEN, interval=Interval(0.4, 0.5)))
    found = rejudge.drill(recorded(PASSED), Derived((PASSED, failed)))
    assert found.verdict is Verdict.FAIL
    assert "that was not recorded" in found.differences[0]
    found = rejudge.drill(recorded(PASSED, PASSED), Derived((PASSED,)))
    assert "none of the drill's sentences makes such a check" in found.differences[0]


def test_what_was_measured_by_other_probes_cannot_be_told_from_what_was_changed() -> None:
    other = judge(OUTAGE, replace(SEEN, samples=5999))
    found = rejudge.drill(recorded(PASSED), Derived((other, PASSED), differences=("two files differ",)), same=False)
    assert found.differences == ("two files differ",)
    assert ["5999" in said or "not recorded" in said for said in found.lacking] == [True, True]
    assert rejudge.drill(recorded(PASSED), Derived((PASSED,)), same=False).lacking == ()


def test_a_drill_that_is_recorded_better_than_its_checks_is_said() -> None:
    failed = judge(OUTAGE, replace(SEEN, interval=Interval(0.4, 0.5)))
    (said,) = opinion(failed, failed).differences
    assert said == "the drill is recorded as PASS, and its checks say FAIL"


def test_doubts_and_nothing_at_all_prove_nothing() -> None:
    assert rejudge.drill(recorded(PASSED), Derived((PASSED,), doubts=("?",))).verdict is Verdict.INCONCLUSIVE
    assert rejudge.drill(recorded(), Derived(())).verdict is Verdict.INCONCLUSIVE


def test_what_cannot_be_derived_agrees_with_nothing() -> None:
    lacking = rejudge.drill(recorded(PASSED), Derived((), lacking=("no answers were kept",)))
    assert Rejudged(Verdict.PASS, (lacking,)).agreement is Verdict.INCONCLUSIVE
    assert Rejudged(Verdict.PASS, ()).agreement is Verdict.INCONCLUSIVE
    assert Rejudged(Verdict.PASS, (opinion(PASSED, PASSED),)).agreement is Verdict.PASS


def test_a_run_that_lacks_a_drill_proves_nothing_and_is_said_to_lack_it() -> None:
    blank: Any = dict.fromkeys(RunRecord.__dataclass_fields__, ())
    one = opinion(PASSED, PASSED)
    for verdict, differences in ((Verdict.INCONCLUSIVE, 1), (Verdict.PASS, 3)):
        said = RunRecord(**blank | {"recorded": verdict, "exit_code": verdict.exit_code, "missing": ("two",)})
        found = rejudge.run(said, [one], interrupted=False, left_changed=False, signed=None)
        assert (found.verdict, len(found.differences)) == (Verdict.INCONCLUSIVE, differences)
        assert found.differences[0] == "two was asked for and left no record"
