"""How long the reports of a full night take, and how large they are: a million requests over all drills.

`python benchmarks/report.py [--rows N] [--drills N] [--json FILE]`. The folder is made up in a temporary directory and
removed. Each report is made in a process of its own, so that its memory is its own. The exit code is 1 when the page
takes longer or is larger than it may.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from drillbook.domain.interval import Interval
from drillbook.domain.measurement import Measurement, Window
from drillbook.domain.verdict import Objective, Verdict, judge, merge
from drillbook.evidence import junit, pdf, report

if TYPE_CHECKING:
    from collections.abc import Callable

    from drillbook.domain.verdict import Judgement

START_S = 1_795_000_000.0
PAGE_WITHIN_S = 20.0
PAGE_BELOW_BYTES = 5_000_000
_GIVES_UP_AFTER_S = 600.0
_KIBIBYTE = 1024

MAKERS: dict[str, Callable[[Path], Path]] = {"html": report.render, "pdf": pdf.render, "junit": junit.render}


@dataclass(frozen=True, slots=True)
class Made:
    """One report.

    Attributes:
        name: Of its form.
        seconds: From the folder to the file.
        peak_bytes: The most memory that the process held.
        size_bytes: Of the file.
    """

    name: str
    seconds: float
    peak_bytes: int
    size_bytes: int


def main() -> int:
    """Measure, print, keep."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rows", type=int, default=1_000_000, help="requests in all drills together")
    parser.add_argument("--drills", type=int, default=40)
    parser.add_argument("--json", type=Path, help="keep the figures in this file")
    parser.add_argument("--make", nargs=2, metavar=("FORM", "RUN"), help="only make one report, and print its figures")
    wanted = parser.parse_args()
    if wanted.make:
        print(json.dumps(asdict(make(wanted.make[0], Path(wanted.make[1])))))
        return 0
    with tempfile.TemporaryDirectory() as place:
        write(Path(place), wanted.rows, wanted.drills)
        found = [_apart(name, place) for name in MAKERS]
    print(f"{wanted.rows:,} requests in {wanted.drills} drills")
    for made in found:
        peak, size = made.peak_bytes / _KIBIBYTE**2, made.size_bytes / _KIBIBYTE
        print(f"{made.name:<8}{made.seconds:>8.2f} s{peak:>8.0f} MiB of memory at most{size:>10.0f} KiB")
    if wanted.json:
        document = {"rows": wanted.rows, "drills": wanted.drills, "made": [asdict(made) for made in found]}
        wanted.json.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    misses = missed(found[0])
    for miss in misses:
        print(miss)
    return 1 if misses else 0


def missed(page: Made) -> list[str]:
    """What the page promises and does not keep, in sentences."""
    found: list[str] = []
    if page.seconds >= PAGE_WITHIN_S:
        found.append(f"MISSED: the page took {page.seconds:.1f} s, and may take less than {PAGE_WITHIN_S:g} s")
    if page.size_bytes >= PAGE_BELOW_BYTES:
        found.append(f"MISSED: the page has {page.size_bytes:,} bytes, and may have less than {PAGE_BELOW_BYTES:,}")
    return found


def make(name: str, run: Path) -> Made:
    """One report in this process."""
    begun = time.perf_counter()
    file = MAKERS[name](run)
    seconds = time.perf_counter() - begun
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _KIBIBYTE
    return Made(name, seconds, peak, file.stat().st_size)


def _apart(name: str, run: str) -> Made:
    command = [sys.executable, __file__, "--make", name, run]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=_GIVES_UP_AFTER_S)
    return Made(**json.loads(done.stdout))


