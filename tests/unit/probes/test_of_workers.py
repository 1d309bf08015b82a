"""What the workers' reports in a drill's folder say, and what their silence says."""

from __future__ import annotations

import json

import pytest

from drillbook.domain.interval import Interval
from drillbook.domain.shape import steady
from drillbook.domain.verdict import Objective, Verdict, judge
from probes import workers
from tests.unit.domain.test_workers import of, report

FAILED = Objective("workers.failed_requests", "none failed", "at_most", 0, "requests")
LATENCY = Objective("workers.latency", "99 % within 0.3 s", "at_most", 0.3, "s")
SENT = Objective("workers.sent", "99 % in time", "at_least", 0.99, "ratio")
CLOCKS = Objective("workers.clocks", "within 2 s", "at_most", 2, "s")
LOST = Objective("data.lost_of_workers", "none lost", "at_most", 0, "events")


def kept(tmp_path, *reports, of_workers=2):
    folder = tmp_path / "drill" / workers.FOLDER
    folder.mkdir(parents=True)
    record = workers.Record(of_workers, 100.0, tuple(steady(100, 20).as_document()))
    (folder / workers.FILE).write_text(json.dumps(record.as_document()))
    for number, one in enumerate(reports):
        said = one if isinstance(one, str) else json.dumps(one.as_document())
        document = {"worker": number, "asked_s": 120.0, "read_s": 120.6, "report": said}
        (folder / f"{number}.json").write_text(json.dumps(document))
    return folder.parent


def good(worker, took_s=0.02, **more):
    return report(worker, [took_s] * 1000, now_s=120.4, **more)


def verdicts(path):
    return [
        judge(SENT, workers.sent_in_time(path, within_s=0.02, least=0.99)).verdict,
        judge(CLOCKS, workers.clocks(path)).verdict,
        judge(FAILED, workers.failed_requests(path)).verdict,
        judge(LATENCY, workers.latency_quantile(path, q=0.99)).verdict,
        judge(LOST, workers.events_lost(path)).verdict,
    ]


def test_workers_that_all_reported_good_answers_pass(tmp_path):
    path = kept(tmp_path, good(0), good(1))
    assert verdicts(path) == [Verdict.PASS] * 5
    measured = workers.latency_quantile(path, q=0.99)
    assert measured.samples == 2000
    assert measured.evidence == ("drills/drill/workers/0.json", "drills/drill/workers/1.json")


@pytest.mark.parametrize("said", [None, "", "nonsense", '{"worker": 1}'])
def test_a_worker_that_died_or_said_nothing_proves_nothing(tmp_path, said):
    path = kept(tmp_path, good(0), *([] if said is None else [said]))
    assert verdicts(path) == [Verdict.INCONCLUSIVE] * 5
    assert workers.failed_requests(path).interval == Interval(0, 1000)
    assert "worker 1 did not report" in workers.failed_requests(path).doubts[0]


def test_nobody_who_reported_is_no_verdict(tmp_path):
    assert verdicts(kept(tmp_path)) == [Verdict.INCONCLUSIVE] * 5


def test_failures_slow_answers_and_losses_of_one_worker_are_those_of_all(tmp_path):
    bad = report(1, [0.02] * 900 + [0.9] * 90, failed=10, now_s=120.4, lost=(1.0, 1.0))
    sent, clocks, failed, latency, lost = verdicts(kept(tmp_path, good(0), bad))
    assert (sent, clocks) == (Verdict.PASS, Verdict.PASS)
    assert (failed, latency, lost) == (Verdict.FAIL, Verdict.FAIL, Verdict.FAIL)


def test_workers_that_were_starved_decide_nothing(tmp_path):
    late = good(1, sending=of([0.0] * 900 + [0.05] * 100))
    found = judge(SENT, workers.sent_in_time(kept(tmp_path, good(0), late), within_s=0.02, least=0.99))
    assert found.verdict is Verdict.INCONCLUSIVE
    assert "the workers sent 1900 of 2000 requests within 20 ms" in found.reason


def test_what_a_worker_slept_through_was_not_sent(tmp_path):
    asleep = report(1, [0.02] * 900, doubtful=100, unsent=100, now_s=120.4)
    path = kept(tmp_path, good(0), asleep)
    assert judge(SENT, workers.sent_in_time(path, within_s=0.02, least=0.99)).verdict is Verdict.INCONCLUSIVE
    assert judge(FAILED, workers.failed_requests(path)).verdict is Verdict.INCONCLUSIVE


def test_clocks_are_known_to_within_when_they_were_heard(tmp_path):
    same = workers.clocks(kept(tmp_path / "same", good(0), good(1)))
    assert (same.interval.low, same.interval.high) == (0, pytest.approx(0.4))
    ahead = workers.clocks(kept(tmp_path / "ahead", good(0), report(1, [0.02] * 1000, now_s=125.0)))
    assert (ahead.interval.low, ahead.interval.high) == (pytest.approx(4.4), pytest.approx(5.0))
    assert judge(CLOCKS, ahead).verdict is Verdict.FAIL
