"""What a feature's text says, and whether a record of a drill is one of it."""

from __future__ import annotations

import pytest

from drillbook.domain import scenarios

TEXT = """
@DEP-1.1 @nightly
Feature: Doors
  Background:
    Given a house
    And its door
  @DEP-1.1 @pods-50
  Scenario Outline: A door is shut
    When it is shut within <limit> s
    Then nobody is <where>
    @DEP-2.3
    Examples:
      | limit | where  |
      | 3     | inside |
      | 5     | <odd>  |
"""
SAID = ("given a house", "when it is shut", "then nobody is inside", "then it is dark", "then all is well")


def test_each_example_is_a_scenario_with_all_that_is_above_it():
    first, second = scenarios.read(TEXT)
    assert (first.feature, first.name, first.title) == (
        "Doors",
        "A door is shut",
        "A door is shut (3, inside)",
    )
    assert first.tags == ("DEP-1.1", "nightly", "pods-50", "DEP-2.3")
    assert first.requirements == ("DEP-1.1", "DEP-2.3")
    assert first.sentences == (
        "given a house",
        "given its door",
        "when it is shut within 3 s",
        "then nobody is inside",
    )
    assert second.sentences[-1] == "then nobody is <odd>"


def test_a_text_without_a_feature_has_no_scenario():
    assert scenarios.read("# nothing yet\n") == ()


def test_what_is_no_gherkin_is_told():
    with pytest.raises(scenarios.UnreadableFeature, match="nor a door"):
        scenarios.read("neither a feature\nnor a door\n")


@pytest.mark.parametrize(
    ("spoken", "whole", "is_one"),
    [
        (SAID, True, True),
        (SAID[:2], True, False),
        (SAID[:2], False, True),
        ((), False, True),
        (("given a house", "when it is left"), False, False),
        ((*SAID, "then all is well"), False, False),
        (("given a house", "then it is dark"), False, True),
        (("given a house", "then it is dark"), True, False),
        (("given a house", "then nobody is inside", "then all is well"), False, True),
        (("given a house", "then all is well", "then nobody is inside"), False, False),
        (("given a house", "then it is bright"), False, False),
        (("when it is shut", "then it is dark"), False, False),
        (list(SAID), True, True),
    ],
)
def test_who_passed_has_spoken_all_of_it_and_anybody_else_may_have_been_ended(spoken, whole, is_one):
    assert scenarios.is_record_of(SAID, spoken, whole=whole) is is_one
