"""Conditions of rules mean here what they mean on GitLab."""

from __future__ import annotations

import pytest

from drillbook.domain.pipeline_rules import NotAnExpression, asks, holds

SET = {"A": "yes", "EMPTY": "", "CI_COMMIT_TAG": "v1.2.0"}


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("$A", True), ("$NONE", False), ("$EMPTY", False), ("${A}", True),
        ('$A == "yes"', True), ("$A == 'no'", False), ('$A != "no"', True), ('"yes" == $A', True), ("$A == $A", True),
        ("$NONE == null", True), ("$A != null", True), ('$EMPTY == ""', True), ("$EMPTY == null", False),
        ('"x" == "x"', True), ('"" != ""', False), ('"$A" == "yes"', False),
        ("$CI_COMMIT_TAG =~ /^v\\d+/", True), ("$CI_COMMIT_TAG !~ /^v/", False), ("$CI_COMMIT_TAG =~ /^V/i", True),
        ("$NONE =~ /x/", False),
        ("$NONE || $A", True), ("$NONE && $A", False), ("$A || $NONE && $NONE", True),
        ("($A || $NONE) && $NONE", False),
        (' $A=="yes"&&($NONE||$A) ', True),
    ],
)  # fmt: skip
def test_it_holds_where_gitlab_says_so(expression, expected) -> None:
    assert holds(expression, SET) is expected


@pytest.mark.parametrize(
    "expression",
    ["", "$A ==", "== $A", "($A", "$A)", "$A = 1", "$A =~ /(/", "$A =~ /x/m", "$A $A", "(" * 5000, "$A ==" * 400],
)
def test_what_is_none_is_refused(expression) -> None:
    with pytest.raises(NotAnExpression):
        holds(expression, SET)


def test_what_a_condition_asks_for() -> None:
    found = asks('$CI_X == "a" && ($B || "c" != $D) && $E =~ /^rel/')
    assert found == {"CI_X": {"a"}, "B": set(), "D": {"c"}, "E": {"rel"}}
