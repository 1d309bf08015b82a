"""A sentence that cannot be judged does not keep the next from being judged: a broken promise stays a FAIL."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from drillbook.domain.measurement import Window
from drillbook.domain.verdict import Verdict
from drillbook.evidence import folder as evidence
from features import conftest as drills
from features import rejudge, scenarios
from tests.unit.actions.recovery.test_judged_again import drill, leave_rows, said, users
from tests.unit.probes.test_of_recoveries import ledger

if TYPE_CHECKING:
    from drillbook.drills.drill import Drill

__all__ = ["drill"]

KNOWN = scenarios.known
ROLLBACK = (
    "A release is taken back within 2 minutes",
    "A bad release that passes its health checks is taken back by itself (fails 10 % of requests)",
)
SWITCH = (
    "The database is switched over to its replica as planned, and nobody loses a write",
    "A planned switch loses no write, nor does the way back",
)
AT_WORST = (
    "The primary database is lost when its archive lacks most",
    "The primary's server is gone just before its last WAL is archived",
)
THERE = "every acknowledged event is there, once and unchanged"


@pytest.fixture
def told(drill, monkeypatch):
    """Makes the drill one of a real scenario; answers what that says."""
    monkeypatch.setattr(scenarios, "known", KNOWN)

    def told(of: tuple[str, str]) -> scenarios.Told:
        drill.feature, drill.scenario = of
        drill.tags, drill.platform.version_of = list(KNOWN()[of].tags), str
        return KNOWN()[of]

    return told


def leave_users(drill: Drill, *, lost: tuple[float, float] = (0.0, 0.0), twice: int = 0) -> None:
    """Everybody was served well, and what was written then is gone: seconds after the drill's begin."""
    began_s = drill.started_s
    table = users(drill.seen.window)
    rows = ledger(table, lost=(began_s + lost[0], began_s + lost[1]))
    for row in rows["readback"][:twice]:
        row["copies"] = 2
    leave_rows(drill.folder / "load", table, rows)


def say_until_one_raises(drill: Drill, sentences: tuple[str, ...]) -> Exception | None:
    """As pytest-bdd does."""
    for sentence in sentences:
        drill.sentences.append(sentence)
        kind, _, text = sentence.partition(" ")
        try:
            if kind == "then":
                rejudge._say(drill, text)
        except Exception as error:  # noqa: BLE001 - whatever it is, it ends the scenario
            return error
    return None


def verdicts(drill: Drill) -> dict[str, Verdict]:
    return {judgement.objective.id: judgement.verdict for judgement in drill.judgements}


def document(drill: Drill) -> dict[str, Any]:
    return json.loads((drill.folder / "drill.json").read_text())


@pytest.mark.parametrize("lost", [(5.0, 6.0), (0.0, 0.0)])
def test_data_that_are_gone_fail_a_drill_whose_release_never_came_up(drill, told, world, lost) -> None:
    sentences = told(ROLLBACK).sentences
    world.sleep(40.0)
    drill.seen.window = Window(drill.started_s, world.now())
    leave_users(drill, lost=lost)
    error = say_until_one_raises(drill, sentences)
    assert "never came to roll_back (injected)" in str(error)
    verdict, cause = drills._finished(drill, error)
    assert cause is error
    assert verdict is (Verdict.FAIL if lost[1] else Verdict.INCONCLUSIVE)
    assert verdicts(drill)["data.lost"] is (Verdict.FAIL if lost[1] else Verdict.PASS)
    assert tuple(document(drill)["sentences"]) == sentences
    found = rejudge.judge(drill.session.folder.path)
    assert (found.verdict, found.agreement) == (verdict, Verdict.PASS), said(found)
    assert found.drills[0].agreed == len(drill.judgements)


def test_what_raises_later_is_told_once_and_behind_what_raised_first(drill, told, world, monkeypatch) -> None:
    told(AT_WORST)
    world.sleep(40.0)
    drill.seen.window = Window(drill.started_s, world.now())
    leave_users(drill)
    drill._problems = ["method: lose-server failed: it did not answer"]

    def broken(*_arguments: object) -> None:
        raise TypeError("a defect of ours")

    monkeypatch.setattr("features.steps.recovery.archive.worst_age", broken)
    error = say_until_one_raises(drill, KNOWN()[AT_WORST].sentences)
    verdict, _ = drills._finished(drill, error)
    assert verdict is Verdict.INCONCLUSIVE
    never = "NotReady: what was to go wrong was never seen to, so nothing can be measured from there"
    fenced = "NotReady: the experiment never came to fence-primary (observed), so nothing can be measured from there"
    assert document(drill)["raised"] == never
    assert document(drill)["unjudged"] == [fenced, "TypeError: a defect of ours"]
    reasons = drill.reasons(error)
    assert reasons[:2] == [f"INCONCLUSIVE: {told}" for told in (drill._problems[0], never)]
    assert reasons[-2:] == [f"INCONCLUSIVE: {told}" for told in (fenced, "TypeError: a defect of ours")]
    (record,) = evidence.read(drill.session.folder.path).drills
    assert record.withheld == (drill._problems[0], never, fenced, "TypeError: a defect of ours")


def test_a_defect_of_ours_is_told_though_a_promise_is_broken_as_well(drill, told, world) -> None:
    sentences = told(SWITCH).sentences
    world.sleep(40.0)
    drill.seen.window = Window(drill.started_s, world.now())
    leave_users(drill, lost=(5.0, 6.0))
    drill.sentences += sentences[: sentences.index(f"then {THERE}") - 1]
    verdict, _ = drills._finished(drill, TypeError("a defect of ours"))
    assert verdict is Verdict.FAIL
    assert document(drill)["raised"] == "TypeError: a defect of ours"
    assert "INCONCLUSIVE: TypeError: a defect of ours" in document(drill)["error"]


def test_a_drill_that_was_stopped_judges_no_more(drill, told, world) -> None:
    sentences = told(SWITCH).sentences
    world.sleep(40.0)
    drill.seen.window = Window(drill.started_s, world.now())
    leave_users(drill, lost=(5.0, 6.0))
    drill.sentences += sentences[:-1]
    assert drills._finished(drill, KeyboardInterrupt())[0] is Verdict.INCONCLUSIVE
    assert tuple(drill.sentences) == sentences[:-1]


def test_a_feature_that_cannot_be_read_any_more_does_not_either(drill, monkeypatch) -> None:
    def gone() -> None:
        raise FileNotFoundError("no features")

    monkeypatch.setattr(scenarios, "known", gone)
    assert drills._finished(drill, LookupError("nobody answers"))[0] is Verdict.INCONCLUSIVE
    assert document(drill)["unjudged"] == ["FileNotFoundError: no features"]


def test_a_record_cannot_say_that_a_sentence_raised_and_pass(drill, told, world) -> None:
    sentences = told(SWITCH).sentences
    world.sleep(40.0)
    drill.seen.window = Window(drill.started_s, world.now())
    leave_users(drill)
    error = say_until_one_raises(drill, sentences)
    drills._finished(drill, error)
    path = drill.folder / "drill.json"
    said_then = document(drill)
    path.write_text(json.dumps(said_then | {"raised": None, "unjudged": [said_then["raised"], *said_then["unjudged"]]}))
    assert rejudge.judge(drill.session.folder.path).verdict is Verdict.INCONCLUSIVE
