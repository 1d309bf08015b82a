"""`unshare --net python -m benchmarks.peers.k6_runs K6 SERVER REPETITIONS`: the loads of `k6`; prints them as JSON."""

from __future__ import annotations

import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.peers import known
from benchmarks.peers.k6_lab import URL, Server
from benchmarks.peers.k6_loads import Asked, K6Load, LocustLoad, Ours
from benchmarks.peers.k6_trial import Trial, reached

if TYPE_CHECKING:
    from benchmarks.peers.k6_loads import Tool

RATE_HZ, SECONDS = 400, 12
SLOW = known.Behaviour(
    known.lognormal(0.005, 0.6, 1000, seed=7), (known.Stall(3.0, 0.3), known.Stall(6.0, 0.6))
)  # fmt: skip
"""Half of the answers take 5 ms and 1 % 20 ms; 0.9 s of 12 s are stalled."""
OPEN_USERS, CLOSED_USERS = 500, 10
QUICK = known.Behaviour((0.001,))
RATES_HZ, RATE_S = (500, 1000, 1500, 2000, 3000, 4000, 6000, 8000, 12_000), 4.0


def latencies(server: Server, tool: Tool, users: int, folder: Path) -> Trial:
    """One load on the server with stalls."""
    return server.trial(tool, Asked(URL, RATE_HZ, SECONDS, users, folder), SLOW)


def rates(server: Server, tool: Tool, folder: Path) -> list[Trial]:
    """Rising rates, up to the first that is not kept."""
    trials: list[Trial] = []
    for rate_hz in RATES_HZ:
        asked = Asked(URL, rate_hz, RATE_S, max(100, rate_hz // 5), folder / str(rate_hz))
        trials.append(server.trial(tool, asked, QUICK))
        if reached(trials) is not trials[-1]:
            break
    return trials


def main(program: Path, target: Path, repetitions: int) -> None:
    """One after the other."""
    ours, k6 = Ours(), K6Load("k6, open", program, "open")
    ahead = K6Load("k6, open, ahead of others", program, "open", ("chrt", "--rr", "1"))
    closed = K6Load("k6, closed", program, "closed")
    slow = ((ours, OPEN_USERS), (k6, OPEN_USERS), (closed, CLOSED_USERS), (LocustLoad(), CLOSED_USERS))
    found: dict[str, list[object]] = {"latencies": [], "rates": []}
    with tempfile.TemporaryDirectory() as place, Server(target) as server:
        for number in range(repetitions):
            folder = Path(place) / str(number)
            for tool, users in slow:
                found["latencies"].append(asdict(latencies(server, tool, users, folder / "slow" / tool.name)))
            for tool in (ours, k6, ahead):
                found["rates"].append([asdict(each) for each in rates(server, tool, folder / "rates" / tool.name)])
    print(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
