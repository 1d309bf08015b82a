"""A run that was ended before its time is gone on with; what came to its end in it is neither lost nor tried again."""

from __future__ import annotations

import json
from typing import Any

import pytest

from drillbook import __version__
from drillbook.domain.verdict import Verdict
from drillbook.run import untouched
from drillbook.run.clock import SteadyClock
from drillbook.run.environment import find, load
from drillbook.run.folder import RunFolder
from drillbook.run.resumption import YOUNGER_THAN_S, NotResumable, earlier, not_passed
from drillbook.run.session import Session
from drillbook.run.stopping import STOPPED, WAS_STOPPED

ENVIRONMENT = load(find("twin"))
NOW_S = 1_795_000_000.0
ASKED = ["one", "two", "three"]
STAYS = {"let_stay": "1.1.0", "images": ["a@sha256:1"]}


@pytest.fixture
def ended(tmp_path):
    """Makes the folder of a run that was ended in the middle of `three`."""

    def make(**changes: Any):
        path = tmp_path / "20261123T081500Z-twin-aaaa"
        records = {
            "one": {"verdict": "PASS", **STAYS},
            "two": {"verdict": "INCONCLUSIVE", "doubts": ["Prometheus was away"]},
            "three": {"verdict": "INCONCLUSIVE", "raised": STOPPED},
        }
        for name, record in records.items():
            folder = path / "drills" / name
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "drill.json").write_text(json.dumps({"id": name, "scenario": name, **record}))
            (folder / "raw").write_text(name)
        (path / "drills" / "four").mkdir(exist_ok=True)  # it was begun, and the machine was lost
        document = {
            "run_id": path.name, "drillbook_version": __version__, "environment": {"sha256": ENVIRONMENT.sha256},
            "started_s": NOW_S - 600, "verdict": "INCONCLUSIVE", "interrupted": True, "left_changed": False,
            "requested": ASKED, **changes,
        }  # fmt: skip
        (path / "run.json").write_text(json.dumps(document))
        for name in ("checks.jsonl", "timeline.jsonl"):
            lines = [json.dumps({"drill": drill, "text": name}) + "\n" for drill in (*records, "")]
            (path / name).write_text("".join(lines))
        return path

    return make


def gone_on(path, requested=ASKED, now_s=NOW_S, plan=""):
    return earlier(path, ENVIRONMENT, requested, now_s=now_s, plan=plan)


def test_what_came_to_its_end_is_kept_whatever_it_was(ended):
    found = gone_on(ended())
    assert found.scenarios == {"one", "two"}
    assert found.verdicts == [Verdict.PASS, Verdict.INCONCLUSIVE]


@pytest.mark.parametrize(
    "record",
    [
        {"verdict": "FAIL", "raised": STOPPED},
        {"verdict": "FAIL", "raised": STOPPED, "doubts": [f"{WAS_STOPPED}a stop file"]},
        {"verdict": "INCONCLUSIVE", "raised": STOPPED, "doubts": [f"{WAS_STOPPED}1 in 2 answers is bad"]},
        {"verdict": "INCONCLUSIVE", "raised": "NotReady: it is not whole"},
        {"verdict": "PASS"},
    ],
)
def test_nobody_gets_a_second_try_by_stopping_the_first(ended, record):
    path = ended()
    (path / "drills" / "three" / "drill.json").write_text(json.dumps({"id": "three", "scenario": "three", **record}))
    found = gone_on(path)
    assert found.scenarios == {"one", "two", "three"}
    assert Verdict(record["verdict"]) in found.verdicts


@pytest.mark.parametrize("drill", ["three", "four"])
def test_a_promise_that_was_broken_before_the_end_is_not_lost(ended, drill):
    path = ended()
    with (path / "checks.jsonl").open("a") as file:
        file.write(json.dumps({"drill": drill, "verdict": "FAIL"}) + "\n")
    with pytest.raises(NotResumable, match=f"{drill} had broken a promise"):
        gone_on(path)


