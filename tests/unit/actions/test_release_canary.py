"""A canary on a platform in memory: its steps, its decisions, and what is left when somebody dies on the way."""

from __future__ import annotations

import json
import math
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from drillbook import activities, wiring
from drillbook.activities import Halted, canary
from drillbook.domain.canary import Plan
from drillbook.domain.measurement import Window
from drillbook.domain.verdict import merge
from drillbook.drills import replay
from drillbook.ports import Conflict, LockLost, Unreachable
from drillbook.run.action import NotObserved
from features.sentences import say
from probes import story
from probes.canary import unfounded_decisions

BLUE = {"blue": 100, "green": 0}
GREEN = {"blue": 0, "green": 100}
# What is to be shown of errors before the last step has tests of its own (domain/test_canary.py).
PLAN = Plan(steps=(10, 50, 100), least_answers=40, hold_s=6.0, false_promotion=0.97)


class Crash(BaseException):
    """The process dies here: nothing in it gets to react."""


@pytest.fixture(autouse=True)
def traffic(world, drill, monkeypatch):
    """Both slots by their weights: a window of 40 answers whenever the clock moves on; servers that count them."""
    world.slots = {"blue": "1.0.0", "green": ""}
    world.flaw = {"bad": 0.0, "ms": 5.0, "named": True, "silent": False, "lost": 0.0}
    owed = 0.0
    world.counted, world.asked = 0, 0
    path = Path(drill.folder) / "load" / "live.jsonl"
    sleep, get, query = world.sleep, world.get, world.query

    def sleep_and_record(seconds: float) -> None:
        nonlocal owed
        sleep(seconds)
        if world.flaw["silent"]:
            return
        versions, timeouts = {}, 0
        for slot, weight in world.effective.items():
            number = 40 * weight // 100
            if slot == "green":
                owed += number * world.flaw["lost"]
                timeouts = int(owed)
                number, owed = number - timeouts, owed - timeouts
            name = f"{world.slots[slot]}|{slot}" if slot == "blue" or world.flaw["named"] else "|"
            bad = round(number * world.flaw["bad"]) if slot == "green" else 0
            latency = [world.flaw["ms"] if slot == "green" else 5.0 + 0.01 * each for each in range(number)]
            if number:
                versions[name] = {"ok": number - bad, "bad": {"server_error": bad}, "latency_ms": latency}
            world.counted += number if slot == "green" else 0
        window = {"start_s": world.now_s - seconds, "end_s": world.now_s, "unanswered": {"timeout": timeouts},
                  "unsent": 0, "doubtful": 0, "versions": versions}  # fmt: skip
        with path.open("a") as file:
            file.write(json.dumps(window) + "\n")

    def by_weight(path, *, headers=None, timeout_s=5.0):
        world.asked += 1
        every = {slot: round(100 / weight) for slot, weight in world.effective.items() if 0 < weight < 100}
        slot = min(every, key=lambda slot: -every[slot]) if every else world.live
        chosen = slot if not every or world.asked % every[slot] == 0 else next(s for s in every if s != slot)
        return get(path, headers=headers or {"X-Slot": chosen}, timeout_s=timeout_s)

    def counting(promql, *, at_s=None):
        samples = query(promql, at_s=at_s)
        if "green" in promql and "1.1.0" in promql:
            return [type(samples[0])({}, world.servers(), world.now_s)] if world.servers() is not None else []
        return samples

    world.servers = lambda: float(world.counted)
    monkeypatch.setattr(world, "sleep", sleep_and_record)
    monkeypatch.setattr(world, "get", by_weight)
    monkeypatch.setattr(world, "query", counting)
    drill.platform.environment.strategy = type(drill.platform.environment.strategy)(before_s=3.0, canary=PLAN)


def tried() -> str:
    for _ in range(40):
        activities.wiring.experiment().clock.sleep(0.1)
    activities.deploy_release("1.1.0")
    return canary.release_canary("1.1.0")["ruling"]


