"""How fast a bad release is off the traffic, by its share of errors.

`python benchmarks/rollback.py [--json FILE]` drills the twin with 2 %, 10 % and 100 % of requests failing, and prints
each stage in seconds from the first bad answer.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[1]
SHARES = (0.02, 0.1, 1.0)
FLAW = "fails 10 % of requests"


def drill(share: float, directory: Path) -> dict[str, Any]:
    """The stages of the way back of one release."""
    yaml = YAML(typ="safe", pure=True)
    document = yaml.load((ROOT / "environments" / "twin.yaml").read_text())
    document["name"] = "bench"
    document["releases"]["overrides"][FLAW]["defects.errorShare"] = share
    (directory / "environments").mkdir()
    (directory / "system").symlink_to(ROOT / "system")
    file = directory / "environments" / "bench.yaml"
    with file.open("w") as stream:
        yaml.dump(document, stream)
    command = [
        sys.executable, "-m", "pytest", "features", "-q", f"--environment={file}", f"--runs={directory / 'runs'}",
        "--lock-wait=120", "-k", "taken_back_by_itself and fails",
    ]  # fmt: skip
    code = subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, check=False).returncode
    found: dict[str, Any] = {"share": share, "exit_code": code}
    for timeline in (directory / "runs").glob("*/timeline.jsonl"):
        for line in timeline.read_text().splitlines():
            event = json.loads(line)
            if event["data"].get("activity") == "stages":
                found |= event["data"]["stages"]
    return found


def main() -> int:
    """Measure, print, keep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    rows: list[dict[str, Any]] = []
    for share in SHARES:
        with tempfile.TemporaryDirectory() as directory:
            rows.append(drill(share, Path(directory)))
        stages = ", ".join(
            f"{name} {value:.2f} s" for name, value in rows[-1].items() if name not in {"share", "exit_code"}
        )
        print(f"{share:>6.0%} errors: {stages or 'no stages'} (exit code {rows[-1]['exit_code']})", flush=True)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2) + "\n")
    return max(row["exit_code"] for row in rows)


if __name__ == "__main__":
    sys.exit(main())
