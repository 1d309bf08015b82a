"""Workers of a distributed load as processes on loopback: their shares, their reports, and one that is killed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time

import numpy as np
import pytest

from drillbook.beside.load_worker import SAYS
from drillbook.domain.latencies import Latencies
from drillbook.domain.shape import steady
from drillbook.domain.verdict import Objective, Verdict, judge
from drillbook.domain.workers import Report
from probes import workers
from probes.recording import recording
from tests.integration.load.conftest import ROOT

FAILED = Objective("workers.failed_requests", "none failed", "at_most", 0, "requests")
SHAPE = steady(100, 6)
_BEGINS_AFTER_S = 25.0
"""A busy machine takes its time to import two loads."""

pytestmark = pytest.mark.slow


@pytest.fixture
def started(stub, tmp_path):
    """Two workers of one schedule that begins in some seconds, and the folder in which they are told of."""
    start_s = time.time() + _BEGINS_AFTER_S
    made = []
    for worker in range(2):
        output = tmp_path / f"worker-{worker}" / "load"
        plan = {
            "base_url": f"http://127.0.0.1:{stub.port}",
            "workload": "loadtests.analytics:AnalyticsWorkload",
            "meter": {
                "rate_hz": 50, "timeout_s": 2, "shape": SHAPE.as_document(), "start_s": start_s,
                "share": {"worker": worker, "workers": 2},
            },
            "output": str(output),
            "namespace": f"w{worker}",
        }  # fmt: skip
        made.append(
            subprocess.Popen(
                [sys.executable, "-m", "drillbook.beside.load_worker"], cwd=ROOT, stdout=subprocess.PIPE, text=True,
                env=os.environ | {"PLAN": json.dumps(plan)}, start_new_session=True,
            )
        )  # fmt: skip
    folder = tmp_path / "drill" / workers.FOLDER
    folder.mkdir(parents=True)
    record = workers.Record(2, start_s, tuple(SHAPE.as_document()))
    (folder / workers.FILE).write_text(json.dumps(record.as_document()))
    yield made, folder
    for process in made:
        if process.poll() is None:
            os.killpg(process.pid, 9)
        process.wait(10)
        process.stdout.close()


def listened(made, folder):
    """What each has said is kept."""
    for worker, process in enumerate(made):
        printed, _ = process.communicate(timeout=60)
        said = next((line for line in printed.splitlines() if line.startswith(SAYS)), "")
        document = {"worker": worker, "asked_s": 0.0, "read_s": time.time(), "report": said.removeprefix(SAYS)}
        (folder / f"{worker}.json").write_text(json.dumps(document))
    return folder.parent


def test_two_workers_send_one_schedule_and_their_histograms_are_those_of_all_rows(started, tmp_path):
    made, folder = started
    path = listened(made, folder)
    rows = [recording(tmp_path / f"worker-{worker}").metered() for worker in range(2)]
    due_s = np.sort(np.concatenate([one.due_s for one in rows]))
    assert len(due_s) == 600
    assert np.allclose(np.diff(due_s), 0.01, atol=1e-4)
    assert judge(FAILED, workers.failed_requests(path)).verdict is Verdict.PASS
    took_s = np.sort(np.concatenate([one.done_s - one.due_s for one in rows]))
    kept = [json.loads((folder / f"{worker}.json").read_text())["report"] for worker in range(2)]
    merged = Latencies.merged(Report.from_document(json.loads(said)).seen for said in kept)
    for quantile in (0.5, 0.9, 0.99):
        rank = int(quantile * len(took_s))
        found = merged.ranked(rank)
        assert found.low - 1e-6 <= took_s[rank - 1] <= found.high + 1e-6
        assert found.high <= found.low * 1.001 + 2e-6
    assert workers.events_lost(path).interval.high == 0


def test_a_worker_that_is_killed_in_the_midst_makes_the_whole_inconclusive(started):
    made, folder = started
    deadline = time.monotonic() + 60
    state = folder.parents[1] / "worker-1" / "load" / "state.json"
    while not state.exists() or json.loads(state.read_text())["phase"] != "running":
        assert time.monotonic() < deadline, "the worker did not begin"
        time.sleep(0.05)
    time.sleep(1)
    os.killpg(made[1].pid, 9)
    path = listened(made, folder)
    found = judge(FAILED, workers.failed_requests(path))
    assert found.verdict is Verdict.INCONCLUSIVE
    assert "worker 1 did not report: of its 300 requests nothing is known" in found.reason
    assert workers.failed_requests(path).interval.high >= 300