def looks(drill) -> list[dict]:
    return [json.loads(line) for line in (drill.folder / "canary.jsonl").read_text().splitlines()]


def weights_set(world) -> list[int]:
    """Of green, one after the other."""
    return [int(call.rpartition(" ")[2].rstrip("}")) for call in world.calls if call.startswith("weights")]


def test_a_good_release_is_promoted_in_steps_and_each_look_has_its_numbers(world, drill) -> None:
    assert tried() == "promote"
    assert weights_set(world) == [10, 50, 100]
    assert world.weights == GREEN
    found = looks(drill)
    assert [look["weight"] for look in found if look["ruling"] == "promote"] == [10, 50]
    assert all({"canary", "stable", "evidence", "windows", "servers"} <= set(look) for look in found)
    told = story.of(drill.events(), "canary_look")
    assert {event.data["ruling"] for event in told} == {"hold", "promote"}
    assert [change.action for change in drill.journal.open_changes()] == ["shift-traffic", "deploy-release"]
    assert activities.drain_old_slot()["drained"]


@pytest.mark.parametrize(
    ("flaw", "found"), [({"bad": 0.25}, "errors"), ({"ms": 15.0}, "latency")], ids=["fails", "slow"]
)
def test_a_bad_release_is_aborted_and_all_traffic_is_back_at_once(world, drill, flaw, found) -> None:
    world.flaw |= flaw
    assert tried() == "abort"
    assert world.weights == BLUE
    assert 50 not in weights_set(world)
    assert [change.action for change in drill.journal.open_changes()] == ["deploy-release"]
    stages = story.stages(drill.events())
    assert list(stages)[-3:] == ["decided", "switched", "seen by clients"]
    assert stages["decided"] < 0.2
    assert story.rollbacks_decided(drill.events(), None).interval.low == 1
    assert story.decisions(drill.events())[-1].data["flaw"] == found


def test_one_that_leaves_its_users_without_an_answer_is_aborted_by_what_they_had_before(world, drill) -> None:
    world.flaw |= {"lost": 0.75}
    assert tried() == "abort"
    assert world.weights == BLUE
    assert "requests failed without an answer that names a release" in looks(drill)[-1]["reason"]
    assert story.decisions(drill.events())[-1].data["flaw"] == "errors"
    assert founded(drill).interval.high == 0


def test_one_that_does_so_seldom_never_gets_all_of_the_traffic(world, drill) -> None:
    world.flaw |= {"lost": 0.01}
    strategy = drill.platform.environment.strategy
    strategy = type(strategy)(before_s=3.0, canary=replace(PLAN, false_promotion=0.05, hold_s=30.0))
    drill.platform.environment.strategy = strategy
    assert tried() == "undecided"
    assert 100 not in weights_set(world)
    assert world.weights == BLUE
    assert "are taken for the canary's" in looks(drill)[-1]["reason"]
    found = unfounded_decisions(drill.folder, drill.events(), strategy.canary, Window(0.0, 1.0))
    assert found.interval.high == 0


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (lambda world: world.flaw.update(silent=True), "0 answers of the canary were seen"),
        (lambda world: world.flaw.update(named=False), "answers named neither release"),
        (lambda world: setattr(world, "servers", lambda: None), "no number for the canary's version"),
        (lambda world: setattr(world, "servers", lambda: math.nan), "no number for the canary's version"),
        (lambda world: setattr(world, "servers", lambda: 1.0), "the servers counted 1 answers"),
    ],
    ids=["no traffic", "answers without a version", "metrics without the version", "NaN", "metrics of others"],
)
def test_without_what_decides_it_is_held_and_never_promoted(world, drill, wrong, reason) -> None:
    wrong(world)
    assert tried() == "undecided"
    assert weights_set(world) == [10, 0]
    assert world.weights == BLUE
    assert reason in story.undecided(drill.events())[0]


