"""Recovery time by stage, recovery point and time without writes, over repetitions: one lucky drill proves little.

`python -m benchmarks.recovery [--times N] [--drill NAME]... [--json FILE] [--runs DIRECTORY]`, as root, on a twin that
is up. Each drill is made N times, and begins wherever the database then is between two checkpoints and two segments of
WAL, but for the one at its worst moment: just before what the archive lacks gets there. Printed are the median and the
worst of each figure's upper bounds; a drill that came to no verdict is said, and has none. The exit code is that of the
worst drill. Runs that are kept can be asked for all that they acknowledged: `drillbook ledger --runs DIRECTORY`.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOT = Path(__file__).resolve().parents[1]
DRILLS = {
    "planned switchover": ("switchover", "a_planned_switch_loses_no_write"),
    "database lost": ("database_primary_lost", "server_is_gone_and_does_not_come_back"),
    "at its worst moment": ("database_lost_at_worst", "just_before_its_last_wal_is_archived"),
    "region cut off": ("region_lost", "people_use_it and network"),
    "region's nodes lost": ("region_lost", "people_use_it and nodes"),
    "regions parted": ("region_lost", "people_use_it and parted"),
    "table destroyed": ("data_destroyed", "dropped_under_load"),
    "both servers gone": ("both_servers_gone", "both_servers_lose"),
}
"""Feature and scenario of each."""
_DRILL_S = 900.0
_FAIL = 1


@dataclass(frozen=True, slots=True)
class Row:
    """One figure of one drill.

    Attributes:
        drill: Which.
        figure: What was measured.
        unit: Of it.
        median: Of the repetitions' upper bounds.
        worst: The highest of them.
        times: How many repetitions had it.
    """

    drill: str
    figure: str
    unit: str
    median: float
    worst: float
    times: int


@dataclass(slots=True)
class Figures:
    """What the repetitions of a drill measured: figure and unit to upper bounds."""

    found: dict[tuple[str, str], list[float]] = field(default_factory=lambda: defaultdict(list))

    def add(self, runs: Path) -> None:
        """One repetition's."""
        for check in _lines(runs, "checks.jsonl"):
            interval, id_ = check["measurement"]["interval"], check["objective"]["id"]
            if interval is not None and not id_.startswith("drill."):
                self.found[id_, check["measurement"]["unit"]].append(_number(interval["high"]))
        for event in _lines(runs, "timeline.jsonl"):
            if event["data"].get("activity") == "stages":
                kind = "new" if "on new connections" in event["text"] else "reused"
                for stage, (_, high) in event["data"]["stages"].items():
                    if high is not None:
                        self.found[f"  {stage}, {kind}", "s"].append(high)

    def rows(self, drill: str) -> Iterator[Row]:
        """The table's part of this drill."""
        for (figure, unit), highs in sorted(self.found.items()):
            yield Row(drill, figure, unit, statistics.median(highs), max(highs), len(highs))


def once(feature: str, scenario: str, runs: Path) -> int:
    """Drill it; the exit code is the verdict's."""
    command = [
        sys.executable, "-m", "pytest", "features", "-q", "--environment=twin", f"--runs={runs}", "--lock-wait=120",
        f"--only={feature}", "-k", scenario,
    ]  # fmt: skip
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, timeout=_DRILL_S, check=False)
    return done.returncode


def _lines(runs: Path, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for path in runs.glob(f"*/{name}") for line in path.read_text().splitlines()]


def _number(value: object) -> float:
    """Infinity is written as a word."""
    return float(str(value))


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, keep."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--drill", action="append", choices=DRILLS, help="only this one; may be given again")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--runs", type=Path, help="keep the runs' folders here, for `drillbook ledger`")
    options = parser.parse_args(arguments)
    rows: list[Row] = []
    codes: list[int] = []
    for name in options.drill or DRILLS:
        feature, scenario = DRILLS[name]
        figures = Figures()
        for number in range(1, options.times + 1):
            with tempfile.TemporaryDirectory() as directory:
                codes.append(once(feature, scenario, Path(directory)))
                figures.add(Path(directory))
                if options.runs:
                    shutil.copytree(directory, options.runs, dirs_exist_ok=True)
            print(f"{name}, {number} of {options.times}: exit code {codes[-1]}", flush=True)
        for row in figures.rows(name):
            rows.append(row)
            print(
                f"{name:<20}{row.figure:<34}median {row.median:8.3f}  worst {row.worst:8.3f} {row.unit:<9}"
                f"({row.times} of {options.times})",
                flush=True,
            )
    if options.json:
        options.json.write_text(json.dumps([asdict(row) for row in rows], indent=2) + "\n")
    return _FAIL if _FAIL in codes else max(codes)


if __name__ == "__main__":
    sys.exit(main())