def test_what_is_begun_again_is_named(ended):
    found = gone_on(ended())
    assert found.again == ("four", "three")
    assert found.reference == {
        "run_id": found.path.name, "sha256": found.sha256, "envelope": None, "again": ["four", "three"],
    }  # fmt: skip


def test_drills_that_say_something_else_by_now_are_refused(ended):
    assert gone_on(ended(plan="a"), plan="a")
    with pytest.raises(NotResumable, match="chart or values are not what they were"):
        gone_on(ended(plan="a"), plan="b")


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"interrupted": False}, "it came to its end"),
        ({"left_changed": True}, "it left something changed"),
        ({"drillbook_version": "0.0.1"}, "it was run by version 0.0.1"),
        ({"environment": {"sha256": "0" * 64}}, "the environment's file was another one"),
        (
            {"environment": {"sha256": ENVIRONMENT.sha256, "contexts": {"us-east-1": "another", "us-west-2": ""}}},
            "it drilled other clusters",
        ),
        ({"requested": ["one", "two"]}, "other drills were asked for"),
        ({"started_s": NOW_S - YOUNGER_THAN_S - 1}, "more than 24 h ago"),
        ({"started_s": NOW_S + 60}, "more than 24 h ago"),
        ({"started_s": None}, "more than 24 h ago"),
    ],
)
def test_what_is_no_one_run_with_this_is_refused(ended, changes, why):
    with pytest.raises(NotResumable, match=why):
        gone_on(ended(**changes))


def test_a_run_of_two_drills_of_one_name_is_refused(ended):
    with pytest.raises(NotResumable, match="two of its drills are called one"):
        gone_on(ended(requested=["one", "two", "one"]), requested=["one", "two", "one"])


def test_a_run_that_died_without_a_verdict_can_be_gone_on_with(ended):
    assert gone_on(ended(verdict=None, interrupted=None)).scenarios == {"one", "two"}


def test_a_kept_drill_with_an_open_change_is_refused(ended):
    path = ended()
    change = {
        "sequence": 1, "run_id": path.name, "drill": "one", "action": "set", "arguments": {}, "fencing": 1,
        "stage": "done", "note": "", "touches": ["route"], "generation": 2, "target": "",
    }  # fmt: skip
    (path / "undo.jsonl").write_text(json.dumps(change) + "\n")
    with pytest.raises(NotResumable, match="left something changed"):
        gone_on(path)


@pytest.mark.parametrize(
    "record",
    [
        {"id": "../../../elsewhere", "scenario": "one", "verdict": "PASS"},
        {"id": "two", "scenario": "one", "verdict": "PASS"},
        {"id": "one", "scenario": "one"},
        {"id": "one", "scenario": "one", "verdict": "pass"},
        {"id": "one", "scenario": ["one"], "verdict": "PASS"},
        {"id": "one", "scenario": "made up", "verdict": "PASS"},
        ["PASS"],
    ],
)
def test_a_record_that_is_none_of_this_run_is_refused(ended, record):
    path = ended()
    (path / "drills" / "one" / "drill.json").write_text(json.dumps(record))
    with pytest.raises(NotResumable):
        gone_on(path)


def test_a_link_is_not_followed_into_the_new_run(ended, tmp_path):
    path = ended()
    (tmp_path / "elsewhere").write_text("secret")
    (path / "drills" / "one" / "link").symlink_to(tmp_path / "elsewhere")
    folder = RunFolder.create(tmp_path / "runs", "twin", NOW_S)
    gone_on(path).copy_into(folder)
    assert (folder.path / "drills" / "one" / "link").is_symlink()


@pytest.mark.parametrize("data", ["", "[]", "{}", "\x00"])
def test_a_damaged_record_is_refused(ended, data):
    path = ended()
    (path / "run.json").write_text(data)
    with pytest.raises(NotResumable):
        gone_on(path)
    with pytest.raises(NotResumable):
        gone_on(path.with_name("nowhere"))


