"""How long a report takes, and how large it is, for a drill of a million requests.

`python benchmarks/report.py [--rows N] [--json FILE]`. The folder is made up in a temporary directory and removed.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from drillbook.domain.interval import Interval
from drillbook.domain.measurement import Measurement, Window
from drillbook.domain.verdict import Objective, judge
from drillbook.evidence import junit, report

START_S = 1_795_000_000.0
RATE_HZ = 1000
DRILL = "a-bad-release-is-taken-back"
_KIBIBYTE = 1024


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured.

    Attributes:
        rows: Requests in the drill.
        html_s: Seconds from the folder to `report.html`.
        junit_s: Seconds from the folder to `junit.xml`.
        html_bytes: Size of the page.
        peak_bytes: The most memory that the process held, the making of the folder included.
    """

    rows: int
    html_s: float
    junit_s: float
    html_bytes: int
    peak_bytes: int


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--json", type=Path, help="keep the figures in this file")
    wanted = parser.parse_args()
    figures = measure(wanted.rows)
    print(f"{'requests':<20}{figures.rows:>12,}")
    print(f"{'report.html':<20}{figures.html_s:>12.2f} s")
    print(f"{'junit.xml':<20}{figures.junit_s:>12.2f} s")
    print(f"{'size of the page':<20}{figures.html_bytes / _KIBIBYTE:>12.0f} KiB")
    print(f"{'most memory':<20}{figures.peak_bytes / _KIBIBYTE**2:>12.0f} MiB")
    if wanted.json:
        wanted.json.write_text(json.dumps(asdict(figures), indent=2) + "\n", encoding="utf-8")


def measure(rows: int) -> Figures:
    """Make a folder of so many requests, and its reports."""
    with tempfile.TemporaryDirectory() as place:
        run = Path(place)
        write(run, rows)
        begun = time.perf_counter()
        page = report.render(run)
        drawn = time.perf_counter()
        junit.render(run)
        done = time.perf_counter()
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _KIBIBYTE
        return Figures(rows, drawn - begun, done - drawn, page.stat().st_size, peak)


def write(run: Path, rows: int) -> None:
    """A run's folder with one drill: a release that is bad for a tenth of the time, and stalls of the meter."""
    load = run / "drills" / DRILL / "load"
    load.mkdir(parents=True)
    length_s = rows / RATE_HZ
    window = Window(START_S, START_S + length_s)
    requests = f"drills/{DRILL}/load/requests.parquet"
    objective = Objective("release.failed_requests", "no request failed", "at_most", 0, "requests", ("DEP-2.3",))
    measured = Measurement(
        "failed requests", Interval.exactly(0), "requests", rows, window, "meter", evidence=(requests,)
    )
    check = {"drill": DRILL, **asdict(judge(objective, measured))}
    (run / "checks.jsonl").write_text(json.dumps(check) + "\n", encoding="utf-8")
    events = [
        {"t_s": START_S + length_s * share, "drill": DRILL, "kind": kind, "text": kind, "data": {"activity": activity}}
        for share, kind, activity in (
            (0.3, "intent", "switch-traffic"), (0.4, "injected", "switch-traffic"), (0.45, "detected", "watch_release"),
            (0.46, "decided", "watch_release"), (0.5, "recovered", "roll_back"),
        )
    ]  # fmt: skip
    (run / "timeline.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events), encoding="utf-8")
    ended = {"started_s": START_S, "finished_s": START_S + length_s, "verdict": "PASS"}
    drill = {"id": DRILL, "feature": "Releases", "scenario": "A bad release is taken back", **ended}
    (load.parent / "drill.json").write_text(json.dumps(drill), encoding="utf-8")
    environment, who = {"name": "bench", "tier": "staging"}, {"user": "bench", "host": "bench"}
    document = {"run_id": "bench", "environment": environment, "who": who, "exit_code": 0, **ended}
    (run / "run.json").write_text(json.dumps(document), encoding="utf-8")
    pq.write_table(_requests(rows, length_s), run / requests)
    starts_s = START_S + np.arange(1, 500) * length_s / 500
    pq.write_table(pa.table({"start_s": starts_s, "end_s": starts_s + 0.02}), load / "stalls.parquet")


def _requests(rows: int, length_s: float) -> pa.Table:
    draw = np.random.default_rng(7)
    due_s = START_S + np.arange(rows) / RATE_HZ
    share = (due_s - START_S) / length_s
    green = (share >= 0.4) & (share < 0.5)  # noqa: PLR2004 -- when the bad release has the traffic
    bad = green & (draw.random(rows) < 0.1)  # noqa: PLR2004 -- a tenth of its answers
    sent_s = due_s + draw.exponential(0.0005, rows)
    return pa.table({
        "due_s": due_s, "sent_s": sent_s, "done_s": sent_s + draw.lognormal(-4, 0.5, rows),
        "outcome": _texts(bad, ("ok", "server_error")),
        "connection": _texts(np.arange(rows) % 2, ("new", "reused")),
        "kind": _texts(np.arange(rows) % 10 == 0, ("meter", "analyst")),
        "operation": _texts(draw.random(rows) < 0.5, ("query", "ingest")),  # noqa: PLR2004 -- half of each
        "region": _texts(np.zeros(rows), ("us-east-1",)),
        "slot": _texts(green, ("blue", "green")),
        "version": _texts(green, ("1.1.0", "1.2.0-bad")),
        "status": pa.array(np.where(bad, 500, 200), pa.int16()),
        "error": _texts(bad, ("", "HTTP 500")),
    })  # fmt: skip


def _texts(codes: np.ndarray, names: tuple[str, ...]) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int8)), pa.array(names))


if __name__ == "__main__":
    main()
