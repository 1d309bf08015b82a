"""What a run of drills refuses before it touches anything."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from types import SimpleNamespace

import pytest

from drillbook import wiring
from drillbook.domain.verdict import Verdict
from drillbook.run import planning
from drillbook.run.resumption import Earlier
from features import conftest as drills
from features import opening, scenarios, selection
from features.running import Running


class Config:
    def __init__(self, **options) -> None:
        self.options = {
            "--only": "",
            "--environment": "twin",
            "--production-allowed": False,
            "--approval": "",
            "--resume": "",
            "--again": "",
            "--runs": "",
            "capture": "fd",
            **options,
        }
        self.option = SimpleNamespace(numprocesses=options.get("numprocesses"), collectonly=False)
        self.stash = pytest.Stash()
        self.deselected = []
        self.hook = SimpleNamespace(pytest_deselected=lambda *, items: self.deselected.extend(items))

    def getoption(self, name):
        return self.options[name]


def scenario(name, stem, tags=()):
    return SimpleNamespace(stem=stem, name=name, tags=set(tags), feature=SimpleNamespace(tags=set()))


@pytest.fixture
def items(monkeypatch):
    monkeypatch.setattr(selection, "scenario_of", lambda item: item)
    monkeypatch.setattr(selection, "stem", lambda item: item.stem)
    names = {
        "A good release replaces the live one": "cutover",
        "A release that fails its validation never takes traffic": "cutover",
        "An operator takes back a release that was live for a while": "rollback",
    }
    return [scenario(name, stem) for name, stem in names.items()]


def test_only_keeps_the_features_asked_for(items) -> None:
    drills.pytest_collection_modifyitems(Config(**{"--only": "rollback"}), items)
    assert [item.stem for item in items] == ["rollback"]


def kept_of_a_run(path, requested, record) -> None:
    (path / "drills" / "one").mkdir(parents=True)
    (path / "run.json").write_text(json.dumps({"requested": requested}))
    (path / "drills" / "one" / "drill.json").write_text(json.dumps({"id": "one", **record}))


@pytest.mark.parametrize(("only", "kept"), [("offered", [0, 2]), ("cutover,offered", [0]), ("cutover", [0, 1])])
def test_only_what_is_offered_is_kept_where_that_is_asked_for(items, monkeypatch, only, kept) -> None:
    twin = wiring.read_environment("twin")
    bare = replace(twin, releases=replace(twin.releases, overrides={}))
    monkeypatch.setattr(drills.wiring, "read_environment", lambda _name: bare)
    expected = [items[number].name for number in kept]
    drills.pytest_collection_modifyitems(Config(**{"--only": only}), items)
    assert [item.name for item in items] == expected


@pytest.mark.parametrize("only", ["performance,offered", "performance, offered", " offered ,performance "])
def test_what_is_left_out_is_told_however_its_names_are_written(monkeypatch, only) -> None:
    twin = wiring.read_environment("twin")
    state = SimpleNamespace(environment=twin)
    monkeypatch.setattr(opening, "_requested", lambda *_: [])
    told = opening._left_out(SimpleNamespace(config=Config(**{"--only": only})), state)
    of_performance = [drill.title for drill in planning.drills(scenarios.FEATURES) if "performance" in drill.tags]
    assert of_performance
    assert set(of_performance) <= set(told)


def test_of_a_run_only_what_did_not_pass_is_drilled_again(items, tmp_path) -> None:
    passed, *others = [item.name for item in items]
    (said,) = (told.sentences for (_, name), told in scenarios.known().items() if name == passed)
    kept_of_a_run(tmp_path, [passed, *others], {"scenario": passed, "verdict": "PASS", "sentences": said})
    config = Config(**{"--again": str(tmp_path)})
    selection.keep_not_passed(config, items)
    assert [item.name for item in items] == others
    assert [item.name for item in config.deselected] == [passed]


def test_what_passed_with_other_sentences_than_the_scenario_has_now_is_drilled_again(items, tmp_path) -> None:
    names = [item.name for item in items]
    record = {"scenario": names[0], "verdict": "PASS", "sentences": ["then at most 9 requests fail"]}
    kept_of_a_run(tmp_path, names, record)
    selection.keep_not_passed(Config(**{"--again": str(tmp_path)}), items)
    assert [item.name for item in items] == names


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"--again": "/nowhere"}, "no run that could be read"),
        ({"--only": "cutovr"}, "no feature cutovr; there are cutover, rollback"),
        ({"--environment": "nowhere"}, "no environment 'nowhere'"),
        ({"numprocesses": 2}, "leave out -n"),
    ],
)
def test_a_wrong_option_is_refused_with_what_would_be_right(items, options, says) -> None:
    with pytest.raises(pytest.UsageError, match=says):
        drills.pytest_collection_modifyitems(Config(**options), items)


def test_a_load_too_thin_for_the_objectives_is_refused(items, monkeypatch) -> None:
    environment = wiring.read_environment("twin")
    thin = replace(environment, load=replace(environment.load, rate_hz=2.0))
    monkeypatch.setattr(drills.wiring, "read_environment", lambda _name: thin)
    with pytest.raises(pytest.UsageError, match=r"cannot decide availability of 99\.900%.*raise load\.rate"):
        drills.pytest_collection_modifyitems(Config(), items)


def test_scrapes_too_far_apart_for_what_a_scenario_promises_are_refused_where_it_is_drilled(items, monkeypatch) -> None:
    environment = wiring.read_environment("twin")
    seldom = replace(environment, metrics=replace(environment.metrics, scrape_interval_s=30.0))
    monkeypatch.setattr(drills.wiring, "read_environment", lambda _name: seldom)
    with pytest.raises(pytest.UsageError, match=r"cannot decide an old slot drained within 30 s.*scrape_interval"):
        drills.pytest_collection_modifyitems(Config(), items)
    drills.pytest_collection_modifyitems(Config(**{"--only": " rollback , "}), items)
    assert items


@pytest.mark.parametrize(("only", "kept"), [("", 3), ("switchover", 1)])
def test_a_recovery_is_left_out_where_the_environment_has_none_and_nobody_asks_for_it(items, monkeypatch, only, kept):
    without = replace(wiring.read_environment("twin"), recovery=None)
    monkeypatch.setattr(drills.wiring, "read_environment", lambda _name: without)
    items.append(scenario("A planned switch loses no write, nor does the way back", "switchover", {"recovery"}))
    left_out = []
    config = Config(**{"--only": only})

    def deselected(items):
        left_out.extend(items)

    config.hook = SimpleNamespace(pytest_deselected=deselected)
    drills.pytest_collection_modifyitems(config, items)
    assert len(items) == kept
    assert [item.stem for item in left_out] == ([] if only else ["switchover"])


def test_production_needs_more_than_a_flag(items, monkeypatch) -> None:
    production = replace(wiring.read_environment("twin"), tier="production")
    monkeypatch.setattr(drills.wiring, "read_environment", lambda _name: production)
    with pytest.raises(pytest.UsageError, match="production-allowed"):
        drills.pytest_collection_modifyitems(Config(), items)
    with pytest.raises(pytest.UsageError, match=r"set guard\.windows"):
        drills.pytest_collection_modifyitems(Config(**{"--production-allowed": True}), items)


def test_a_scenario_that_no_plan_has_is_refused(items) -> None:
    items.append(scenario("Made up while nobody looked", "cutover"))
    with pytest.raises(pytest.UsageError, match="the plan lacks cutover: Made up while nobody looked"):
        drills.pytest_collection_modifyitems(Config(), items)


def test_the_guard_is_asked_again_once_the_environment_is_ours(items, monkeypatch, tmp_path) -> None:
    stop = tmp_path / "stop"
    environment = wiring.read_environment("twin")
    guarded = replace(environment, guard=replace(environment.guard, stop_file=str(stop)))
    monkeypatch.setattr(drills.wiring, "read_environment", lambda _name: guarded)
    config = Config()
    drills.pytest_collection_modifyitems(config, items)
    state = config.stash[drills._RUN]
    assert state.still_allowed() == math.inf
    stop.touch()  # while somebody else's run was waited for
    with pytest.raises(pytest.exit.Exception, match="the stop file") as ended:
        state.still_allowed()
    assert ended.value.returncode == 75


def test_a_drill_never_gets_the_name_of_one_that_is_kept(tmp_path) -> None:
    state = Running(wiring.read_environment("twin"), lambda: 0.0)
    kept = ({"id": "a-drill", "scenario": "A drill", "verdict": "FAIL"},)
    state.go_on_with(Earlier(tmp_path, {}, "", kept))
    assert state.unique("A: drill") == "a-drill-2"
    assert state.verdicts == [Verdict.FAIL]
