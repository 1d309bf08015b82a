"""What the meter has no port or file for was never asked of the system, and says nothing of it."""

from __future__ import annotations

import errno
import json
import math
import os
from typing import TYPE_CHECKING

import numpy as np
import pytest
from pyarrow import parquet

from drillbook.domain.requests import Stalls
from drillbook.domain.traffic import Connection, Outcome
from loadtests.analytics import AnalyticsWorkload
from loadtests.client import Client
from loadtests.clock import SteadyClock
from loadtests.plan import Target
from loadtests.recorder import Recorder
from loadtests.state import Live

if TYPE_CHECKING:
    from pathlib import Path

CLOCK = SteadyClock.starting_now()
WORKLOAD = AnalyticsWorkload("n", {"seeded_events": 4})


def exchanged(monkeypatch, code: int):
    """An exchange whose connection ends with this error of the kernel."""

    def fail(_self):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(Client, "_connect", fail)
    return Client(Target("http", "127.0.0.1", 9, "", {}, (), None), CLOCK, 1.0).once(WORKLOAD.write(1))


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        (errno.EADDRNOTAVAIL, Outcome.UNABLE), (errno.EMFILE, Outcome.UNABLE), (errno.ENOBUFS, Outcome.UNABLE),
        (errno.ECONNREFUSED, Outcome.REFUSED), (errno.EHOSTUNREACH, Outcome.REFUSED),
        (errno.ETIMEDOUT, Outcome.TIMEOUT),
    ],
)  # fmt: skip
def test_only_our_own_lack_is_called_so(monkeypatch, code, outcome) -> None:
    assert exchanged(monkeypatch, code).outcome is outcome


def test_it_is_written_down_and_nobody_is_charged_with_it(monkeypatch, tmp_path: Path) -> None:
    live = Live(tmp_path, CLOCK, 1.0, lambda: Stalls(np.array([]), np.array([])))
    recorder = Recorder(tmp_path, WORKLOAD, live)
    recorder.record(WORKLOAD.write(1), exchanged(monkeypatch, errno.EMFILE), Connection.NEW, "meter", 5.0)
    live.finish()
    recorder.finish()
    line = json.loads((tmp_path / "live.jsonl").read_text())
    assert (line["unable"], line["unsent"], line["unanswered"]) == (1, 0, {})
    (row,) = parquet.read_table(tmp_path / "requests.parquet").to_pylist()
    assert (row["outcome"], row["error"]) == ("unable", "Too many open files")
    assert math.isnan(row["sent_s"])
    (write,) = parquet.read_table(tmp_path / "ledger.parquet").to_pylist()
    assert write["state"] == "refused"