def test_without_prometheus_it_is_never_promoted(world) -> None:
    def silent() -> float:
        raise Unreachable("Prometheus did not answer")

    world.servers = silent
    assert tried() == "undecided"


def test_a_step_that_never_shows_halts_and_is_undone(world) -> None:
    world.gateway_lag_s = 1e9
    activities.deploy_release("1.1.0")
    with pytest.raises(NotObserved, match="only slot blue answered 40 new connections"):
        canary.release_canary("1.1.0")
    with pytest.raises(Halted):
        activities.drain_old_slot()
    assert activities.put_back()["all"]
    assert world.weights == BLUE


@pytest.mark.parametrize("call", range(3))
@pytest.mark.parametrize("after", [True, False], ids=["after", "before"])
def test_whoever_dies_at_any_weight_leaves_an_undo_that_puts_back_the_weights_as_they_were(
    world, drill, call, after
) -> None:
    calls = 0
    set_weights = drill.platform.router.set_weights

    def dying(weights):
        nonlocal calls
        calls += 1
        if calls == call + 1 and not after:
            raise Crash
        set_weights(weights)
        if calls == call + 1:
            raise Crash

    drill.platform.router.set_weights = dying
    with pytest.raises(Crash):
        tried()
    assert max(weights_set(world), default=0) == (0, 10, 50, 100)[call + after]
    assert [change.action for change in drill.journal.open_changes()] == ["shift-traffic", "deploy-release"]
    drill.platform.router.set_weights = set_weights
    found = drill.journal.undo_all(drill.platform.undo, world)
    assert all(undone.restored for undone in found)
    assert world.weights == BLUE
    assert world.slots["green"] == ""
    assert world.documents == {}


def test_no_step_is_taken_once_the_lock_is_lost(world, drill, monkeypatch) -> None:
    def lost():
        if 10 in weights_set(world):
            raise LockLost("somebody else has it")

    monkeypatch.setattr(drill.journal, "_own", lost)
    with pytest.raises(LockLost):
        tried()
    assert weights_set(world) == [10]


def test_weights_that_somebody_else_has_set_are_left(world, drill) -> None:
    assert tried() == "promote"
    world.weights = {"blue": 70, "green": 30}
    action = drill.platform.shift("green", PLAN.steps)
    with pytest.raises(Conflict, match="neither what they were"):
        action.undo({"weights": BLUE})
    assert world.weights == {"blue": 70, "green": 30}


def test_undone_twice_is_undone_once(world, drill) -> None:
    action = drill.platform.shift("green", PLAN.steps)
    action.undo({"weights": BLUE})
    assert weights_set(world) == []
    action.at(1).do()
    action.undo({"weights": BLUE})
    action.undo({"weights": BLUE})
    assert weights_set(world) == [50, 0]


def founded(drill):
    return unfounded_decisions(drill.folder, drill.events(), PLAN, Window(0.0, 1.0))


@pytest.mark.parametrize("flaw", [{}, {"bad": 0.25}, {"ms": 15.0}, {"silent": True}], ids=str)
def test_every_decision_can_be_made_again_from_the_record(world, drill, flaw) -> None:
    world.flaw |= flaw
    tried()
    found = founded(drill)
    assert found.interval.high == 0
    assert found.samples == len(looks(drill))
    assert all((drill.folder / file.split("/", 2)[2]).is_file() for file in found.evidence)
    assert found.doubts == ()


def changed(path: Path, change) -> None:
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    change(lines)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_a_record_that_somebody_has_changed_is_seen(world, drill) -> None:
    world.flaw |= {"bad": 0.25}
    tried()
    record, answers = drill.folder / "canary.jsonl", drill.folder / "load" / "live.jsonl"
    kept = record.read_text(), answers.read_text()

    def healed(lines) -> None:
        for line in lines:
            line["versions"].get("1.1.0|green", {"bad": {}})["bad"].clear()

    changed(answers, healed)
    assert founded(drill).interval.low > 0
    answers.write_text(kept[1])
    changed(record, lambda lines: lines[-1].update(ruling="promote"))
    assert founded(drill).interval.low == 1
    assert founded(drill).doubts == ("the last look says promote, and abort was decided",)
    record.write_text(kept[0])
    for _ in range(2):
        drill.timeline.record("injected", "send 50 % of the traffic", action="shift-traffic")
    assert founded(drill).doubts == ("3 weights were declared, and looks allowed 0 beyond the first",)
    record.unlink()
    assert founded(drill).interval is None


