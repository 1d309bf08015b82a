"""A change that was made in another environment is not undone in this one."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

from drillbook.domain.undo import Change
from drillbook.platform import Platform
from drillbook.wiring import read_environment

TWIN = read_environment("twin")
CHANGE = Change(1, "run-1", "drill", "switch-traffic", {"arguments": {"slot": "green"}}, 1, target=TWIN.target)


def platform(environment):
    router = SimpleNamespace(backends=lambda: {"blue": "b", "green": "g"})
    others = dict.fromkeys(Platform.__slots__)
    return Platform(**{**others, "environment": environment, "router": router})


def test_our_own_and_one_from_before_targets_were_written_down_are_undone_here():
    assert platform(TWIN).make(CHANGE).name == "switch-traffic"
    assert platform(TWIN).make(replace(CHANGE, target="")).name == "switch-traffic"
    assert platform(replace(TWIN, name="another name of it")).make(CHANGE).name == "switch-traffic"


def test_that_of_another_route_is_not():
    elsewhere = replace(TWIN, router=replace(TWIN.router, namespace="elsewhere"))
    with pytest.raises(
        ValueError, match="made in slots of analytics, route analytics/analytics, and this environment is"
    ):
        platform(elsewhere).make(CHANGE)


def test_a_canarys_change_is_made_again_with_every_weight_that_it_may_have_declared():
    arguments = {"arguments": {"slot": "green", "steps": [5, 50, 100]}}
    action = platform(TWIN).make(replace(CHANGE, action="shift-traffic", arguments=arguments))
    assert (action.name, action.arguments) == ("shift-traffic", arguments["arguments"])
