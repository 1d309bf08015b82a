from __future__ import annotations

import json
import signal
import time
from collections import Counter

import pytest

from drillbook.domain.measurement import Window
from drillbook.domain.traffic import Connection
from probes import downtime, integrity, latency, serving
from probes.recording import recording
from tests.integration.load.loads import stopped, whole_window


def url(stub):
    return f"http://127.0.0.1:{stub.port}"


def outcomes(rows, connection=None):
    return Counter(row["outcome"] for row in rows if connection in {None, row["connection"]})


def test_a_load_without_trouble(stub, load):
    running = load(url(stub), analysts=2, collectors=2)
    running.wait_for("running")
    time.sleep(2)
    stopped(running)
    rows = running.rows()
    meter = [row for row in rows if row["kind"] == "meter"]
    assert outcomes(rows) == {"ok": len(rows)}
    assert {row["kind"] for row in rows} == {"meter", "analyst", "collector"}
    assert {(row["version"], row["slot"], row["region"]) for row in rows} == {("1.0.0", "blue", "us-east-1")}
    new = sorted(row["due_s"] for row in meter if row["connection"] == "new")
    reused = sorted(row["due_s"] for row in meter if row["connection"] == "reused")
    assert new[1] - new[0] == pytest.approx(0.02, abs=1e-4)
    assert reused[0] - new[0] == pytest.approx(0.01, abs=1e-4)
    assert all(row["fresh"] for row in meter if row["connection"] == "new")
    assert sum(row["fresh"] for row in meter if row["connection"] == "reused") == 10
    lost = integrity.acknowledged_events_lost(running.drill_dir)
    assert (lost.interval.low, lost.interval.high) == (0, 0)
    assert lost.samples == len({row["key"] for row in running.rows("ledger")})
    live = [json.loads(line) for line in (running.folder / "live.jsonl").read_text().splitlines()]
    assert sum(line["versions"].get("1.0.0|blue", {"ok": 0})["ok"] for line in live) == len(rows)
    assert not list(running.folder.glob("*.arrows"))


def test_a_server_that_dies_and_returns_is_an_outage_of_that_length(stub, load):
    # Writes only: the stub forgets its seed with its process, and would answer queries wrongly ever after.
    running = load(url(stub), workload_options={"write_every": 1})
    running.wait_for("running")
    time.sleep(1)
    began = time.monotonic()
    stub.kill()
    time.sleep(0.8)
    stub.start()
    lasted = time.monotonic() - began
    time.sleep(1)
    stopped(running)
    window = whole_window(running.drill_dir)
    for connection in Connection:
        seen = downtime.downtime(running.drill_dir, window, connection, good_for_s=0.1)
        assert not seen.doubts
        assert lasted - 0.3 < seen.interval.low < seen.interval.high < lasted + 0.3
    assert outcomes(running.rows(), "new")["refused"] > 20
    assert integrity.acknowledged_events_lost(running.drill_dir).interval.low > 20


def test_what_goes_wrong_is_told_apart(stub, load):
    running = load(url(stub), live_window_s=0.1)
    running.wait_for("running")
    for switches in ({"error_share": 1}, {"wrong_share": 1}, {"reset": True}, {"hang": True}):
        stub.switch(**switches)
        time.sleep(0.5)
    stub.switch(version="1.1.0", slot="green")
    time.sleep(0.5)
    stopped(running)
    rows = running.rows()
    for connection in ("new", "reused"):
        seen = outcomes(rows, connection)
        assert min(seen[name] for name in ("server_error", "wrong_answer", "reset", "timeout")) >= 5
    timeouts = [row for row in rows if row["outcome"] == "timeout"]
    assert all(1.0 <= row["done_s"] - row["sent_s"] < 1.3 for row in timeouts)
    states = Counter(row["state"] for row in running.rows("ledger"))
    assert states["indeterminate"] > 10
    window = whole_window(running.drill_dir)
    switch = serving.version_serving_after(running.drill_dir, window, "1.1.0")
    # What hung and named nobody was not answered by the new version either.
    assert 1.8 < switch.interval.low < switch.interval.high < 3
    assert serving.bad_version_exposure(running.drill_dir, window, "1.0.0", flaw="errors").interval.low > 0.5


