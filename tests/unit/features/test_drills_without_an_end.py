"""What a run says when a drill never began, or could not be ended in good order: no PASS, and a FAIL stays one."""

from __future__ import annotations

import json
import time
from types import SimpleNamespace

import pytest

from drillbook import wiring
from drillbook.afterwards import gate
from drillbook.domain.pipeline import Job, Pipeline
from drillbook.domain.verdict import Verdict
from drillbook.drills.drill import DrillFailed, DrillInconclusive
from drillbook.drills.inspection import Inspection
from drillbook.drills.seen import NotReady
from drillbook.run import session, untouched
from drillbook.run.clock import SteadyClock
from drillbook.run.session import Session
from drillbook.run.stopping import Stop, told
from drillbook.run.timeline import Timeline
from features import conftest as drills
from features import opening, scenarios
from features.running import Running

ENVIRONMENT = wiring.read_environment("twin")


class World:
    """A run of two drills, the first of which has passed and let its release stay."""

    def __init__(self, runs) -> None:
        self.clock = SteadyClock.starting_now()
        self.session = Session.open(
            ENVIRONMENT, runs, untouched.NoLock(self.clock), wait_s=0.0, requested=["one", "two"], versions={},
            lost=lambda _: None, watchdog=untouched.no_watchdog, begun=lambda _: None,
        )  # fmt: skip
        self.state = Running(ENVIRONMENT, lambda: 0.0)
        self.config = SimpleNamespace(stash={drills._RUN: self.state})
        self.session.finish_drill("one", {"let_stay": "1.1.0"}, Verdict.PASS)
        self.state.verdicts.append(Verdict.PASS)

    def begin_second(self, feature="f", scenario="two"):
        self.state.drill = Inspection(
            session=self.session, environment=ENVIRONMENT, id="two", feature=feature, scenario=scenario, description="",
            tags=[], timeline=Timeline(self.session.folder.path / "timeline.jsonl", "two", self.clock),
            started_s=self.clock.now(),
        )  # fmt: skip
        return self.state.drill

    def end_second(self, error=None):
        """Its scenario comes to its end, or raises this."""
        call = drills.pytest_runtest_call(SimpleNamespace(config=self.config))
        next(call)
        return call.send(None) if error is None else call.throw(error)

    def closed(self):
        opening.closed(self.session, interrupted=self.state.stop.told)
        return json.loads((self.session.folder.path / "run.json").read_text())

    @property
    def gate(self):
        return gate.decide(self.session.folder.path, gate.Demands(release="1.1.0"), now_s=time.time())

    def exit_code(self, status=pytest.ExitCode.TESTS_FAILED):
        ended = SimpleNamespace(config=self.config, exitstatus=status, testscollected=2)
        drills.pytest_sessionfinish(ended, status)
        return int(ended.exitstatus)


@pytest.fixture
def world(tmp_path, monkeypatch):
    monkeypatch.setattr(drills.selection, "scenario_of", lambda item: item)
    monkeypatch.setattr(Stop, "over", lambda _stop: None)  # it takes this process' signals for good
    return World(tmp_path)


def test_a_scenario_that_ends_before_its_drill_keeps_the_run_from_passing(world) -> None:
    with pytest.raises(LookupError):
        world.end_second(LookupError('Step definition is not found: Given "relaese 1.0.0 is live"'))
    record = world.closed()
    assert (record["verdict"], record["exit_code"], record["interrupted"]) == ("INCONCLUSIVE", 75, False)
    assert not world.gate.promotes
    assert world.exit_code() == 75


@pytest.mark.parametrize(
    ("gaps", "verdict", "raises"),
    [(["a gap"], Verdict.FAIL, DrillFailed), ([], Verdict.INCONCLUSIVE, DrillInconclusive)],
)
def test_a_drill_whose_end_fails_counts_by_what_it_has_judged(world, gaps, verdict, raises) -> None:
    drill = world.begin_second()
    drill.check("gaps", "there are no gaps", gaps, source="files")
    (drill.folder / "drill.json").mkdir()
    with pytest.raises(raises, match="FolderError") as raised:
        world.end_second()
    assert ("there are no gaps" in str(raised.value)) is (verdict is Verdict.FAIL)
    record = world.closed()
    assert (record["verdict"], record["drilled"]) == (str(verdict), 2)
    assert not world.gate.promotes
    assert world.exit_code() == verdict.exit_code


@pytest.mark.parametrize(
    ("raised", "verdict", "raises"),
    [
        (NotReady("nobody can tell"), Verdict.FAIL, DrillFailed),
        (TypeError("a defect of ours"), Verdict.FAIL, DrillFailed),
        (KeyboardInterrupt(), Verdict.INCONCLUSIVE, KeyboardInterrupt),
    ],
)
def test_a_promise_behind_a_sentence_that_raised_is_judged_unless_the_run_is_stopped(
    world, raised, verdict, raises
) -> None:
    feature = "Nothing gets to production untested, unscanned, undrilled or unapproved"
    scenario = "Production waits for a drill that passed and for a person"
    drill = world.begin_second(feature, scenario)
    drill.look_at(Pipeline(("deploy",), {"release": Job("release", "deploy", environment="production")}))
    drill.sentences += scenarios.known()[feature, scenario].sentences[:2]
    with pytest.raises(raises) as ended:
        world.end_second(raised)
    assert world.state.verdicts[-1] is verdict
    assert ended.value is raised or ended.value.__cause__ is raised
    assert told(raised) in json.loads((drill.folder / "drill.json").read_text())["error"]


def test_a_drill_that_is_stopped_and_whose_end_fails_still_stops_the_run(world) -> None:
    (world.begin_second().folder / "drill.json").mkdir()
    with pytest.raises(KeyboardInterrupt):
        world.end_second(KeyboardInterrupt())
    assert world.state.verdicts == [Verdict.PASS, Verdict.INCONCLUSIVE]


def test_a_scenario_that_pytest_skips_is_none_that_passed(world) -> None:
    assert world.closed()["verdict"] == "INCONCLUSIVE"
    assert world.exit_code(pytest.ExitCode.OK) == 75


def test_a_run_that_may_have_lost_its_lock_ends_inconclusive_and_says_why(world, monkeypatch, capsys) -> None:
    monkeypatch.setattr(opening, "_what_others_left", lambda _: ([], []))
    world.session.finish_drill("two", {}, Verdict.PASS)
    world.state.verdicts.append(Verdict.PASS)
    monkeypatch.setattr(session, "STOPS_UNRENEWED_AFTER_S", -1.0)
    opening.close(world.state, world.session, None)
    assert "the environment's lock could not be renewed for" in capsys.readouterr().err
    assert not world.gate.promotes
    assert world.exit_code(pytest.ExitCode.OK) == 75
