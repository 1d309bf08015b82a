"""All benchmarks, or those that are named, one after the other: each prints a table and keeps its figures as JSON.

Some of them drill the twin, and `twin` takes the twin down and brings it up again, whoever works on it.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
KEPT = HERE.parent / "reports" / "bench"
RUNS = {
    "twin": ("twin",),
    "rollback": ("rollback",),
    "meter": ("meter",),
    "meter-twin": ("meter", "--twin"),
    "report": ("report",),
    "size-model": ("size_model",),
    "canary": ("canary",),
    "recovery": ("recovery",),
    "restore-sizes": ("restore_sizes",),
}


def main() -> int:
    """Run them; the exit code is that of the worst."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--only", action="append", choices=RUNS, metavar="NAME", help=f"may be repeated: {', '.join(RUNS)}"
    )
    wanted = parser.parse_args().only or RUNS
    KEPT.mkdir(parents=True, exist_ok=True)
    worst = 0
    for name, (script, *options) in RUNS.items():
        if name not in wanted:
            continue
        print(f"\n=== {name}", flush=True)
        command = [sys.executable, "-m", f"benchmarks.{script}", *options, "--json", str(KEPT / f"{name}.json")]
        worst = max(worst, abs(subprocess.run(command, cwd=HERE.parent, check=False).returncode))
    return worst


if __name__ == "__main__":
    sys.exit(main())
