"""What a run's OSCAL documents say, and what our own check of them finds."""

from __future__ import annotations

import copy
import json

import pytest
from sample import BROKEN, KEPT, UNDECIDED, Sample

from drillbook.evidence import folder, oscal, oscal_checks
from drillbook.evidence.requirements import catalogue

CONTROLS = {control.oscal_id for control in catalogue().controls}


def assess(path, **changes):
    return oscal.assess(folder.read(Sample(**changes).write(path)), catalogue(), "1.2.1")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return assess(tmp_path_factory.mktemp("run"))


@pytest.fixture
def made(whole):
    return copy.deepcopy(whole)


@pytest.mark.parametrize(
    ("checks", "state", "reason"),
    [
        ((KEPT,), "satisfied", "pass"),
        ((BROKEN, KEPT), "not-satisfied", "fail"),
        ((UNDECIDED,), "not-satisfied", "other"),
        ((), "not-satisfied", "other"),
    ],
)
def test_inconclusive_is_not_satisfied_for_another_reason(tmp_path, checks, state, reason):
    made = assess(tmp_path, checks=checks)
    findings = made.results["results"][0]["findings"]

    assert [finding["target"]["target-id"] for finding in findings] == ["drillbook_DEP-2.1", "drillbook_DEP-2.3"]
    assert {(f["target"]["status"]["state"], f["target"]["status"]["reason"]) for f in findings} == {(state, reason)}
    assert oscal_checks.faults(made, CONTROLS) == []


def test_what_the_drills_do_not_show_of_a_promise_stands_beside_its_finding(tmp_path):
    made = assess(tmp_path, drill={"requirements": ["DEP-2.1", "DEP-3.3"]})
    unshown = f"Not shown: {catalogue().by_id()['DEP-3.3'].unshown}."

    findings = made.results["results"][0]["findings"]
    assert [finding.get("remarks") for finding in findings] == [None, None, unshown]
    assert [one.get("remarks") for one in made.plan["local-definitions"]["objectives-and-methods"]] == [
        None,
        None,
        unshown,
    ]
    assert oscal_checks.faults(made, CONTROLS) == []


def test_figures_are_not_rounded(made):
    observation = made.results["results"][0]["observations"][0]
    figures = {prop["name"]: prop["value"] for prop in observation["props"]}

    assert figures["limit"] == "at_most 0.0 requests"
    assert (figures["low"], figures["high"], figures["samples"]) == ("0.0", "0.0", "2000")


def test_raw_data_is_named_with_its_digest(made):
    resources = {each["uuid"]: each for each in made.results["back-matter"]["resources"]}
    link = made.results["results"][0]["observations"][0]["relevant-evidence"][0]["href"]
    raw = resources[link.removeprefix("#")]["rlinks"][0]

    assert raw["href"].endswith("load/requests.parquet")
    assert len(raw["hashes"][0]["value"]) == 64


def test_the_same_run_gives_the_same_documents(tmp_path, made):
    again = assess(tmp_path / "a")
    other = assess(tmp_path / "b", run={"run_id": "another"})

    assert json.dumps(again.results) == json.dumps(made.results)
    assert not {*ids(again.results)} & {*ids(other.results)}


def ids(node):
    if isinstance(node, dict):
        yield from [node["uuid"]] if "uuid" in node else []
        yield from (id_ for value in node.values() for id_ in ids(value))
    elif isinstance(node, list):
        yield from (id_ for item in node for id_ in ids(item))


def test_a_run_about_nothing_that_is_promised_has_nothing_to_assess(tmp_path):
    with pytest.raises(oscal.NothingToAssess, match="about a requirement"):
        assess(tmp_path / "a", checks=(), drill={"requirements": ["ZZ-1.1"]})
    with pytest.raises(oscal.NothingToAssess, match="no calendar"):
        assess(tmp_path / "b", run={"finished_s": 1e300})


def result(made):
    return made.results["results"][0]


def finding(made):
    return result(made)["findings"][0]


NOWHERE = "00000000-0000-5000-8000-000000000000"


def dangling_observation(made):
    finding(made)["related-observations"][0]["observation-uuid"] = NOWHERE


def observation_that_is_a_task(made):
    finding(made)["related-observations"][0]["observation-uuid"] = made.plan["tasks"][0]["uuid"]


def dangling_subject(made):
    result(made)["observations"][0]["subjects"][0]["subject-uuid"] = NOWHERE


def dangling_party(made):
    made.results["metadata"]["responsible-parties"][0]["party-uuids"] = [NOWHERE]


def link_to_no_resource(made):
    made.results["import-ap"]["href"] = f"#{NOWHERE}"


def unknown_control(made):
    made.plan["reviewed-controls"]["control-selections"][0]["include-controls"].append({"control-id": "cp-99"})


def unknown_objective(made):
    finding(made)["target"]["target-id"] = "drillbook_DEP-9.9"


def unanswered_objective(made):
    del result(made)["findings"][0]


def two_answers(made):
    result(made)["findings"].append(finding(made))


def no_status(made):
    del finding(made)["target"]["status"]


def no_reason(made):
    del finding(made)["target"]["status"]["reason"]


def state_against_its_reason(made):
    finding(made)["target"]["status"]["reason"] = "other"


def satisfied_without_looking(made):
    del finding(made)["related-observations"]


def component_without_status(made):
    del made.plan["local-definitions"]["components"][0]["status"]


def role_of_nobody(made):
    result(made)["assessment-log"]["entries"][0]["logged-by"][0]["role-id"] = "king"


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (dangling_observation, f"results: observation-uuid {NOWHERE} leads nowhere"),
        (observation_that_is_a_task, "leads to one of tasks, not of observations"),
        (dangling_subject, f"results: subject-uuid {NOWHERE} leads nowhere"),
        (dangling_party, f"results: party-uuids {NOWHERE} leads nowhere"),
        (link_to_no_resource, f"results: link #{NOWHERE} leads to no resource"),
        (unknown_control, "plan: control cp-99 is not in the catalogue"),
        (unknown_objective, "objective drillbook_DEP-9.9 is defined nowhere"),
        (unanswered_objective, "objective drillbook_DEP-2.1 was to be shown, and there is no finding about it"),
        (two_answers, "objective drillbook_DEP-2.1 has more than one finding"),
        (no_status, "has no status"),
        (no_reason, "does not say why it is satisfied"),
        (state_against_its_reason, "is satisfied for the reason other"),
        (satisfied_without_looking, "is satisfied, and nothing was observed"),
        (component_without_status, "component twin has no status"),
        (role_of_nobody, "role king is not one of the document"),
    ],
)
def test_each_fault_is_found(made, damage, complaint):
    assert oscal_checks.faults(made, CONTROLS) == []

    damage(made)

    assert any(complaint in fault for fault in oscal_checks.faults(made, CONTROLS))
