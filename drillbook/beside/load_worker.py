"""One worker of a distributed load: `python -m drillbook.beside.load_worker`, with its plan in the variable PLAN.

It makes its share of the load with the load's own program, in a folder of its own, and prints one line: what it saw, as
counts and histograms. A worker that does not come so far prints none, and its share counts as unknown.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from drillbook.domain.latencies import Latencies
from drillbook.domain.workers import Report
from probes.integrity import acknowledged_events_lost, events_duplicated
from probes.recording import recording

if TYPE_CHECKING:
    from types import FrameType

    from drillbook.domain.measurement import Measurement

SAYS = "drillbook-load-worker "
"""Beginning of the line with the report."""


def report(drill_dir: Path, worker: int, now_s: float) -> Report:
    """What a load that has ended left in its folder, summed up."""
    load = recording(drill_dir)
    requests, stalls = load.metered(), load.stalls()
    failed, doubtful = requests.failed(), requests.doubtful(stalls)
    good = requests.chosen(~failed)
    seen_s = good.done_s - good.due_s
    least_s = np.maximum(0.0, seen_s - np.nan_to_num(stalls.within(good.due_s, good.done_s)))
    unsent = np.isnan(requests.sent_s)
    late_s = np.maximum(0.0, (requests.sent_s - requests.due_s)[~unsent])
    lost = acknowledged_events_lost(drill_dir)
    return Report(
        worker=worker,
        due=len(requests),
        failed=int(np.count_nonzero(failed & ~doubtful)),
        doubtful=int(np.count_nonzero(doubtful)),
        seen=Latencies.of(seen_s),
        least=Latencies.of(least_s),
        sending=Latencies.of(late_s),
        unsent=int(np.count_nonzero(unsent & doubtful)),
        lost=_bounds(lost),
        duplicated=_bounds(events_duplicated(drill_dir)),
        acknowledged=lost.samples,
        now_s=now_s,
    )


def _bounds(measured: Measurement) -> tuple[float, float]:
    """What is not known may be all of it."""
    found = measured.interval
    return (0.0, float(max(1, measured.samples))) if found is None else (found.low, found.high)


def main() -> int:
    """Make the load, then say what came of it."""
    plan: dict[str, Any] = json.loads(os.environ["PLAN"])
    output = Path(plan["output"])
    output.mkdir(parents=True, exist_ok=True)
    (output / "plan.json").write_text(json.dumps(plan), encoding="utf-8")
    load = subprocess.Popen([sys.executable, "-m", "loadtests", "--plan", str(output / "plan.json")])

    def end(_number: int, _frame: FrameType | None) -> None:
        load.terminate()

    signal.signal(signal.SIGTERM, end)
    code = load.wait()
    if code != 0:
        return code if code > 0 else 1
    worker = int(plan["meter"]["share"]["worker"])
    found = report(output.parent, worker, time.time())
    sys.stdout.write(f"{SAYS}{json.dumps(found.as_document(), separators=(',', ':'))}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
