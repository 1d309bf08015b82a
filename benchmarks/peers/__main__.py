"""`python -m benchmarks.peers [NAME [OPTIONS]]`: comparisons with other tools, all of them or one."""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.peers import flagger, k6

if TYPE_CHECKING:
    from types import FrameType

KEPT = Path(__file__).resolve().parents[2] / "reports" / "bench"
PEERS = {"flagger": flagger.main, "k6": k6.main}


def main() -> int:
    """Run what was asked for; the exit code is that of the worst."""
    # Ended from outside, every peer still removes what it made.
    signal.signal(signal.SIGTERM, _end)
    name, *options = sys.argv[1:] or [""]
    if name in PEERS:
        return PEERS[name](options)
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=__doc__)
    parser.add_argument("name", nargs="?", choices=PEERS, help="only this one, with options of its own")
    parser.parse_args()
    return max(run(["--json", str(KEPT / f"peer-{each}.json")]) for each, run in PEERS.items())


def _end(number: int, _: FrameType | None) -> None:
    sys.exit(128 + number)


if __name__ == "__main__":
    sys.exit(main())