def going_on(runs, found):
    return Session.open(
        ENVIRONMENT, runs, untouched.NoLock(SteadyClock.starting_now()), wait_s=0.0, requested=ASKED, versions={},
        lost=lambda _: None, watchdog=untouched.no_watchdog, begun=lambda _: None, resumed=found,
    )  # fmt: skip


def test_the_new_run_holds_all_of_it_and_its_verdict_counts_all(ended, tmp_path):
    found = gone_on(ended())
    session = going_on(tmp_path / "runs", found)
    session.finish_drill("three", {"let_stay": "1.2.0"}, Verdict.PASS)
    assert session.close() is Verdict.INCONCLUSIVE
    run = session.folder.path
    record = json.loads((run / "run.json").read_text())
    assert record["started_s"] == NOW_S - 600
    assert record["continues"] == found.reference
    assert (record["released"], record["images"]) == (["1.1.0", "1.2.0"], {"1.1.0": ["a@sha256:1"], "1.2.0": []})
    assert sorted(path.name for path in (run / "drills").iterdir()) == ["one", "three", "two"]
    assert (run / "drills" / "two" / "raw").read_text() == "two"
    for name in ("checks.jsonl", "timeline.jsonl"):
        assert [json.loads(line)["drill"] for line in (run / name).read_text().splitlines()] == ["one", "two"]


def test_a_version_that_ran_from_other_images_before_is_no_one_release(ended, tmp_path):
    session = going_on(tmp_path / "runs", gone_on(ended()))
    session.finish_drill("three", {"let_stay": "1.1.0", "images": ["a@sha256:2"]}, Verdict.PASS)
    session.close()
    record = json.loads((session.folder.path / "run.json").read_text())
    assert (record["released"], record["images"]) == ([], {"1.1.0": ["a@sha256:1", "a@sha256:2"]})


def test_what_did_not_pass_is_drilled_again(ended):
    path = ended(requested=["one", "two", "three", "never begun"])
    failed = {"id": "three", "scenario": "three", "verdict": "FAIL"}
    (path / "drills" / "three" / "drill.json").write_text(json.dumps(failed))
    assert not_passed(path, {}) == {"two", "three", "never begun"}


def test_a_name_that_was_asked_for_twice_has_to_have_passed_twice(ended):
    path = ended(requested=["one", "one"])
    assert not_passed(path, {}) == {"one"}
    failed = {"id": "two", "scenario": "one", "verdict": "FAIL"}
    (path / "drills" / "two" / "drill.json").write_text(json.dumps(failed))
    assert not_passed(path, {}) == {"one"}
    (path / "drills" / "two" / "drill.json").write_text(json.dumps({**failed, "verdict": "PASS"}))
    with pytest.raises(NotResumable, match="nothing is to be drilled again"):
        not_passed(path, {})


@pytest.mark.parametrize(
    ("now", "left"), [(["then 1 is"], set()), (["then 2 are"], {"one"}), (["then 1 is", "then more"], {"one"})]
)
def test_what_passed_with_other_sentences_is_drilled_again(ended, now, left):
    path = ended(requested=["one", "never begun"])
    record = {"id": "one", "scenario": "one", "verdict": "PASS", "sentences": ["then 1 is"]}
    (path / "drills" / "one" / "drill.json").write_text(json.dumps(record))
    assert not_passed(path, {"one": now}) == {"never begun", *left}


def test_a_run_that_passed_everything_leaves_nothing_to_drill_again(ended):
    path = ended(requested=["one"])
    with pytest.raises(NotResumable, match="nothing is to be drilled again"):
        not_passed(path, {})


def test_no_run_leaves_nothing_to_drill_again(tmp_path):
    with pytest.raises(NotResumable, match="no run that could be read"):
        not_passed(tmp_path, {})
