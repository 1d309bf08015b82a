"""Drillbook's canary and Flagger's, on the same twin with the same bad release under the same load, in one run.

`python -m benchmarks.peers flagger [--alike N] [--json FILE]`, as root, on a twin that is up and not in use. Flagger is
built from its Go module and runs at its fastest: every 10 s, and the first check that fails decides. It works on a
namespace and on a public name of its own, with an account that can touch nothing else; the platform's slots are ours.
Whatever happens, what was made for it is removed at the end; what a killed run left behind, at the next start.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from ruamel.yaml import YAML

from benchmarks.peers import harm
from benchmarks.peers.flagger_lab import FLAGGER, Lab, Trial
from benchmarks.peers.flagger_objects import STABLE, WORSE
from drillbook.drivers.reach import enter_network
from drillbook.run import environment as environments
from drillbook.twin import golang

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).resolve().parents[2]
RATE_HZ = 100
"""Of each of the two kinds of connection: 200 a second in all."""
STEPS = (10, 50)
ERROR_SHARE = 0.1
MOST_ERRORS_PERCENT = 1.0
FEWER = 5
"""So many times fewer bad answers are the target."""
_DRILL_S = 600.0
WORSE_DRILL, ALIKE_DRILL, UNUSED_DRILL = "worse_release and fails", "live_release_itself", "nobody_uses"


def environment(directory: Path) -> Path:
    """The twin's, at the load and with the steps of this comparison."""
    yaml = YAML(typ="safe", pure=True)
    document = yaml.load((ROOT / "environments" / "twin.yaml").read_text(encoding="utf-8"))
    document["name"] = "peers"
    document["load"]["rate"] = RATE_HZ
    document["strategy"]["canary"]["steps"] = [*STEPS, 100]
    for name in ("system", ".gitlab-ci.yml"):
        (directory / name).symlink_to(ROOT / name)
    (directory / "environments").mkdir()
    file = directory / "environments" / "peers.yaml"
    with file.open("w", encoding="utf-8") as stream:
        yaml.dump(document, stream)
    return file


def ours(file: Path, runs: Path, drill: str, version: str) -> Trial:
    """One drill of Drillbook's canary.

    Raises:
        RuntimeError: When its folder does not say what became of the canary.
    """
    command = [
        sys.executable, "-m", "pytest", "features", "-q", f"--environment={file}", f"--runs={runs}",
        "--lock-wait=120", "--only=canary", "-k", drill,
    ]  # fmt: skip
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=_DRILL_S)
    for timeline in runs.glob("*/timeline.jsonl"):
        for line in timeline.read_text(encoding="utf-8").splitlines():
            event = json.loads(line)
            if event["kind"] == "decided" and event["data"].get("activity") == "release_canary":
                loads = list(timeline.parent.glob("drills/*/load/requests.parquet"))
                suffered = harm.of_folder(loads[0].parent, version) if loads else None
                return Trial(event["data"]["ruling"], event["text"], suffered)
    raise RuntimeError(f"the drill {drill!r} ended with {done.returncode} and no decision:\n{done.stdout[-2000:]}")


def told(name: str, who: str, trial: Trial) -> str:
    """A row of the table."""
    if trial.harm is None:
        return f"{name:<26}{who:<11}{trial.ruling:<12}  {trial.reason[:90]}"
    seconds = "-" if math.isnan(trial.harm.seconds) else f"{trial.harm.seconds:.1f} s"
    return f"{name:<26}{who:<11}{trial.ruling:<12}{seconds:>10}{trial.harm.bad:>8} of {trial.harm.requests:,}"


def shortfall(bad: dict[str, int], false: dict[str, int], taken_back: dict[str, bool]) -> str:
    """What keeps the target from being met, in a sentence; empty when it is met."""
    if not all(taken_back.values()):
        return f"taken back was not every bad release: {taken_back}"
    if not bad["flagger"]:
        return "Flagger's users had no bad answer, so that there is nothing to compare with"
    if bad["drillbook"] * FEWER > bad["flagger"]:
        return f"{bad['drillbook']} bad answers are not {FEWER} times fewer than Flagger's {bad['flagger']}"
    if false["drillbook"] > false["flagger"]:
        return f"{false['drillbook']} releases that are no worse were aborted, and of Flagger's {false['flagger']}"
    return ""


def main(arguments: Sequence[str] = ()) -> int:
    """Measure, print, keep; 1 when the target is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--alike", type=int, default=3, help="releases that are no worse, for each of the two")
    parser.add_argument("--json", type=Path, help="keep the figures in this file")
    wanted = parser.parse_args(list(arguments))
    program = golang.build_one(FLAGGER, lambda text: print(text, flush=True)) / FLAGGER.name
    with tempfile.TemporaryDirectory() as place:
        directory = Path(place)
        file = environment(directory)
        target = environments.load(file)
        enter_network(target.reach.network_namespace)
        rows: list[tuple[str, str, Trial]] = []

        def keep(name: str, who: str, trial: Trial) -> Trial:
            rows.append((name, who, trial))
            print(told(name, who, trial), flush=True)
            return trial

        # Drillbook first: its deployment of the bad release brings the schema that the release needs.
        worse = {"drillbook": keep("10 % errors", "drillbook", ours(file, directory / "worse", WORSE_DRILL, WORSE))}
        alike: dict[str, list[Trial]] = {"drillbook": [], "flagger": []}
        for number in range(wanted.alike):
            trial = ours(file, directory / f"alike-{number}", ALIKE_DRILL, STABLE)
            alike["drillbook"].append(keep("no worse", "drillbook", trial))
        keep("no worse, no traffic", "drillbook", ours(file, directory / "unused", UNUSED_DRILL, STABLE))
        with Lab(program, directory / "flagger", target, STEPS, MOST_ERRORS_PERCENT) as lab:
            worse["flagger"] = keep("10 % errors", "flagger", lab.trial(WORSE, ERROR_SHARE, traffic=True))
            for _ in range(wanted.alike):
                alike["flagger"].append(keep("no worse", "flagger", lab.trial(STABLE, 0.0, traffic=True)))
            keep("no worse, no traffic", "flagger", lab.trial(STABLE, 0.0, traffic=False))
    missed = shortfall(
        {who: trial.harm.bad if trial.harm else 0 for who, trial in worse.items()},
        {who: sum(trial.ruling == "abort" for trial in trials) for who, trials in alike.items()},
        {who: trial.ruling == "abort" for who, trial in worse.items()},
    )
    if wanted.json:
        document = {"missed": missed, "rows": [{"release": n, "tool": w, **asdict(t)} for n, w, t in rows]}
        wanted.json.parent.mkdir(parents=True, exist_ok=True)
        wanted.json.write_text(json.dumps(document, indent=2) + os.linesep, encoding="utf-8")
    print(f"target missed: {missed}" if missed else f"target met: at least {FEWER} times fewer bad answers", flush=True)
    return 1 if missed else 0