def test_a_run_from_before_failures_without_a_name_were_told_is_judged_as_it_was(world, drill) -> None:
    world.flaw |= {"bad": 0.25}
    tried()
    record, answers = drill.folder / "canary.jsonl", drill.folder / "load" / "live.jsonl"

    def of_before(lines) -> None:
        for line in lines:
            line.pop("doubtful", None)
            line.pop("before", None)
            for name in ("requests", "unnamed"):
                line.get("step", {}).pop(name, None)

    changed(record, of_before)
    changed(answers, of_before)
    assert founded(drill).interval.high == 0
    changed(record, lambda lines: lines[-1].pop("reason"))
    assert founded(drill).interval.low == 1


def test_how_a_canary_ended_and_how_far_it_came_are_told_by_its_timeline(drill) -> None:
    window = Window(0.0, 1.0)
    assert story.canaries_undecided(drill.events(), window).interval is None
    assert tried() == "promote"
    assert story.canaries_undecided(drill.events(), window).interval.high == 0
    assert story.canaries_aborted(drill.events(), window).interval.high == 0
    assert story.weights_promoted(drill.events(), window).interval.low == 3


PROMOTED = "it was promoted in steps to all of the traffic"
ABORTED = "it was found worse, and all traffic was sent back to release 1.0.0"
NOT_ABORTED = "it was not aborted"
HELD = "it was held at its first weight and never promoted, since nothing could be decided"
FOUNDED = "every decision follows from its users' answers"


@pytest.mark.parametrize(
    ("flaw", "verdicts"),
    [
        ({}, {PROMOTED: "PASS", NOT_ABORTED: "PASS", FOUNDED: "PASS", ABORTED: "FAIL", HELD: "FAIL"}),
        ({"bad": 0.25}, {PROMOTED: "FAIL", NOT_ABORTED: "FAIL", FOUNDED: "PASS", ABORTED: "PASS", HELD: "FAIL"}),
        (
            {"silent": True},
            {
                PROMOTED: "INCONCLUSIVE",
                NOT_ABORTED: "INCONCLUSIVE",
                FOUNDED: "PASS",
                ABORTED: "INCONCLUSIVE",
                HELD: "PASS",
            },
        ),
    ],
    ids=["promoted", "aborted", "nobody there"],
)
def test_the_sentences_about_a_canary_are_judged_from_the_runs_folder_alone(
    world, drill, tmp_path, flaw, verdicts
) -> None:
    environment = wiring.read_environment("twin")
    drill.platform.environment.strategy = environment.strategy
    world.flaw |= flaw
    tried()
    run = tmp_path / "run"
    (run / "drills").mkdir(parents=True)
    shutil.copy(environment.file, run / "environment.yaml")
    shutil.copy(drill.timeline.path, run / "timeline.jsonl")
    shutil.copytree(tmp_path / "load", run / "drills" / "drill" / "load")
    shutil.copy(tmp_path / "canary.jsonl", run / "drills" / "drill")
    about = {"feature": "f", "scenario": "s", "description": "", "tags": ["DEP-2.5"], "sentences": []}
    seen = {"live": "1.0.0", "release": "1.1.0", "window": None, "other_writes": 0}
    again = replay.drill(run, "drill", {**about, "started_s": 1000.0, "seen": seen})
    for sentence, verdict in verdicts.items():
        again.judgements.clear()
        say(again, sentence)
        assert merge(judgement.verdict for judgement in again.judgements) == verdict, sentence