def test_lost_altered_and_duplicated_writes_are_found(stub, load):
    running = load(url(stub))
    running.wait_for("running")
    stub.switch(lose_share=0.1)
    time.sleep(1)
    stub.switch(duplicate=True)
    time.sleep(0.5)
    stub.switch()
    stopped(running)
    assert integrity.acknowledged_events_lost(running.drill_dir).interval.low >= 3
    assert integrity.events_duplicated(running.drill_dir).interval.low >= 10


def test_latency_counts_from_due_and_a_full_pipe_is_unsent(stub, load):
    running = load(url(stub), meter={"rate_hz": 50, "timeout_s": 2, "max_in_flight": 20})
    running.wait_for("running")
    time.sleep(0.5)
    stub.switch(delay_ms=500)
    time.sleep(1.5)
    stub.switch()
    stopped(running)
    window = whole_window(running.drill_dir)
    failed = downtime.failed_requests(running.drill_dir, window)
    assert outcomes(running.rows())["unsent"] == failed.interval.high > 20
    slow = latency.latency_quantile(running.drill_dir, window, q=0.5)
    assert slow.interval.high > 0.5


def test_a_polite_close_of_an_idle_connection_is_no_failure(stub, load):
    stub.switch(polite_close_after=0.05)
    running = load(url(stub))
    running.wait_for("running")
    time.sleep(1.5)
    stopped(running)
    rows = running.rows()
    assert outcomes(rows) == {"ok": len(rows)}
    assert sum(row["fresh"] for row in rows if row["connection"] == "reused") > 20


def test_a_killed_load_leaves_its_evidence_and_no_verdict(stub, load):
    running = load(url(stub))
    running.wait_for("running")
    time.sleep(2.5)
    running.process.kill()
    running.process.wait(10)
    time.sleep(0.1)
    due_s = recording(running.drill_dir).metered().due_s
    assert len(due_s) > 100
    window = Window(float(due_s[0]), float(due_s[0]) + 10)
    assert "phase 'running'" in downtime.failed_requests(running.drill_dir, window).doubts[0]
    assert integrity.acknowledged_events_lost(running.drill_dir).interval is None


def test_a_stopped_meter_is_no_witness(stub, load):
    running = load(url(stub))
    running.wait_for("running")
    time.sleep(0.6)
    running.process.send_signal(signal.SIGSTOP)
    time.sleep(0.7)
    running.process.send_signal(signal.SIGCONT)
    time.sleep(0.6)
    stopped(running)
    window = whole_window(running.drill_dir)
    for connection in Connection:
        seen = downtime.downtime(running.drill_dir, window, connection)
        assert seen.interval.low == 0
        assert seen.interval.high >= 0.65
        assert "did not run" in seen.doubts[0]
    # What was due meanwhile is not sent all at once afterwards, is no certain failure, and looks like no slow release.
    assert outcomes(running.rows())["unsent"] >= 10
    assert downtime.failed_requests(running.drill_dir, window).interval.low == 0
    lines = [json.loads(line) for line in (running.drill_dir / "load" / "live.jsonl").read_text().splitlines()]
    answers = [seen for line in lines for seen in line["versions"].values()]
    assert sum(len(seen["latency_ms"]) for seen in answers) > 20
    assert max(took_ms for seen in answers for took_ms in seen["latency_ms"]) < 300
    assert sum(line["unsent"] for line in lines) == 0


def test_a_system_that_is_not_there_is_told(load):
    running = load("http://127.0.0.1:9", start_within_s=1)
    assert running.wait() == 1
    state = running.state()
    assert state["phase"] == "failed"
    assert "did not take the load's seed within 1 s" in state["error"]
    assert "refused" in state["error"]


def test_a_wrong_plan_ends_with_2_and_a_sentence(load):
    running = load("ftp://nowhere")
    assert running.wait() == 2
    assert "base_url has to look like http://host:port/path" in (running.folder / "load.log").read_text()
