"""How long `twin up` and a whole `verify` take.

It takes the twin down and brings it up again, whoever works on it. `--cold` first builds everything anew in a cache of
its own, which takes minutes.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def timed(*arguments: str, environment: dict[str, str] | None = None) -> tuple[float, int]:
    """Seconds and exit code of one command of ours."""
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "drillbook", *arguments],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        env={**os.environ, **(environment or {})},
        check=False,
    )
    return time.monotonic() - started, done.returncode


def main() -> int:
    """Measure, print, keep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cold", action="store_true", help="also with an empty cache")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    figures: dict[str, float] = {}
    codes: list[int] = []

    def measure(name: str, *arguments: str, environment: dict[str, str] | None = None) -> None:
        seconds, code = timed(*arguments, environment=environment)
        figures[name] = seconds
        codes.append(code)
        print(f"{name:<28} {seconds:8.1f} s   exit code {code}", flush=True)

    if options.cold:
        with tempfile.TemporaryDirectory() as cache:
            empty = {"DRILLBOOK_CACHE": cache, "GOCACHE": f"{cache}/go"}
            timed("twin", "down")
            measure("twin up, cold", "twin", "up", environment=empty)
            timed("twin", "down")
    measure("twin down", "twin", "down")
    measure("twin up, warm", "twin", "up")
    measure("twin up, already up", "twin", "up")
    measure("verify, warm", "verify", "--environment", "twin")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")
    return max(codes)


if __name__ == "__main__":
    sys.exit(main())
