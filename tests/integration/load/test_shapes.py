"""Loads of a certain shape against a stub on loopback: what is sent, and what is not believed."""

from __future__ import annotations

import signal
import threading
import time

import numpy as np
import requests

from drillbook.domain.measurement import Window
from drillbook.domain.shape import spike, steady
from drillbook.domain.verdict import Objective, Verdict, judge
from probes import downtime, latency, schedule
from probes.recording import recording

SENT = Objective("load.sent", "99 % are sent in time", "at_least", 0.99, "ratio")


def url(stub):
    return f"http://127.0.0.1:{stub.port}"


def shaped(shape, **meter):
    return {"rate_hz": 50, "timeout_s": 5, "shape": shape.as_document(), **meter}


def passed(running, shape):
    """A load that has ended by itself, and its window."""
    assert running.wait() == 0
    assert running.state()["phase"] == "done"
    window = recording(running.drill_dir).of_shape(0.0, shape.length_s)
    assert window is not None
    return window


def test_a_spike_is_sent_as_drawn_and_ends_by_itself(stub, load):
    shape = spike(60, 240, for_s=1, around_s=1)
    running = load(url(stub), meter=shaped(shape))
    window = passed(running, shape)
    rows = recording(running.drill_dir).metered()
    due = [len(rows.due_within(window.start_s + s, window.start_s + s + 1)) for s in (0, 1, 2)]
    assert due == [60, 240, 60]
    assert len(rows) == 360
    assert downtime.failed_requests(running.drill_dir, window).interval.high == 0
    # A window that reaches beyond the shape lacks nothing: nothing was due there.
    beyond = Window(window.start_s, window.end_s + 5)
    assert not downtime.failed_requests(running.drill_dir, beyond).doubts


def test_a_load_that_was_ended_before_its_shape_lacks_rows(stub, load):
    shape = steady(100, 10)
    running = load(url(stub), meter=shaped(shape))
    running.wait_for("running")
    time.sleep(1)
    running.process.send_signal(signal.SIGTERM)
    window = passed(running, shape)
    assert "of 1000 rows" in downtime.failed_requests(running.drill_dir, window).doubts[0]


def test_a_stall_that_a_closed_loop_does_not_feel_is_told(stub, load):
    shape = steady(100, 6)
    took_s: list[float] = []

    def one_closed_user():
        with requests.Session() as session:
            ends_s = time.monotonic() + 6
            while time.monotonic() < ends_s:
                sent_s = time.monotonic()
                session.get(f"{url(stub)}/v1/aggregates?source=none", timeout=5)
                took_s.append(time.monotonic() - sent_s)
                time.sleep(max(0.0, sent_s + 0.02 - time.monotonic()))

    running = load(url(stub), meter=shaped(shape))
    running.wait_for("running")
    users = [threading.Thread(target=one_closed_user) for _ in range(2)]
    for user in users:
        user.start()
    time.sleep(1)
    stub.process.send_signal(signal.SIGSTOP)
    time.sleep(1.5)
    stub.process.send_signal(signal.SIGCONT)
    for user in users:
        user.join(20)
    window = passed(running, shape)
    closed_s = float(np.quantile(took_s, 0.99))
    ours = latency.latency_quantile(running.drill_dir, window, q=0.99)
    assert len(took_s) > 250
    assert closed_s < 0.2, "two users who wait for their answers have two slow ones between them"
    assert not ours.doubts
    # A quarter of all requests were due while nothing answered: the last hundredth waited for almost all of it.
    assert 1.2 < ours.interval.low <= ours.interval.high < 1.7


def test_a_meter_that_is_starved_is_no_witness_for_the_system_nor_against_it(stub, load):
    shape = steady(200, 4)
    running = load(url(stub), meter=shaped(shape))
    running.wait_for("running")
    for _ in range(25):
        running.process.send_signal(signal.SIGSTOP)
        time.sleep(0.06)
        running.process.send_signal(signal.SIGCONT)
        time.sleep(0.04)
    window = passed(running, shape)
    measured = schedule.sent_in_time(running.drill_dir, window, within_s=0.02, least=0.99)
    found = judge(SENT, measured)
    assert found.verdict is Verdict.INCONCLUSIVE
    assert "the machine that makes the load was the limit" in found.reason
    # It fails nobody: what it did not send in time is no failure of the system.
    assert downtime.failed_requests(running.drill_dir, window).interval.low == 0


def test_a_meter_that_keeps_up_is_believed_and_a_full_pipe_is_not_its_fault(stub, load):
    shape = steady(200, 4)
    running = load(url(stub), meter=shaped(shape, max_in_flight=10))
    running.wait_for("running")
    time.sleep(1)
    stub.switch(delay_ms=700)
    time.sleep(1)
    stub.switch()
    window = passed(running, shape)
    assert downtime.failed_requests(running.drill_dir, window).interval.low > 20
    measured = schedule.sent_in_time(running.drill_dir, window, within_s=0.02, least=0.99)
    assert judge(SENT, measured).verdict is Verdict.PASS, measured