def write(run: Path, rows: int, drills: int) -> None:
    """A run's folder: every other drill has a release that is bad for a tenth of the time, and is taken back."""
    length_s = 120.0
    verdicts = [_drill(run, number, rows // drills, length_s) for number in range(drills)]
    verdict = merge(verdicts)
    environment, who = {"name": "bench", "tier": "staging"}, {"user": "bench", "host": "bench"}
    document = {
        "run_id": "bench", "environment": environment, "who": who, "exit_code": verdict.exit_code,
        "started_s": START_S, "finished_s": START_S + drills * length_s, "verdict": str(verdict),
    }  # fmt: skip
    (run / "run.json").write_text(json.dumps(document), encoding="utf-8")


def _drill(run: Path, number: int, rows: int, length_s: float) -> Verdict:
    name = f"drill-{number + 1}"
    folder = run / "drills" / name
    (folder / "load").mkdir(parents=True)
    (folder / "queries").mkdir()
    start_s = START_S + number * length_s
    judged = _judgements(f"drills/{name}/load/requests.parquet", rows, Window(start_s, start_s + length_s))
    _lines(run / "checks.jsonl", [{"drill": name, **asdict(each)} for each in judged])
    _lines(run / "timeline.jsonl", _events(name, start_s, length_s))
    verdict = merge(each.verdict for each in judged)
    ended = {"started_s": start_s, "finished_s": start_s + length_s, "verdict": str(verdict)}
    drill = {"id": name, "feature": "Releases", "scenario": f"A bad release is taken back, way {number + 1}", **ended}
    (folder / "drill.json").write_text(json.dumps(drill), encoding="utf-8")
    for question in range(12):
        body = json.dumps(
            {"status": "success", "data": {"result": [{"value": [start_s, "1"], "metric": {"pod": "x" * 40}}] * 30}}
        )
        query = {"promql": f'sum(rate(http_requests_total{{slot="green"}}[{question + 1}m]))', "at_s": start_s,
                 "asked_s": start_s, "answered_s": start_s + 0.01, "status": 200, "body": body}  # fmt: skip
        (folder / "queries" / f"{question:03d}.json").write_text(json.dumps(query), encoding="utf-8")
    pq.write_table(_requests(rows, start_s, length_s, bad=number % 2 == 0), folder / "load" / "requests.parquet")
    starts_s = start_s + np.arange(1, 20) * length_s / 20
    pq.write_table(pa.table({"start_s": starts_s, "end_s": starts_s + 0.02}), folder / "load" / "stalls.parquet")
    return verdict


def _judgements(requests: str, rows: int, window: Window) -> list[Judgement]:
    found: list[Judgement] = []
    for number in range(8):
        objective = Objective(
            f"release.failed_requests.{number}", "no request failed", "at_most", 0, "requests", ("DEP-2.3",)
        )
        interval = Interval.exactly(0)
        measured = Measurement("failed requests", interval, "requests", rows, window, "meter", evidence=(requests,))
        found.append(judge(objective, measured))
    return found


def _events(drill: str, start_s: float, length_s: float) -> list[dict[str, Any]]:
    steps = (
        (0.1, "intent", "deploy-release"), (0.2, "injected", "deploy-release"), (0.25, "observed", "deploy-release"),
        (0.3, "intent", "validate_release"), (0.35, "observed", "validate_release"), (0.39, "intent", "switch-traffic"),
        (0.4, "injected", "switch-traffic"), (0.41, "observed", "switch-traffic"), (0.42, "intent", "watch_release"),
        (0.45, "detected", "watch_release"), (0.46, "decided", "watch_release"), (0.47, "intent", "roll_back"),
        (0.48, "injected", "roll_back"), (0.5, "recovered", "roll_back"), (0.51, "intent", "drain_old_slot"),
        (0.6, "observed", "drain_old_slot"),
    )  # fmt: skip
    return [
        {"t_s": start_s + length_s * share, "drill": drill, "kind": kind, "text": kind, "data": {"activity": activity}}
        for share, kind, activity in steps
    ]


def _requests(rows: int, start_s: float, length_s: float, *, bad: bool) -> pa.Table:
    draw = np.random.default_rng(7)
    due_s = start_s + np.arange(rows) * length_s / rows
    share = (due_s - start_s) / length_s
    green = (share >= 0.4) & (share < 0.5)  # noqa: PLR2004 -- when the new release has the traffic
    failed = green & (draw.random(rows) < 0.1) & bad  # noqa: PLR2004 -- a tenth of its answers
    sent_s = due_s + draw.exponential(0.0005, rows)
    return pa.table({
        "due_s": due_s, "sent_s": sent_s, "done_s": sent_s + draw.lognormal(-4, 0.5, rows),
        "outcome": _texts(failed, ("ok", "server_error")),
        "connection": _texts(np.arange(rows) % 2, ("new", "reused")),
        "kind": _texts(np.arange(rows) % 10 == 0, ("meter", "analyst")),
        "operation": _texts(draw.random(rows) < 0.5, ("query", "ingest")),  # noqa: PLR2004 -- half of each
        "region": _texts(np.zeros(rows), ("us-east-1",)),
        "slot": _texts(green, ("blue", "green")),
        "version": _texts(green, ("1.1.0", "1.2.0-bad")),
        "status": pa.array(np.where(failed, 500, 200), pa.int16()),
        "error": _texts(failed, ("", "HTTP 500")),
    })  # fmt: skip


def _texts(codes: np.ndarray, names: tuple[str, ...]) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int8)), pa.array(names))


def _lines(file: Path, documents: list[dict[str, Any]]) -> None:
    with file.open("a", encoding="utf-8") as stream:
        stream.writelines(json.dumps(document) + "\n" for document in documents)


if __name__ == "__main__":
    sys.exit(main())
