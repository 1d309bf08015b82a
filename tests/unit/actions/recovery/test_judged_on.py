"""A sentence that cannot be judged does not keep the next from being judged: a broken promise stays a FAIL."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from drillbook.domain.measurement import Window
from drillbook.domain.undo import FAULT
from drillbook.domain.verdict import Verdict
from drillbook.drills.seen import NotReady
from drillbook.evidence import folder as evidence
from drillbook.run.load import LoadError
from features import conftest as drills
from features import rejudge, scenarios
from features.sentences import say
from tests.unit.actions.recovery.test_judged_again import drill, leave_rows, said, users
from tests.unit.actions.recovery.test_runbook import play
from tests.unit.probes.test_of_recoveries import ledger
from tests.unit.probes.test_of_the_archive import line

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
                say(drill, text)
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
    assert drills._finished(drill, NotReady("nobody answers"))[0] is Verdict.INCONCLUSIVE
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


def lose_server_early(drill: Drill, world) -> None:
    """The loss comes 30 s after the archive got a segment, and it gets one a minute."""
    (drill.folder / "archive").mkdir()
    segment, began_s = 16 * 2**20, drill.started_s
    lines = [
        line(
            began_s + at_s, primary=True, position=(at_s // 60 + 2) * segment + 100 + at_s % 60,
            archived=f"{1:08X}{at_s // 60 + 1:016X}", ago_s=at_s % 60, region="east",
        )
        for at_s in range(210)
    ]  # fmt: skip
    (drill.folder / "archive" / "looks.jsonl").write_text("\n".join(lines) + "\n")
    for after_s, kind, action in (
        (210.0, "intent", FAULT),
        (210.5, "observed", FAULT),
        (220.0, "observed", "fence-primary"),
    ):
        drill.timeline.record(kind, "", at_s=began_s + after_s, action=action)
    world.sleep(300.0)
    drill.seen.window = Window(began_s, world.now())


def test_a_loss_that_came_at_another_moment_leaves_what_was_lost_to_be_judged(drill, told, world) -> None:
    sentences = told(AT_WORST).sentences
    lose_server_early(drill, world)
    leave_users(drill, lost=(230.0, 231.0))
    assert say_until_one_raises(drill, sentences) is None
    assert drills._finished(drill, None)[0] is Verdict.FAIL
    found = verdicts(drill)
    assert (found["drill.moment"], found["recovery.lost_since_fence"]) == (Verdict.INCONCLUSIVE, Verdict.FAIL)
    (moment,) = [it for it in drill.judgements if it.objective.id == "drill.moment"]
    assert "not at its worst" in moment.reason
    again = rejudge.judge(drill.session.folder.path)
    assert again.agreement is Verdict.PASS, said(again)


@pytest.mark.parametrize("sentence", ["the lost primary was fenced", "the restored server took writes"])
def test_events_that_are_there_twice_are_seen_though_nobody_was_fenced_or_restored(drill, world, sentence) -> None:
    world.sleep(40.0)
    drill.seen.window = Window(drill.started_s, world.now())
    leave_users(drill, twice=1)
    with pytest.raises(NotReady):
        say(drill, f"nothing is missing that was acknowledged once {sentence}, and no event is there twice")
    assert verdicts(drill) == {"data.duplicated": Verdict.FAIL}


class Users:
    """The load of a drill whose experiment broke off; it tells what was still changed when its users left."""

    def __init__(self, drill: Drill, lost: tuple[float, float] = (0.0, 0.0)) -> None:
        self.drill, self.lost = drill, lost
        self.left: list[int] = []
        drill._load, drill._load_began_s, drill.users_came = self, drill.session.clock.now(), True
        drill.seen.window = Window(drill.session.clock.now(), drill.session.clock.now())

    def ask_to_stop(self) -> None:
        pass

    def stop(self, *, read_back_s: float) -> None:
        assert read_back_s
        self.left.append(len(self.drill.journal.open_changes()))
        leave_users(self.drill, lost=self.lost)

    def kill(self) -> None:
        pass


def test_what_users_were_told_is_kept_is_looked_up_though_the_experiment_broke_off(drill, told, world) -> None:
    """Once what it changed is undone: until then more may seem to be lost."""
    sentences = told(SWITCH).sentences
    load = Users(drill, lost=(25.0, 26.0))
    play("switchover")
    world.sleep(20.0)
    assert drill.journal.open_changes()
    drill.sentences += sentences[:-3]
    verdict, _ = drills._finished(drill, ValueError("the journal is torn"))
    assert load.left == [0]
    assert verdict is Verdict.FAIL
    assert {id_ for id_, found in verdicts(drill).items() if found is Verdict.FAIL} == {"data.lost"}
    # How long nothing could be written is promised of a switch that was drilled.
    assert drill.sentences == [*sentences[:-3], f"then {THERE}"]
    assert document(drill)["raised"] == "ValueError: the journal is torn"
    found = rejudge.judge(drill.session.folder.path)
    assert (found.verdict, found.agreement) == (Verdict.FAIL, Verdict.PASS), said(found)


def test_a_scenario_that_broke_off_before_anybody_was_there_says_no_more(drill, told) -> None:
    sentences = told(SWITCH).sentences
    load = Users(drill)
    drill.users_came = False
    drill.sentences += sentences[:2]
    assert drills._finished(drill, NotReady("not proved here"))[0] is Verdict.INCONCLUSIVE
    assert (load.left, drill.sentences) == ([], [*sentences[:2]])


def test_a_load_that_cannot_be_ended_is_told_once_and_nothing_is_judged_by_it(drill, told, world) -> None:
    sentences = told(SWITCH).sentences
    load = Users(drill)
    world.sleep(20.0)
    drill.seen.window = Window(drill._load_began_s, world.now())
    leave_users(drill)
    (drill.folder / "load" / "state.json").write_text('{"phase": "running"}')

    def stop(*, read_back_s: float) -> None:
        raise LoadError(f"the load did not end within {read_back_s:.0f} s")

    load.stop = stop
    drill.end_load()
    drill.sentences += sentences[:-3]
    assert drills._finished(drill, NotReady("nobody answers"))[0] is Verdict.INCONCLUSIVE
    assert verdicts(drill)["data.lost"] is Verdict.INCONCLUSIVE
    assert drill.doubts == [f"the load did not end within {drill.read_back_s:.0f} s"]


def test_what_fails_while_users_leave_does_not_keep_the_drill_from_its_end(drill, told, monkeypatch) -> None:
    sentences = told(SWITCH).sentences
    Users(drill)

    def fail() -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(type(drill), "break_off", lambda _drill: fail())
    drill.sentences += sentences[:-3]
    assert drills._finished(drill, NotReady("nobody answers"))[0] is Verdict.INCONCLUSIVE
    assert document(drill)["unjudged"] == ["OSError: the disk is full"]
    assert verdicts(drill)["drill.restored"] is Verdict.PASS


def test_the_first_answer_of_a_load_says_that_users_came(drill, monkeypatch) -> None:
    def never(**_: float) -> None:
        raise LoadError("the load did not have its first answer")

    load = SimpleNamespace(wait_running=never, output=None)
    monkeypatch.setattr("drillbook.drills.drill.Load.start", lambda _plan, _output: load)
    monkeypatch.setattr("drillbook.wiring.load_plan", lambda *_: {"meter": {}})
    drill.platform.seeds = lambda: 0
    with pytest.raises(LoadError):
        drill.start_load(drill.folder / "load")
    assert not drill.users_came
    load.wait_running = lambda **_: None
    drill.start_load(drill.folder / "load")
    assert drill.users_came
