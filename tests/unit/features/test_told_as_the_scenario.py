"""A record of what was said is held against the scenario itself: a broken promise cannot be taken out of it."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from drillbook import wiring
from drillbook.domain.pipeline import Pipeline
from drillbook.domain.verdict import Verdict
from drillbook.drills.inspection import PIPELINE_FILE, Inspection
from drillbook.drills.seen import NotReady
from drillbook.run import planning
from drillbook.run.timeline import Timeline
from features import opening, rejudge, scenarios
from features.running import Running
from features.sentences import say

if TYPE_CHECKING:
    from pathlib import Path

FEATURE = "Nothing gets to production untested, unscanned, undrilled or unapproved"
SCENARIO = "Production waits for a drill that passed and for a person"
ID = "production-waits"
GIVEN, GATE, PERSON = (
    "given the files of the platform's pipeline",
    "then each way to production waits for a gate behind a drill, which blocks on FAIL and on INCONCLUSIVE",
    "then each way to production waits for a person, who is asked after the gate",
)
TAGS = ["DEP-1.5", "static"]


@pytest.fixture
def run(tmp_path: Path):
    """Makes the run of a scenario about a pipeline that asks no person; `until` is how far it came."""

    def make(*, until: str = PERSON, error: BaseException | None = None) -> Path:
        environment = wiring.read_environment("twin")
        options = {"--runs": str(tmp_path), "--begun": -1, "--only": ""}
        request: Any = SimpleNamespace(config=SimpleNamespace(getoption=options.get), session=SimpleNamespace(items=[]))
        session = opening.open_untouched(request, Running(environment, lambda: 0.0))
        made = Inspection(
            session=session, environment=environment, id=ID, feature=FEATURE, scenario=SCENARIO, description="",
            tags=TAGS, timeline=Timeline(session.folder.path / "timeline.jsonl", ID, session.clock),
            started_s=session.clock.now(),
        )  # fmt: skip
        made.sentences.append(GIVEN)
        made.read_pipeline()
        kept = made.folder / PIPELINE_FILE
        kept.write_text(kept.read_text().replace('"when": "manual"', '"when": "on_success"'))
        made.look_at(Pipeline.from_document(json.loads(kept.read_text())))
        for sentence in (GATE, PERSON)[: (GIVEN, GATE, PERSON).index(until)]:
            made.sentences.append(sentence)
            kind, _, text = sentence.partition(" ")
            say(made, text, kind)
        made.finish(error)
        session.close()
        return session.folder.path

    return make


def edit(path: Path, **changes: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def take_out(run: Path, sentence: str = PERSON, **more: object) -> None:
    """As somebody would who has the key: the sentence, its check, all that was told of it, and both verdicts."""
    drill = run / "drills" / ID / "drill.json"
    left = [one for one in json.loads(drill.read_text())["sentences"] if one != sentence]
    edit(drill, sentences=left, verdict="PASS", error=None, **more)
    edit(run / "run.json", verdict="PASS", exit_code=0)
    for path in (run / "checks.jsonl", run / "timeline.jsonl"):
        lines = [line for line in path.read_text().splitlines() if "pipeline.approval" not in line]
        path.write_text("".join(f"{line}\n" for line in lines))


def said(found: rejudge.Rejudged) -> tuple[list[str], list[str]]:
    (opinion,) = found.drills
    return list(opinion.differences), list(opinion.lacking)


def test_a_run_that_failed_agrees_with_itself(run) -> None:
    found = rejudge.judge(run())
    assert (found.verdict, found.agreement) == (Verdict.FAIL, Verdict.PASS), said(found)


def test_a_broken_promise_that_was_taken_out_is_missed(run) -> None:
    folder = run()
    take_out(folder)
    found = rejudge.judge(folder)
    assert found.agreement is Verdict.FAIL
    assert said(found) == ([f"the scenario says “{PERSON}”, and the record does not"], [])


@pytest.mark.parametrize("versions", [{}, {"features": "0" * 64}])
def test_of_a_run_of_other_features_nobody_can_tell(run, versions) -> None:
    folder = run()
    take_out(folder)
    edit(folder / "run.json", versions=versions)
    found = rejudge.judge(folder)
    assert found.agreement is Verdict.INCONCLUSIVE
    differences, (lacking,) = said(found)
    assert (differences, "other features were drilled" in lacking) == ([], True)


@pytest.mark.parametrize("versions", [{}, {"features": "0" * 64}])
def test_a_run_of_other_features_that_said_the_same_agrees(run, versions) -> None:
    folder = run()
    edit(folder / "run.json", versions=versions)
    assert rejudge.judge(folder).agreement is Verdict.PASS


def test_what_no_scenario_of_this_version_is_cannot_be_derived(run) -> None:
    folder = run()
    take_out(folder, scenario="Production waits for nobody")
    found = rejudge.judge(folder)
    assert found.agreement is Verdict.INCONCLUSIVE
    assert "is no scenario of this version" in said(found)[1][0]


def test_a_promise_that_nobody_made_and_a_requirement_that_is_not_the_scenarios_are_seen(run) -> None:
    folder = run()
    drill = folder / "drills" / ID / "drill.json"
    edit(drill, sentences=[GIVEN, GATE, PERSON, GATE], tags=[*TAGS, "DEP-2.1"])
    differences, _ = said(rejudge.judge(folder))
    assert f"the record says “{GATE}”, and there the scenario does not" in differences
    assert any("the tags DEP-1.5, DEP-2.1, static, and the scenario has DEP-1.5, static" in one for one in differences)


def test_another_order_is_seen(run) -> None:
    folder = run()
    edit(folder / "drills" / ID / "drill.json", sentences=[GIVEN, PERSON, GATE])
    assert "the record has the scenario's sentences in another order" in said(rejudge.judge(folder))[0]


@pytest.mark.parametrize("until", [GIVEN, GATE, PERSON])
@pytest.mark.parametrize("error", [KeyboardInterrupt(), NotReady("not proved here: no pipeline")])
def test_a_scenario_that_something_ended_says_no_more(run, until, error) -> None:
    found = rejudge.judge(run(until=until, error=error))
    assert found.agreement is Verdict.PASS, said(found)


def test_what_ended_a_scenario_ends_it_at_one_place(run) -> None:
    folder = run(error=KeyboardInterrupt())
    take_out(folder, GATE)
    assert f"the scenario says “{GATE}”, and the record does not" in said(rejudge.judge(folder))[0]


def test_an_outlines_example_is_known_by_the_name_that_a_run_gives_it() -> None:
    feature = "The release gate opens on a PASS that is about the release, and on nothing else"
    told = scenarios.known()[feature, "Any other run keeps the release back (was inconclusive)"]
    assert told.sentences == (
        "when the gate is asked about a run that was inconclusive", "then it keeps the release back",
    )  # fmt: skip
    assert told.tags == ("DEP-1.5", "static")


def test_no_two_scenarios_are_called_the_same() -> None:
    assert len(scenarios.known()) == len(planning.drills(scenarios.FEATURES))
