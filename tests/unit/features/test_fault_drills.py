"""What the sentences of a fault's drill make of its folder: the same functions judge it when it ran and afterwards."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drillbook.domain.fault import BY_SENTENCE, CATALOGUE
from drillbook.domain.measurement import Window
from drillbook.domain.verdict import Verdict, merge
from drillbook.drills import replay
from drillbook.drills.seen import NotReady
from drillbook.run import planning
from drillbook.run.environment import DIRECTORY
from drillbook.run.timeline import Event
from features.scenarios import FEATURES
from features.sentences import say
from probes import faults

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

    def judge(*failed, life=LIFE, sentences=SENTENCES, ended_s=ENDED_S + 1, lost=(0.0, 0.0), asleep=None):
        folder = tmp_path / "drills" / "killed"
        (folder / "load").mkdir(parents=True)
        shutil.copy(DIRECTORY / "twin.yaml", tmp_path / "environment.yaml")
        (tmp_path / "timeline.jsonl").write_text("".join(json.dumps(line) + "\n" for line in life))
        (folder / "load" / "plan.json").write_text(json.dumps({"meter": {"rate_hz": RATE_HZ}}))
        (folder / "load" / "state.json").write_text(json.dumps({"phase": "done"}))
        table = requests(failed)
        kept = (table["due_s"] < ended_s) & ~((table["due_s"] >= lost[0]) & (table["due_s"] < lost[1]))
        table = {name: column[kept] for name, column in table.items()}
        pq.write_table(pa.table(table), folder / "load" / "requests.parquet")
        start_s, end_s = np.array([asleep or ()], float).reshape(-1, 2).T
        slept = {"start_s": start_s, "end_s": end_s, "seen_by": pa.array(["scheduler"] * len(start_s), pa.string())}
        pq.write_table(pa.table(slept), folder / "load" / "stalls.parquet")
        document = {
            "feature": "f", "scenario": "s", "description": "", "tags": ["resilience", "ENV-2.2", "pods-50"],
            "sentences": [], "started_s": BEGAN_S,
            "seen": {"release": "", "live": "1.0.0", "window": [BEGAN_S, ENDED_S + 1], "other_writes": 0},
        }  # fmt: skip
        drill = replay.drill(tmp_path, "killed", document)
        for sentence in sentences:
            say(drill, sentence)
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
            say(drill, sentence)


DEPLOYED_S, SWITCHED_S, DECIDED_S, HELD_S = 1005.0, 1012.0, 1020.0, 1029.0


def cut_over(fault, ruling="keep", **at_s):
    """A cutover under a fault; `at_s` moves its moments."""
    times = {"deployed": DEPLOYED_S, "bit": BIT_S, "switched": SWITCHED_S, "decided": DECIDED_S, "held": HELD_S} | at_s
    found = [
        event(times["deployed"], "intent", action="deploy-release"),
        event(MEANT_S, "intent", action=fault),
        event(times["bit"], "observed", action=fault),
        event(times["switched"], "intent", action="switch-traffic"),
        event(times["decided"], "decided", activity="watch_release", ruling=ruling),
        *([event(times["held"], "observed", activity="hold_fault", holds=True)] if CATALOGUE[fault].lasts else []),
        *LIFE[3:],
    ]
    return sorted(found, key=lambda one: one["t_s"])


@pytest.mark.parametrize(("ruling", "verdict"), [("keep", Verdict.PASS), ("undecided", Verdict.FAIL)])
def test_a_cutover_under_a_fault_has_to_be_decided_either_way(judged, ruling, verdict):
    drill = judged(life=cut_over("kill-pod", ruling))
    drill.check_unexpected()
    assert verdicts(drill)["fault.cutover"] is verdict
    assert "release.watch" not in verdicts(drill)


@pytest.mark.parametrize(
    ("fault", "moved", "says"),
    [
        ("kill-pod", {}, ""),
        ("seal-vault", {}, ""),
        ("kill-pod", {"deployed": BIT_S + 1}, "bit 1.00 s before the release was deployed"),
        ("kill-pod", {"decided": BIT_S - 0.5}, "bit 0.50 s after the release was decided on"),
        ("seal-vault", {"switched": BIT_S - 2}, "first seen 2.00 s after the public began to be switched"),
        ("seal-vault", {"held": DECIDED_S - 3}, "last seen 3.00 s before the release was decided on"),
        ("seal-vault", {"decided": BIT_S - 0.5, "switched": BIT_S - 0.7}, "first seen 0.70 s after"),
    ],
)
def test_a_fault_that_was_not_there_during_the_cutover_proves_nothing(judged, fault, moved, says):
    drill = judged(life=cut_over(fault, **moved))
    drill.check_unexpected()
    (found,) = [judgement for judgement in drill.judgements if judgement.objective.id == "fault.overlap"]
    assert found.verdict is (Verdict.INCONCLUSIVE if says else Verdict.PASS)
    assert says in found.reason


@pytest.mark.parametrize("gone", ["deploy-release", "kill-pod", "switch-traffic", "watch_release", "hold_fault"])
def test_an_overlap_that_was_not_seen_is_none(judged, gone):
    fault = "kill-pod" if gone in {"deploy-release", "kill-pod"} else "seal-vault"
    whole = cut_over(fault)
    names = [(line["data"].get("action") or line["data"].get("activity"), line["kind"]) for line in whole]
    lacking = [
        line
        for line, (name, kind) in zip(whole, names, strict=True)
        if (name, kind) != (gone, kind) or (gone == fault and kind == "intent")
    ]
    drill = judged(life=lacking, sentences=())
    measured = faults.cutovers_under(drill.seen.events, drill.seen.window)
    assert measured.interval is None
    assert measured.doubts


moments = st.floats(1001.0, 1039.0)


@given(bit=moments, switched=moments, decided=moments, held=moments)
def test_only_a_fault_that_spans_the_cutover_counts(bit, switched, decided, held):
    held, decided = max(bit, held), max(switched, decided)
    events = [Event(**line) for line in cut_over("seal-vault", bit=bit, switched=switched, decided=decided, held=held)]
    found = faults.cutovers_under(events, Window(BEGAN_S, ENDED_S))
    assert (found.interval is not None) == (bit <= switched and decided <= held)


def regions(t_s, *, streams):
    seen = {
        "activity": "topology", "home": "east", "away": "west", "streams": streams, "held": False,
        "orders": {"home": "", "away": "standby"}, "name": ["east", "west"], "application": {"east": "east"},
    }  # fmt: skip
    return event(t_s, "observed", holds=streams, **seen)


@pytest.mark.parametrize(
    ("looks", "verdict"),
    [
        ([(BEGAN_S, True), (ENDED_S, True)], Verdict.PASS),
        ([(BEGAN_S, True), (ENDED_S, False)], Verdict.FAIL),
        ([(BEGAN_S, True)], Verdict.FAIL),
    ],
)
def test_a_standby_that_a_cut_link_has_lost_for_good_fails_the_drill(judged, tmp_path, looks, verdict):
    back = {"version": "1.0.0", "ready": 2, "desired": 2, "pods": 2, "others": 0, "unserved": ""}
    told = [regions(t_s, streams=streams) for t_s, streams in looks]
    life = [*LIFE, *told, event(ENDED_S, "observed", activity="starting_state", holds=True, **back)]
    drill = judged(life=sorted(life, key=lambda one: one["t_s"]), sentences=())
    (tmp_path / "undo.jsonl").touch()
    replay.judge_the_way_back(drill)
    assert verdicts(drill)["drill.topology"] is verdict


@pytest.mark.parametrize("ended_s", [MEANT_S - 5, MEANT_S + 5, LIFTED_S - 1, LIFTED_S + 1, ENDED_S - 2])
def test_a_load_that_ended_early_proves_nothing(judged, ended_s):
    drill = judged(sentences=(), ended_s=ended_s)
    for sentence in SENTENCES:
        say(drill, sentence)
    assert merge(verdicts(drill).values()) is Verdict.INCONCLUSIVE
    assert verdicts(drill)["fault.recovery.new"] is Verdict.INCONCLUSIVE


@pytest.mark.parametrize(
    ("start_s", "end_s"), [(MEANT_S, MEANT_S + 2), (BIT_S + 3, BIT_S + 6), (LIFTED_S, LIFTED_S + 4)]
)
def test_requests_that_were_not_recorded_while_the_fault_was_there_prove_nothing(judged, start_s, end_s):
    assert merge(verdicts(judged(lost=(start_s, end_s))).values()) is not Verdict.PASS


def test_a_meter_that_slept_through_the_fault_proves_nothing(judged):
    assert merge(verdicts(judged(asleep=(BIT_S, BIT_S + 5))).values()) is not Verdict.PASS


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
