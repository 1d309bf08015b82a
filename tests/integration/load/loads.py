"""What the tests of the load say of one."""

from __future__ import annotations

import signal

from drillbook.domain.measurement import Window
from probes.recording import recording


def whole_window(drill_dir):
    due_s = recording(drill_dir).metered().due_s
    return Window(float(due_s[0]), float(due_s[-1]) + 1e-6)


def stopped(running):
    running.process.send_signal(signal.SIGTERM)
    assert running.wait() == 0
    assert running.state()["phase"] == "done"
