"""The watchdog's two sides, with real processes and signals."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from drillbook.run import processes
from drillbook.run.watchdog import Watchdog, end_of_runner

LISTEN = """
import sys
from drillbook.run.watchdog import end_of_runner
print("ended:", end_of_runner(int(sys.argv[-1])))
"""


def wait_for(condition, deadline_s=10.0):
    give_up = time.monotonic() + deadline_s
    while not (found := condition()):
        assert time.monotonic() < give_up, "it did not come to pass"
        time.sleep(0.01)
    return found


@pytest.fixture
def watchdog(tmp_path):
    made = Watchdog((sys.executable, "-c", LISTEN), tmp_path / "watchdog.log")
    made.start()
    yield made
    made.dismiss()


def test_a_run_that_ends_in_good_order_leaves_nothing_to_undo(watchdog, tmp_path):
    watchdog.beat()
    watchdog.dismiss()
    assert (tmp_path / "watchdog.log").read_text() == "ended: \n"


def test_a_watchdog_that_was_killed_is_started_again(watchdog):
    killed = watchdog.pid
    processes.kill(killed)
    watchdog.beat()
    assert (watchdog.restarts, watchdog.pid != killed) == (1, True)


def test_the_death_of_the_runner_is_known_at_once(tmp_path):
    log = tmp_path / "watchdog.log"
    runner = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(f"""
            import signal, sys
            from pathlib import Path
            from drillbook.run.watchdog import Watchdog
            watchdog = Watchdog((sys.executable, "-c", {LISTEN!r}), Path({str(log)!r}))
            watchdog.start()
            watchdog.beat()
            print("ready", flush=True)
            signal.pause()
        """)],
        stdout=subprocess.PIPE,
    )  # fmt: skip
    with runner:
        assert runner.stdout is not None
        assert runner.stdout.readline() == b"ready\n"
        runner.kill()
    wait_for(lambda: log.read_text() == "ended: the runner has died\n")


def test_a_runner_that_hangs_is_known_by_its_silence():
    reading, writing = os.pipe()
    try:
        os.write(writing, b".")
        assert end_of_runner(reading, silent_s=0.05) == "the runner has said nothing for 0.05 s"
    finally:
        os.close(reading)
        os.close(writing)


def test_a_child_on_a_leash_ends_with_its_parent():
    parent = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent("""
            import os, signal, subprocess
            from drillbook.run import leash
            child = subprocess.Popen(leash.command(os.getpid(), "http.server", "--bind", "127.0.0.1", "0"))
            print(child.pid, flush=True)
            signal.pause()
        """)],
        stdout=subprocess.PIPE,
    )  # fmt: skip
    with parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        # Once it is the module's own process, it is on the leash.
        wait_for(lambda: b"http.server" in Path(f"/proc/{child}/cmdline").read_bytes())
        parent.kill()
    wait_for(lambda: state_of(child) in {"Z", ""})


def test_a_program_on_a_leash_ends_with_its_parent():
    parent = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent("""
            import os, signal, subprocess
            from drillbook.run import leash
            child = subprocess.Popen([*leash.before_a_program(os.getpid()), "sleep", "60"], start_new_session=True)
            print(child.pid, flush=True)
            signal.pause()
        """)],
        stdout=subprocess.PIPE,
    )  # fmt: skip
    with parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        wait_for(lambda: Path(f"/proc/{child}/comm").read_text() == "sleep\n")
        parent.kill()
    wait_for(lambda: state_of(child) in {"Z", ""})


def state_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return ""


def test_whatever_carries_the_mark_is_ended_and_nothing_else():
    mark = {"DRILLBOOK_TEST_MARK": f"{os.getpid()}-{time.monotonic_ns()}"}
    with (
        subprocess.Popen(["sleep", "60"], env={**os.environ, **mark}, start_new_session=True) as marked,
        subprocess.Popen(["sleep", "60"]) as other,
    ):
        wait_for(lambda: processes.carrying(mark))
        assert processes.end(mark) == [marked.pid]
        assert marked.wait(5) == -signal.SIGKILL
        assert other.poll() is None
        other.kill()
