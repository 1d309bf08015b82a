"""What Allure is told of a run."""

from __future__ import annotations

import json

import pytest
from sample import BROKEN, KEPT, SCENARIO, UNDECIDED, Sample

from drillbook.evidence import allure, folder


def results(run):
    return [json.loads(path.read_text()) for path in sorted(allure.render(run).glob("*-result.json"))]


@pytest.mark.parametrize(
    ("checks", "status"), [((KEPT,), "passed"), ((BROKEN, KEPT), "failed"), ((UNDECIDED,), "broken"), ((), "broken")]
)
def test_each_verdict_has_its_status(tmp_path, checks, status):
    (result,) = results(Sample(checks=checks).write(tmp_path))

    assert (result["name"], result["status"], result["stage"]) == (SCENARIO, status, "finished")
    assert [step["status"] for step in result["steps"]].count("passed") == checks.count(KEPT)
    assert bool(result["statusDetails"]) is (status != "passed")


def test_figures_are_told_at_their_objective(tmp_path):
    (result,) = results(Sample(checks=(BROKEN,)).write(tmp_path))
    figures = {each["name"]: each["value"] for each in result["steps"][0]["parameters"]}

    assert figures == {"measured": "3 to 5 requests", "promised": "at most 0 requests", "samples": "2000",
                       "source": "meter"}  # fmt: skip
    assert {label["value"] for label in result["labels"] if label["name"] == "story"} == {"DEP-2.1", "DEP-2.3"}


def test_what_is_wrong_with_the_run_is_a_result_of_its_own(tmp_path):
    found = results(Sample(run={"verdict": None}).write(tmp_path))

    assert {result["name"]: result["status"] for result in found} == {
        SCENARIO: "passed", "the run and its evidence": "broken",
    }  # fmt: skip


def test_history_is_by_scenario_and_files_are_by_run(tmp_path):
    (one,) = results(Sample().write(tmp_path / "a"))
    (again,) = results(tmp_path / "a")
    (other,) = results(Sample(run={"run_id": "another"}).write(tmp_path / "b"))

    assert one == again
    assert one["historyId"] == other["historyId"]
    assert one["uuid"] != other["uuid"]


def test_the_results_are_no_evidence_and_properties_stay_on_their_line(tmp_path):
    run = Sample(run={"versions": {"a b": "1\n2\\3"}}).write(tmp_path)
    before = folder.read(run).files
    allure.render(run)

    assert folder.read(run).files == before
    assert "version.a\\ b=1 2\\\\3\n" in (run / "allure" / "environment.properties").read_text()
