"""What the sentences of a fault's drill make of its folder: the same functions judge it when it ran and afterwards."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from drillbook import replay
from drillbook.domain.fault import BY_SENTENCE, CATALOGUE
from drillbook.domain.verdict import Verdict, merge
from drillbook.run import planning
from drillbook.run.environment import DIRECTORY
from drillbook.seen import NotReady
from features import rejudge
from features.conftest import FEATURES

RATE_HZ = 50
BEGAN_S, MEANT_S, BIT_S, LIFTED_S, ENDED_S = 1000.0, 1010.0, 1011.0, 1030.0, 1040.0
SENTENCES = (
    "the fault bit, and was undone within 60 s",
    "99 % of requests were answered well while it lasted",
    "users had good service again within 10 s of the fault",
)


def event(t_s, kind, **data):
    return {"t_s": t_s, "drill": "killed", "kind": kind, "text": "it was so", "data": data}


LIFE = (
    event(MEANT_S, "intent", action="kill-pod"),
    event(MEANT_S + 0.1, "injected", action="kill-pod"),
    event(BIT_S, "observed", action="kill-pod"),
    event(LIFTED_S, "recovered", activity="lift_fault", failed=False),
    event(ENDED_S, "intent", activity="put_back"),
)


@pytest.fixture
def judged(tmp_path):
    """Judges a drill whose requests failed in some stretches, by what its timeline tells."""

    def judge(*failed, life=LIFE, sentences=SENTENCES):
        folder = tmp_path / "drills" / "killed"
        (folder / "load").mkdir(parents=True)
        shutil.copy(DIRECTORY / "twin.yaml", tmp_path / "environment.yaml")
        (tmp_path / "timeline.jsonl").write_text("".join(json.dumps(line) + "\n" for line in life))
        (folder / "load" / "plan.json").write_text(json.dumps({"meter": {"rate_hz": RATE_HZ}}))
        (folder / "load" / "state.json").write_text(json.dumps({"phase": "done"}))
        pq.write_table(pa.table(requests(failed)), folder / "load" / "requests.parquet")
        nothing = {"start_s": np.array([], float), "end_s": np.array([], float), "seen_by": pa.array([], pa.string())}
        pq.write_table(pa.table(nothing), folder / "load" / "stalls.parquet")
        document = {
            "feature": "f", "scenario": "s", "description": "", "tags": ["resilience", "ENV-2.2", "pods-50"],
            "sentences": [], "started_s": BEGAN_S,
            "seen": {"release": "", "live": "1.0.0", "window": [BEGAN_S, ENDED_S + 1], "other_writes": 0},
        }  # fmt: skip
        drill = replay.drill(tmp_path, "killed", document)
        for sentence in sentences:
            rejudge._say(drill, sentence)
        return drill

    return judge


def requests(failed):
    count = int((ENDED_S + 1 - BEGAN_S) * RATE_HZ * 2)
    due = BEGAN_S + np.arange(count) / (2 * RATE_HZ)
    outcome = np.full(count, "ok", dtype=object)
    for start_s, end_s in failed:
        outcome[(due >= start_s) & (due < end_s)] = "refused"
    return {
        "due_s": due, "sent_s": due, "done_s": due + 0.01, "outcome": outcome, "status": np.full(count, 200, np.int16),
        "connection": np.where(np.arange(count) % 2 == 0, "new", "reused").astype(object),
        **{name: np.full(count, value, dtype=object) for name, value in (
            ("kind", "meter"), ("region", "r"), ("slot", "blue"), ("version", "1.0.0"))},
    }  # fmt: skip


def verdicts(drill):
    return {judgement.objective.id: judgement.verdict for judgement in drill.judgements}


def test_a_fault_that_users_do_not_notice_passes(judged):
    drill = judged()
    assert set(verdicts(drill)) == {
        "fault.bit", "fault.life", "fault.availability.new", "fault.availability.reused", "fault.recovery.new",
        "fault.recovery.reused",
    }  # fmt: skip
    assert merge(verdicts(drill).values()) is Verdict.PASS
    assert {judgement.objective.requirements for judgement in drill.judgements} == {("ENV-2.2",)}


def test_a_short_gap_passes_and_one_that_eats_too_many_requests_fails(judged):
    found = verdicts(judged((MEANT_S + 1, MEANT_S + 2)))
    assert found["fault.recovery.new"] is Verdict.PASS
    assert found["fault.availability.new"] is Verdict.FAIL


def test_service_that_comes_back_too_late_fails(judged):
    found = verdicts(judged((MEANT_S + 11, MEANT_S + 11.5)))
    assert found["fault.recovery.new"] is Verdict.FAIL


def test_a_relapse_after_the_fault_was_lifted_counts(judged):
    assert verdicts(judged((LIFTED_S + 3, LIFTED_S + 4)))["fault.recovery.reused"] is Verdict.FAIL


def test_what_happened_before_the_fault_does_not_count(judged):
    assert merge(verdicts(judged((BEGAN_S + 1, BEGAN_S + 5))).values()) is Verdict.PASS


def test_a_fault_that_was_there_for_too_long_fails(judged):
    late = [event(MEANT_S, "intent", action="kill-pod"), *LIFE[1:]]
    late[0]["t_s"] = LIFTED_S - 61
    assert verdicts(judged(life=late, sentences=SENTENCES[:1]))["fault.life"] is Verdict.FAIL


def test_a_fault_that_did_not_bite_proves_nothing(judged):
    drill = judged(life=[LIFE[0], LIFE[1], LIFE[4]], sentences=SENTENCES[:1])
    assert set(verdicts(drill).values()) == {Verdict.INCONCLUSIVE}
    for sentence in SENTENCES[1:]:
        with pytest.raises(NotReady, match="no fault was made and undone"):
            rejudge._say(drill, sentence)


@pytest.mark.parametrize(("ruling", "verdict"), [("keep", Verdict.PASS), ("undecided", Verdict.FAIL)])
def test_a_cutover_under_a_fault_has_to_be_decided_either_way(judged, ruling, verdict):
    drill = judged(life=[*LIFE[:3], event(1020.0, "decided", activity="watch_release", ruling=ruling), *LIFE[3:]])
    drill.check_unexpected()
    assert verdicts(drill)["fault.cutover"] is verdict
    assert "release.watch" not in verdicts(drill)


DRILLS = [drill for drill in planning.drills(FEATURES) if "resilience" in drill.tags]


def faults_of(feature):
    (path,) = (FEATURES / "resilience").glob(f"{feature}.feature")
    return [fault for sentence, fault in BY_SENTENCE.items() if f"When {sentence} <when>" in path.read_text()]


def test_every_fault_has_its_feature_in_steady_state_and_during_a_cutover():
    features = {drill.feature for drill in DRILLS}
    assert sorted(fault.name for feature in features for fault in faults_of(feature)) == sorted(CATALOGUE)
    for feature in features:
        whens = (FEATURES / "resilience" / f"{feature}.feature").read_text()
        assert "| in steady state " in whens
        assert "| while release 1.1.0 is cut over |" in whens


@pytest.mark.parametrize("drill", {drill.feature: drill for drill in DRILLS}.values(), ids=lambda drill: drill.feature)
def test_the_plan_says_of_a_drill_what_its_fault_takes_away(drill):
    for fault in faults_of(drill.feature):
        assert drill.pods_share == fault.pods_share
        assert ("destructive" in drill.tags) == fault.destructive
        assert set(fault.regions) == drill.roles


@pytest.mark.parametrize("drill", {drill.feature: drill for drill in DRILLS}.values(), ids=lambda drill: drill.feature)
def test_the_page_for_people_has_every_fault_with_its_longest_life(drill):
    page = (FEATURES.parent / "docs" / "faults.md").read_text()
    (row,) = [line for line in page.splitlines() if line.startswith("|") and f"`{drill.feature}`" in line]
    for fault in faults_of(drill.feature):
        assert row.endswith(f"| {fault.longest_s:g} s |"), fault.name
