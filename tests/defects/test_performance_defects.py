"""Each promise about performance is seen broken, and what proves nothing is seen to prove nothing."""

from __future__ import annotations

import json
import os
import signal
import time

import pytest

from tests.defects.conftest import process_of

pytestmark = [pytest.mark.twin, pytest.mark.slow]
SPIKE, CAPACITY, WORKERS = "leave_again", "keeps_the_promises", "two_workers"
"""The scenarios that are drilled, by pytest's own names for them."""
FAIL, INCONCLUSIVE = 1, 75
_STARVED_FOR_S = 25.0


def put_back(outcome) -> bool:
    return outcome.verdict_of("drill.") == {"PASS"}


def starve(pid, for_s):
    """Let a process run two fifths of the time."""
    ends = time.monotonic() + for_s
    while time.monotonic() < ends:
        try:
            os.kill(pid, signal.SIGSTOP)
            time.sleep(0.06)
        finally:
            os.kill(pid, signal.SIGCONT)
        time.sleep(0.04)


def test_a_spike_that_the_platform_cannot_take_fails(drilled):
    def busier(document):
        # The leap comes to eight times what it is bearing otherwise: the guard lets users suffer for that long.
        document["load"]["rate"] = 200
        document["guard"]["burn"] = {"bad_share": 1, "for": "60 s"}
        document["guard"]["pods_share"] = 1

    outcome = drilled(SPIKE, only="spike", change=busier)
    assert outcome.code == FAIL, str(outcome)
    assert "FAIL" in outcome.verdict_of("load.latency_highest") | outcome.verdict_of("release.failed"), str(outcome)
    assert put_back(outcome), str(outcome)


def test_a_meter_that_is_starved_proves_nothing_of_a_spike(drilled):
    def squeeze(saboteur):
        saboteur.after("note", "load")
        starve(saboteur.load_process(), _STARVED_FOR_S)

    outcome = drilled(SPIKE, only="spike", sabotage=squeeze)
    assert outcome.code == INCONCLUSIVE, str(outcome)
    assert outcome.verdict_of("load.sent") == {"INCONCLUSIVE"}, str(outcome)
    assert "the machine that makes the load was the limit" in str(outcome)
    assert put_back(outcome), str(outcome)


def test_a_worker_that_is_killed_in_the_midst_makes_the_whole_inconclusive(drilled):
    def kill(saboteur):
        saboteur.after("observed", "start-load-workers")
        [plan] = saboteur.runs.glob("*/drills/*/workers/plan.json")
        begins_s = json.loads(plan.read_text())["start_s"]
        time.sleep(max(0.0, begins_s + 10 - time.time()))
        os.kill(process_of("drillbook.beside.load_worker"), signal.SIGKILL)

    outcome = drilled(WORKERS, only="workers", sabotage=kill)
    assert outcome.code == INCONCLUSIVE, str(outcome)
    assert outcome.verdict_of("workers.") == {"INCONCLUSIVE"}, str(outcome)
    assert "did not report: of its 1600 requests nothing is known" in str(outcome)
    assert outcome.verdict_of("release.failed_requests") == {"PASS"}, str(outcome)
    assert put_back(outcome), str(outcome)
