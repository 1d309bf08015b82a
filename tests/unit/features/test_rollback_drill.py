"""What the sentence about a bad release's users makes of a drill's folder."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from drillbook.domain.verdict import Verdict
from drillbook.drills import replay
from drillbook.run.environment import DIRECTORY
from features.sentences import say

RATE_HZ = 10
BEGAN_S, SWITCHED_S, BACK_S, ENDED_S = 1000.0, 1010.0, 1210.0, 1240.0
SENTENCE = "its users had bad answers for at most 120 s"
WAY_BACK = "release 1.0.0 answered all requests from 10 s after the way back on"


def event(t_s, kind, **data):
    return {"t_s": t_s, "drill": "bad", "kind": kind, "text": "it was so", "data": data}


STORY = (
    event(SWITCHED_S, "intent", action="switch-traffic"),
    event(SWITCHED_S + 0.1, "injected", action="switch-traffic"),
    event(BACK_S - 0.1, "decided", activity="watch_release", ruling="roll back", flaw="errors"),
    event(BACK_S, "intent", activity="roll_back"),
    event(BACK_S + 0.1, "injected", activity="roll_back"),
)


@pytest.fixture
def judged(tmp_path):
    """What a sentence makes of the drill that these requests are of: its judgements by their ids."""

    def judge(sentence, table, story=STORY, ledger=(), lost=()):
        load = tmp_path / "drills" / "bad" / "load"
        load.mkdir(parents=True)
        shutil.copy(DIRECTORY / "twin.yaml", tmp_path / "environment.yaml")
        (tmp_path / "timeline.jsonl").write_text("".join(json.dumps(line) + "\n" for line in story))
        (load / "plan.json").write_text(json.dumps({"meter": {"rate_hz": RATE_HZ}}))
        (load / "state.json").write_text(json.dumps({"phase": "done"}))
        pq.write_table(pa.table(table), load / "requests.parquet")
        if ledger:
            pq.write_table(pa.Table.from_pylist(list(ledger)), load / "ledger.parquet")
            found = [read_back(row["key"], there=row["key"] not in lost) for row in ledger]
            pq.write_table(pa.Table.from_pylist(found), load / "readback.parquet")
        document = {
            "feature": "f", "scenario": "s", "description": "", "tags": ["DEP-2.3"], "sentences": [],
            "started_s": BEGAN_S,
            "seen": {"release": "1.2.0-bad", "live": "1.0.0", "window": [BEGAN_S, ENDED_S], "other_writes": 0},
        }  # fmt: skip
        drill = replay.drill(tmp_path, "bad", document)
        say(drill, sentence)
        return {judgement.objective.id: judgement.verdict for judgement in drill.judgements}

    return judge


@pytest.fixture
def said(judged):
    """The verdict on a bad release that failed by its name for two seconds, and in stretches without any name."""
    return lambda *unnamed: judged(SENTENCE, requests(unnamed))["release.rollback"]


def requests(unnamed):
    count = int((ENDED_S - BEGAN_S) * RATE_HZ * 2)
    due = BEGAN_S + np.arange(count) / (2 * RATE_HZ)
    bad = (due >= SWITCHED_S) & (due < BACK_S)
    version = np.where(bad, "1.2.0-bad", "1.0.0").astype(object)
    outcome = np.full(count, "ok", dtype=object)
    outcome[bad & (due < SWITCHED_S + 2) & (np.arange(count) % 3 == 0)] = "server_error"
    for start_s, end_s in unnamed:
        lost = (due >= start_s) & (due < end_s) & (np.arange(count) % 5 == 0)
        outcome[lost], version[lost] = "timeout", ""
    return {
        "due_s": due, "sent_s": due, "done_s": due + 0.01, "outcome": outcome, "version": version,
        "status": np.where(version == "", 0, 200).astype(np.int16),
        "connection": np.where(np.arange(count) % 2 == 0, "new", "reused").astype(object),
        **{name: np.full(count, value, dtype=object) for name, value in (
            ("kind", "meter"), ("region", "r"), ("slot", "green"))},
    }  # fmt: skip


def test_a_release_that_failed_for_two_seconds_passes(said):
    assert said() is Verdict.PASS


def test_requests_that_failed_without_a_name_until_the_way_back_keep_it_from_passing(said):
    assert said((SWITCHED_S + 2, BACK_S)) is Verdict.INCONCLUSIVE


def test_those_of_connections_that_stayed_after_the_way_back_do_too(said):
    assert said((BACK_S + 2, BACK_S + 3)) is Verdict.INCONCLUSIVE


def test_those_from_before_the_release_could_be_reached_are_not_its(said):
    assert said((BEGAN_S, SWITCHED_S - 0.1)) is Verdict.PASS


@pytest.mark.parametrize("flaw", ["latency", None])
@pytest.mark.parametrize("failures", [0, 1, 10])
def test_the_users_of_a_slow_release_had_bad_answers_as_long_as_it_answered_though_some_failed(judged, flaw, failures):
    decided = event(BACK_S - 0.1, "decided", activity="watch_release", ruling="roll back", flaw=flaw)
    story = [decided if line["kind"] == "decided" else line for line in STORY]
    table = requests(())
    table["outcome"][:] = "ok"
    table["outcome"][np.flatnonzero(table["version"] == "1.2.0-bad")[100 : 100 + failures]] = "server_error"
    assert judged(SENTENCE, table, story)["release.rollback"] is Verdict.FAIL


def failing(outcome, start_s, every=3):
    """The old release does not cope any more from here on: what fails by its name, and what names nobody."""
    table = requests(())
    bad = (table["due_s"] >= start_s) & (np.arange(len(table["due_s"])) % every == 0)
    table["outcome"][bad] = outcome
    if outcome == "timeout":
        table["version"][bad] = ""
    return table


def test_an_old_release_that_answers_all_requests_again_passes(judged):
    assert judged(WAY_BACK, requests(()))["release.way_back"] is Verdict.PASS


@pytest.mark.parametrize("every", [1, 3])
@pytest.mark.parametrize("outcome", ["server_error", "wrong_answer", "timeout"])
def test_an_old_release_that_fails_requests_after_the_way_back_does_not_answer_all_of_them(judged, outcome, every):
    assert judged(WAY_BACK, failing(outcome, BACK_S + 0.3, every))["release.way_back"] is Verdict.FAIL


def test_requests_that_fail_while_users_come_back_are_within_the_time_for_it(judged):
    table = requests([(BACK_S + 1, BACK_S + 9)])
    assert judged(WAY_BACK, table)["release.way_back"] is Verdict.PASS


def test_a_lone_time_out_long_after_the_way_back_is_a_request_that_was_not_answered(judged):
    table = requests([(BACK_S + 20, BACK_S + 20.25)])
    assert np.count_nonzero(table["version"] == "") == 1
    assert judged(WAY_BACK, table)["release.way_back"] is Verdict.FAIL


OF_RELEASE = "every event that release 1.1.0 acknowledged is there, once and unchanged"


def write(key, due_s, version):
    return {"key": key, "due_s": due_s, "sent_s": due_s, "done_s": due_s, "state": "acknowledged", "version": version}


def read_back(key, *, there):
    return {"key": key, "copies": int(there), "equal": there, "error": ""}


@pytest.mark.parametrize("lost", ["early", "on its way out"])
def test_an_event_that_a_release_acknowledged_is_missed_also_after_its_way_back_was_declared(judged, lost):
    ledger = [
        write("early", SWITCHED_S + 1, "1.1.0"),
        write("on its way out", BACK_S + 3, "1.1.0"),
        write("another's", BACK_S + 3, "1.0.0"),
    ]
    found = judged(OF_RELEASE, requests(()), ledger=ledger, lost={lost})
    assert found["data.lost_of_release"] is Verdict.FAIL


def test_what_another_release_acknowledged_meanwhile_is_not_its(judged):
    ledger = [write("its", SWITCHED_S + 1, "1.1.0"), write("another's", SWITCHED_S + 1, "1.0.0")]
    found = judged(OF_RELEASE, requests(()), ledger=ledger, lost={"another's"})
    assert found["data.lost_of_release"] is Verdict.PASS


ROLLED_OUT = "release 1.1.0 answered all requests from 120 s after its roll-out's order on"
UPDATED = event(SWITCHED_S, "intent", action="update-release")
ORDERED_BACK = event(BACK_S, "decided", activity="roll_back", by="operator")
PUT_BACK = event(ENDED_S - 1, "intent", activity="put_back")


def rolling(new_from_s):
    """Pods are replaced one after the other, the last of them then."""
    table = requests(())
    due = table["due_s"]
    replaced = (due >= SWITCHED_S) & ((due >= new_from_s) | (np.arange(len(due)) % 2 == 0)) & (due < BACK_S)
    table["outcome"][:], table["version"][:] = "ok", np.where(replaced, "1.1.0", "1.0.0")
    return table


def test_an_update_that_has_replaced_all_pods_in_time_passes(judged):
    found = judged(ROLLED_OUT, rolling(SWITCHED_S + 100), (UPDATED, ORDERED_BACK, PUT_BACK))
    assert found["release.rolled_out"] is Verdict.PASS


def test_an_update_that_takes_longer_does_not(judged):
    found = judged(ROLLED_OUT, rolling(SWITCHED_S + 130), (UPDATED, ORDERED_BACK, PUT_BACK))
    assert found["release.rolled_out"] is Verdict.FAIL


def test_an_update_that_was_given_up_after_its_time_has_broken_its_promise(judged):
    given_up = event(SWITCHED_S + 125, "intent", activity="put_back")
    found = judged(ROLLED_OUT, rolling(BACK_S), (UPDATED, given_up))
    assert found["release.rolled_out"] is Verdict.FAIL


def test_an_update_that_was_given_up_before_its_time_has_not_shown_it(judged):
    found = judged(ROLLED_OUT, rolling(BACK_S), (UPDATED, event(SWITCHED_S + 60, "intent", activity="put_back")))
    assert found["release.rolled_out"] is Verdict.INCONCLUSIVE
