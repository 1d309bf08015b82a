"""A stop ends what the main thread does, at once, and never ends the way back."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from drillbook import cli
from drillbook.run import drills_process
from drillbook.run.stopping import Stop

LONG_S = 20.0


@pytest.fixture(autouse=True)
def signals_as_before():
    """Whoever runs the tests in the background has some of them ignored; each test begins with what is usual."""
    usual = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL, signal.SIGHUP: signal.SIG_DFL}
    before = {number: signal.signal(number, handler) for number, handler in usual.items()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def soon(function, *arguments):
    threading.Timer(0.05, function, arguments).start()


def told(tell, *arguments):
    """What a run does when it is told to end: something that takes long."""
    tell(*arguments)
    time.sleep(LONG_S)


@pytest.mark.parametrize("sigint", [signal.default_int_handler, signal.SIG_IGN], ids=["as usual", "ignored"])
def test_a_reason_from_a_thread_ends_a_waiting_main_thread_at_once(sigint):
    """A job that a script puts into the background has SIGINT ignored."""
    signal.signal(signal.SIGINT, sigint)
    stop, since_s = Stop(), time.monotonic()
    with stop.possible(), pytest.raises(KeyboardInterrupt):
        told(soon, stop.because, "enough")
    assert time.monotonic() - since_s < LONG_S / 4
    assert stop.reasons == ["enough"]
    assert stop.told


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_a_signal_ends_it_as_well(number):
    stop = Stop()
    with stop.possible(), pytest.raises(KeyboardInterrupt):
        told(os.kill, os.getpid(), number)
    assert stop.told
    assert stop.reasons == []


def test_a_second_signal_leaves_the_clearing_up_after_the_first_alone(capsys):
    stop, cleared = Stop(), []

    def clear_up():
        try:
            {}["nothing"]
        except KeyError:  # in the middle of another error, as the end of a process that is late is
            os.kill(os.getpid(), signal.SIGTERM)
        cleared.append("whole")

    def work():
        try:
            told(os.kill, os.getpid(), signal.SIGINT)
        finally:
            clear_up()

    with stop.possible(), pytest.raises(KeyboardInterrupt):
        work()
    assert cleared == ["whole"]
    assert "is being put back" in capsys.readouterr().err


def test_a_signal_that_something_has_swallowed_is_not_the_last():
    stop = Stop()
    with stop.possible():
        with contextlib.suppress(KeyboardInterrupt):
            told(stop.because, "one")
        with pytest.raises(KeyboardInterrupt):
            told(stop.because, "one")
    assert stop.reasons == ["one"]


def test_on_the_way_back_a_signal_is_said_and_remembered(capsys):
    stop = Stop()
    with stop.possible(), stop.put_off():
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGTERM)
    assert stop.told
    assert capsys.readouterr().err.count("is being put back") == 2


def test_a_terminal_that_is_gone_keeps_nothing_from_being_put_back(monkeypatch):
    gone = io.StringIO()
    gone.close()
    monkeypatch.setattr(sys, "stderr", gone)
    stop = Stop()
    with stop.possible(), stop.put_off():
        os.kill(os.getpid(), signal.SIGTERM)
    assert stop.told


def test_an_ignored_hangup_stays_ignored():
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    stop = Stop()
    with stop.possible():
        os.kill(os.getpid(), signal.SIGHUP)
    assert not stop.told


def test_an_ignored_interrupt_does_not():
    """It is ignored in whatever a script has put into the background."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    stop = Stop()
    with stop.possible(), pytest.raises(KeyboardInterrupt):
        told(os.kill, os.getpid(), signal.SIGINT)
    assert stop.told


def test_signals_are_as_before_afterwards():
    before = signal.getsignal(signal.SIGTERM)
    with Stop().possible():
        assert signal.getsignal(signal.SIGTERM) is not before
    assert signal.getsignal(signal.SIGTERM) is before


CHILD = """
import pathlib, signal, sys, time
def told(number, frame):
    pathlib.Path(sys.argv[1], 'told').write_text(signal.Signals(number).name)
    sys.exit(75)
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, told)
pathlib.Path(sys.argv[1], 'ready').touch()
time.sleep(20)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_a_signal_to_verify_reaches_the_runner_and_its_end_is_waited_for(tmp_path, number):
    def once_ready():
        give_up = time.monotonic() + 10
        while not (tmp_path / "ready").exists() and time.monotonic() < give_up:
            time.sleep(0.005)
        os.kill(os.getpid(), number)

    threading.Thread(target=once_ready).start()
    with drills_process.begun_run() as begun:
        assert drills_process.run([sys.executable, "-I", "-S", "-c", CHILD, str(tmp_path)], tmp_path, begun) == 75
        assert begun.folder() is None
    assert (tmp_path / "told").read_text() == number.name


def test_the_runner_says_which_folder_its_run_has(tmp_path):
    child = "import os, sys; os.write(int(sys.argv[1].partition('=')[2]), b'/runs/one')"
    with drills_process.begun_run() as begun:
        assert drills_process.run([sys.executable, "-I", "-S", "-c", child], tmp_path, begun) == 0
        assert begun.folder() == Path("/runs/one")


def test_a_run_that_pytest_calls_a_wrong_use_is_refused(monkeypatch):
    monkeypatch.setattr(drills_process, "run", lambda *_: 4)
    with pytest.raises(SystemExit) as ended:
        cli.app(["verify", "--environment", "twin"])
    assert ended.value.code == cli.EXIT_REFUSED
