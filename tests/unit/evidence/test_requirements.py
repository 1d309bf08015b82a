"""What is promised, what scenarios say they prove, and whether both speak of the same things."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from drillbook.evidence import scenarios
from drillbook.evidence.requirements import CatalogueError, catalogue, parse
from features import scenarios as drilled

FEATURES = Path(__file__).parents[3] / "features"
CONTROLS = "nist: {name: NIST, controls: {CP-4: plans are tested}}"
ONE = "- {id: DR-1, title: Backup, requirements: {DR-1.1: {says: made daily, answers: {nist: [CP-4]}}}}"


def test_there_are_76_promises_each_with_its_own_id_and_control():
    ids = [requirement.id for requirement in catalogue().requirements]

    assert len(ids) == len(set(ids)) == 76
    assert all(requirement.says and requirement.controls for requirement in catalogue().requirements)
    assert len({requirement.says for requirement in catalogue().requirements}) == 76


def test_every_control_is_answered_for():
    answered = {control for requirement in catalogue().requirements for control in requirement.controls}

    assert answered == set(catalogue().controls)
    assert {"CP-2", "CP-4", "CP-9", "CP-9(1)", "CP-10", "CP-10(4)", "A1.3", "A.5.30", "8.5", "Art. 11(6)", "Art. 25",
            "(a)(7)(ii)(D)"} <= {control.id for control in answered}  # fmt: skip


def test_every_tag_of_the_features_is_a_promise():
    tags = {tag for path in FEATURES.rglob("*.feature") for tag in re.findall(r"@([A-Z][\w.-]*)", path.read_text())}

    assert tags
    assert tags <= set(catalogue().by_id())
    assert {id_ for scenario in scenarios.read(FEATURES) for id_ in scenario.requirements} == tags


@pytest.mark.parametrize(
    ("requirements", "complaint"),
    [
        (ONE + "\n" + ONE, "more than once"),
        (ONE.replace("CP-4", "CP-99"), "CP-99"),
        (ONE.replace("DR-1.1", "DR-2.1"), "stands under DR-1"),
        (ONE.replace("made daily", "made daily, tested"), "quote a statement"),
    ],
)
def test_a_catalogue_that_contradicts_itself_is_refused(requirements, complaint):
    assert len(parse(ONE, CONTROLS).requirements) == 1

    with pytest.raises(CatalogueError, match=complaint):
        parse(requirements, CONTROLS)


def test_a_promise_may_say_what_its_scenarios_do_not_show():
    told = parse(ONE.replace("made daily,", "made daily, unshown: by whom,"), CONTROLS).requirements

    assert [requirement.unshown for requirement in told] == ["by whom"]
    assert [requirement.unshown for requirement in parse(ONE, CONTROLS).requirements] == [""]


@pytest.mark.parametrize(
    ("id_", "says"),
    [
        ("DEP-3.3", "that a deployment of the platform's makes the backup: the drill makes it itself"),
        ("ENV-3.4", "that the platform fails over by itself: the drill notices the loss, decides and fails over"),
    ],
)
def test_what_the_drill_does_itself_is_no_doing_of_the_platform(id_, says):
    assert catalogue().by_id()[id_].unshown.startswith(says)


def test_oscal_writes_an_enhancement_with_a_dot():
    assert {c.oscal_id for c in catalogue().controls if c.id in {"CP-9(1)", "CP-4"}} == {"cp-9.1", "cp-4"}


def test_scenarios_have_the_names_under_which_runs_record_them(tmp_path):
    (tmp_path / "a.feature").write_text(
        "@DR-1.1\nFeature: F\n  Background:\n    Given all\n  Scenario: plain\n    When x\n    And <y>\n    Then z\n\n"
        "  Rule: R\n    Background:\n      Given some\n    @DR-1.2 @slow\n"
        "    Scenario Outline: of\n      Given <a>\n      But <c>\n"
        "      Examples:\n        | a | b |\n        | 1 | 2 |\n"
    )

    found = scenarios.read(tmp_path)

    assert [(s.name, s.requirements) for s in found] == [("plain", ("DR-1.1",)), ("of (1, 2)", ("DR-1.1", "DR-1.2"))]
    assert [s.sentences for s in found] == [
        ("given all", "when x", "when <y>", "then z"),
        ("given all", "given some", "given 1", "given <c>"),
    ]


def test_scenarios_have_the_sentences_that_their_runs_record():
    read = {(scenario.feature, scenario.name): scenario.sentences for scenario in scenarios.read(FEATURES)}

    assert read == {key: told.sentences for key, told in drilled.known().items()}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [(None, "there is no"), (b"nonsense", "cannot be read"), (b"\xff", "utf-8")],
)
def test_features_that_cannot_be_read_are_no_proof_of_anything(tmp_path, text, complaint):
    if text is not None:
        (tmp_path / "a.feature").write_bytes(text)

    with pytest.raises(scenarios.UnreadableFeatures, match=complaint):
        scenarios.read(tmp_path)


@pytest.mark.parametrize(
    "other",
    ["Scenario: plain\n    Given x\n", "Scenario: of (1, 2)\n    Given x\n", "Rule: R\n    Scenario: plain\n"],
)
def test_two_scenarios_of_one_title_prove_nothing_for_each_other(tmp_path, other):
    (tmp_path / "a.feature").write_text(
        "Feature: F\n  Scenario: plain\n    Given x\n  Scenario Outline: of\n    Given <a>\n"
        "    Examples:\n      | a | b |\n      | 1 | 2 |\n      | 2 | 1 |\n"
    )
    assert len(scenarios.read(tmp_path)) == 3
    (tmp_path / "b.feature").write_text(f"Feature: G\n  {other}")

    with pytest.raises(scenarios.UnreadableFeatures, match=r"two scenarios are called .*a\.feature and b\.feature"):
        scenarios.read(tmp_path)
