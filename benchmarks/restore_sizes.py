"""Restores at several sizes, the size model fitted to them, and what it foretells held against what is then measured.

`python -m benchmarks.restore_sizes [--smallest-mib N] [--times N] [--foretold-times N] [--json FILE]`, with PostgreSQL
15 and pgBackRest on this machine. Four databases, each twice as large as the one before, are lost and restored from a
repository on this machine's disk, in turns; then the recovery of one 8 times as large as the largest is foretold, and
measured. WAL to be replayed is as much as the data. All is on sockets in a temporary directory, which is removed.

The exit code is 0 when every recovery stayed under its bound, 1 when one did not, and 75 when the drills carry no
model. `drillbook capacity` reads the file.
"""

from __future__ import annotations

import argparse
import json
import os
import pwd
import random
import signal
import statistics
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.restored_drill import FAILED_IN_A_ROW, SUSTAINED_S, WATCHED_EVERY_S, drill
from benchmarks.scratch_cluster import MIB, PROCESSES, Cluster
from drillbook.domain import byte_size, scaling
from drillbook.domain.wording import span
from drillbook.evidence import sizes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.scratch_cluster import Backup
    from drillbook.domain.scaling import Drill, Estimate

STEPS = 4
RATIO = 2
FORETOLD = 8
"""Times the largest drill."""
_INCONCLUSIVE = 75


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, foretell, measure again, print, keep."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--smallest-mib", type=int, default=32)
    parser.add_argument("--times", type=int, default=3, help="of each size that the model is fitted to")
    parser.add_argument("--foretold-times", type=int, default=2, help="of the size that is foretold")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args(arguments)
    # Servers are ended with it, however it ends.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    print(
        f"a repository on this machine's disk, read cold; lz4; {PROCESSES} processes; {os.cpu_count()} processors; "
        f"lost after {FAILED_IN_A_ROW} looks, {WATCHED_EVERY_S:g} s apart; sustained is {SUSTAINED_S:g} s",
        flush=True,
    )
    wanted = [given.smallest_mib * MIB * RATIO**step for step in range(STEPS)]
    with tempfile.TemporaryDirectory(prefix="drillbook-sizes-") as name:
        top = Path(name)
        if os.geteuid() == 0:
            account = pwd.getpwnam("postgres")
            os.chown(top, account.pw_uid, account.pw_gid)
        drills = _measured(top, wanted, given.times)
        record: dict[str, Any] = {"drills": sizes.document(drills)}
        try:
            found = scaling.model(drills)
        except scaling.Refused as refused:
            print(f"these drills carry no estimate: {refused}")
            _keep(given.json, {**record, "refused": str(refused)})
            return _INCONCLUSIVE
        largest = FORETOLD * max(drill.data_bytes for drill in drills)
        estimate = found.estimate_of(largest, FORETOLD * max(drill.wal_bytes for drill in drills))
        _tell(estimate)
        then = _measured(top, [int(largest)], given.foretold_times)
    held = [it.total.high <= estimate.bounds.high for it in then]
    errors = [scaling.error(estimate, it.total) for it in then]
    error = statistics.median((it.low + it.high) / 2 for it in errors)
    print(
        f"foretold {estimate.expected_s:.1f} s, at most {estimate.bounds.high:.1f} s; error {error:+.0%} (median of "
        f"{len(then)}); the bound held in {sum(held)} of {len(held)}"
    )
    record |= {
        "foretold": asdict(estimate), "measured": sizes.document(then), "error": error, "held": held,
    }  # fmt: skip
    _keep(given.json, record)
    return 0 if all(held) else 1


def _measured(top: Path, wanted: Sequence[int], times: int) -> list[Drill]:
    """Databases of these sizes, each lost and restored so often, in an order that has nothing to do with the size."""
    with ExitStack() as clusters:
        made: list[tuple[Cluster, Backup]] = []
        for size in wanted:
            cluster = Cluster(top / byte_size.told(size).replace(" ", ""))
            clusters.callback(cluster.remove)
            made.append((cluster, cluster.make(size, size)))
        turns = [one for _ in range(times) for one in made]
        random.Random(1).shuffle(turns)  # noqa: S311 - no secret
        found: list[Drill] = []
        for cluster, backup in turns:
            found.append(drill(cluster, backup))
            _show(found[-1])
    return found


def _show(one: Drill) -> None:
    parts = ", ".join(f"{name} {one.took[name].high:.2f}" for name in scaling.TERMS)
    print(
        f"{byte_size.told(one.data_bytes):>9}, {byte_size.told(one.repository_bytes)} in the repository, "
        f"{byte_size.told(one.wal_bytes)} of WAL: {span(one.total, 's')} ({parts} s)",
        flush=True,
    )


def _tell(estimate: Estimate) -> None:
    print(f"for {byte_size.told(estimate.data_bytes)}, term by term: expected, at most")
    for term in estimate.terms:
        print(f"  {term.name:<10}{byte_size.told(term.size):>10}{term.expected_s:10.2f} s{term.bounds.high:10.2f} s")
    for reason in estimate.unproven:
        print(f"  unproven: {reason}")


def _keep(path: Path | None, record: dict[str, Any]) -> None:
    if path:
        path.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
