"""Once a run is over, a second Ctrl-C neither ends the report nor shows where it was."""

from __future__ import annotations

import os
import signal

import pytest

from drillbook.run.stopping import Stop


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_after_the_end_only_says_so(capsys, number):
    before = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        signal.signal(number, signal.SIG_DFL)  # a test that is run in the background inherits that it is ignored
        Stop().over()
        os.kill(os.getpid(), number)
        assert "the run is over; its report is being written" in capsys.readouterr().err
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def test_what_is_ignored_stays_so():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    others = {each: signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGHUP)}
    try:
        Stop().over()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
        for each, handler in others.items():
            signal.signal(each, handler)
