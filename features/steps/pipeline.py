"""The pipeline that releases the platform, and its gate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_bdd import given, parsers, then, when

if TYPE_CHECKING:
    from drillbook.drills.inspection import Inspection


@given("the files of the platform's pipeline")
def _(inspection: Inspection) -> None:
    inspection.read_pipeline()


@then(parsers.parse("each way to production waits for tests of at least {stages:d} stages"))
def _(inspection: Inspection, stages: int) -> None:
    inspection.check_tests(stages)


@then("each way to production waits for a scan of each kind that fails on a finding")
def _(inspection: Inspection) -> None:
    inspection.check_scanners()


@then("each way to production waits for a gate behind a drill, which blocks on FAIL and on INCONCLUSIVE")
def _(inspection: Inspection) -> None:
    inspection.check_gate()


@then("each way to production waits for a person, who is asked after the gate")
def _(inspection: Inspection) -> None:
    inspection.check_approval()


@then("each schedule drills, fails on FAIL, warns of INCONCLUSIVE, keeps the evidence and puts back")
def _(inspection: Inspection) -> None:
    inspection.check_nightly()


@when(parsers.parse("the gate is asked about a run that {ending}"))
def _(inspection: Inspection, ending: str) -> None:
    inspection.ask_gate(ending)


@then("it lets the release through")
def _(inspection: Inspection) -> None:
    inspection.check_answer(opens=True)


@then("it keeps the release back")
def _(inspection: Inspection) -> None:
    inspection.check_answer(opens=False)
