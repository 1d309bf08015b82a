"""`python -m benchmarks`: all benchmarks one after the other; each prints a table and keeps its figures as JSON."""

from __future__ import annotations

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
    """Run them all; the exit code is that of the worst."""
    KEPT.mkdir(parents=True, exist_ok=True)
    worst = 0
    for name, (script, *options) in RUNS.items():
        print(f"\n=== {name}", flush=True)
        command = [sys.executable, "-m", f"benchmarks.{script}", *options, "--json", str(KEPT / f"{name}.json")]
        worst = max(worst, abs(subprocess.run(command, cwd=HERE.parent, check=False).returncode))
    return worst


sys.exit(main())
