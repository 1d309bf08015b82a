"""How another tool's releases are judged, and what it may do on the twin."""

from __future__ import annotations

import math
import sys
from typing import Any

import pytest

from benchmarks.peers import __main__ as peers
from benchmarks.peers import flagger, harm
from benchmarks.peers import flagger_objects as objects


def row(done_s: float, outcome: str, version: str) -> dict[str, Any]:
    return {"done_s": done_s, "outcome": outcome, "version": version}


def test_the_way_back_counts_from_the_first_bad_answer_to_the_last_of_that_release() -> None:
    rows = [
        row(1.0, "ok", "2"), row(2.0, "server_error", "2"), row(1.5, "ok", "1"), row(5.0, "ok", "2"),
        row(9.0, "ok", "1"), row(math.nan, "timeout", ""),
    ]  # fmt: skip
    assert harm.harm(rows, "2") == harm.Harm(requests=6, bad=2, answered=3, seconds=3.0)


def test_a_release_without_a_bad_answer_has_no_way_back() -> None:
    assert math.isnan(harm.harm([row(1.0, "ok", "2")], "2").seconds)


@pytest.mark.parametrize(
    ("bad", "false", "back", "why"),
    [
        ({"drillbook": 5, "flagger": 25}, {"drillbook": 0, "flagger": 0}, True, ""),
        ({"drillbook": 6, "flagger": 25}, {"drillbook": 0, "flagger": 0}, True, "not 5 times fewer"),
        ({"drillbook": 0, "flagger": 0}, {"drillbook": 0, "flagger": 0}, True, "nothing to compare"),
        ({"drillbook": 1, "flagger": 25}, {"drillbook": 1, "flagger": 0}, True, "were aborted"),
        ({"drillbook": 1, "flagger": 25}, {"drillbook": 0, "flagger": 0}, False, "not every bad release"),
    ],
)
def test_the_target_is_missed_for_a_reason(bad: dict[str, int], false: dict[str, int], back: bool, why: str) -> None:
    found = flagger.shortfall(bad, false, {"drillbook": back, "flagger": True})
    assert why in found
    assert bool(found) == bool(why)


def test_flagger_may_touch_nothing_but_its_namespace() -> None:
    kinds = {each["kind"] for each in objects.account()}
    assert kinds == {"ServiceAccount", "Role", "RoleBinding"}
    assert {each["metadata"]["namespace"] for each in objects.account()} == {objects.NAMESPACE}


def test_the_release_on_trial_has_its_flaw_and_no_other() -> None:
    container = {
        "image": "r:5000/analytics:1.0.0", "env": [{"name": "SLOT", "value": "blue"}, {"name": "DEFECT_DELAY_MS"}],
    }  # fmt: skip
    pod: dict[str, Any] = {
        "containers": [container],
        "terminationGracePeriodSeconds": 9,
        "securityContext": {},
        "volumes": [],
    }
    made = objects.release({"spec": {"template": {"spec": pod}}}, "1.2.0-bad", 3, 0.1)["spec"]["template"]
    assert made["spec"]["containers"][0]["image"] == "r:5000/analytics:1.2.0-bad"
    assert made["spec"]["containers"][0]["env"] == [
        {"name": "SLOT", "value": "blue"}, {"name": "DEFECT_ERROR_SHARE", "value": "0.1"},
    ]  # fmt: skip
    assert made["metadata"]["annotations"] == {"drillbook.test/trial": "3"}


def test_its_kubeconfig_has_no_key_of_the_administrator() -> None:
    admin = {"clusters": [{"cluster": {"server": "https://a"}}], "users": [{"user": {"client-key-data": "secret"}}]}
    made = objects.kubeconfig(admin, "t")
    assert made["users"] == [{"name": "flagger", "user": {"token": "t"}}]
    assert "secret" not in str(made)


@pytest.mark.parametrize(("asked", "code"), [(["--help"], 0), (["nobody"], 2)])
def test_whoever_asks_what_there_is_compares_nothing(monkeypatch, asked, code) -> None:
    def started(_options):
        raise AssertionError

    monkeypatch.setattr(peers, "PEERS", dict.fromkeys(peers.PEERS, started))
    monkeypatch.setattr(sys, "argv", ["peers", *asked])
    with pytest.raises(SystemExit) as ended:
        peers.main()
    assert ended.value.code == code
