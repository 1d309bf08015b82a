"""Four ways to make one load: ours, k6 open and closed, Locust as it comes."""

from __future__ import annotations

import csv
import json
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from benchmarks.peers.known import QUANTILES
from drillbook.twin import golang
from probes.recording import recording

if TYPE_CHECKING:
    from collections.abc import Mapping

HERE = Path(__file__).parent
K6 = golang.Program("k6", "1.8.1", "go.k6.io/k6", 300, modules=HERE / "go")
_MS = 1000
_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Asked:
    """A load that is wanted.

    Attributes:
        url: Of the server.
        rate_hz: Requests a second.
        seconds: For how long.
        users: Who may wait for an answer at the same time; in a closed load, all users.
        folder: For what it leaves behind; empty.
    """

    url: str
    rate_hz: float
    seconds: float
    users: int
    folder: Path


@dataclass(frozen=True, slots=True)
class Told:
    """What a load says of itself.

    Attributes:
        start_s: When its first request was due, in seconds since the epoch; None when it has no schedule.
        quantiles_s: Latencies of `known.QUANTILES`.
        unsent: Requests that it says it did not send.
    """

    start_s: float | None
    quantiles_s: tuple[float, ...]
    unsent: int


class Tool(Protocol):
    """One way to make a load."""

    @property
    def name(self) -> str:
        """For people."""
        ...

    @property
    def ends(self) -> bool:
        """Whether it ends by itself after its time; else it is told to."""
        ...

    def command(self, asked: Asked) -> list[str]:
        """What makes it, in one process."""
        ...

    def settings(self, asked: Asked) -> Mapping[str, str]:
        """Its environment."""
        ...

    def told(self, asked: Asked, first_query: str) -> Told:
        """Read what it left; `first_query` is of the first request that the server saw."""
        ...


class Ours:
    """The open-loop meter, as every drill runs it: half of its requests on new connections, a row for each of them."""

    name = "Drillbook"
    ends = True

    def command(self, asked: Asked) -> list[str]:
        """The load's own process; what it writes for a drill, it writes here."""
        plan: dict[str, Any] = {
            "base_url": asked.url,
            "workload": "benchmarks.peers.k6_workload:OneQuestion",
            "meter": {"rate_hz": asked.rate_hz / 2, "timeout_s": _TIMEOUT_S},
            "max_duration_s": asked.seconds + 0.5,
            "output": str(asked.folder / "load"),
            "clock": {"wall_s": time.time(), "monotonic_s": time.monotonic()},
            "namespace": "bench",
        }
        file = asked.folder / "load" / "plan.json"
        file.parent.mkdir()
        file.write_text(json.dumps(plan), encoding="utf-8")
        return [sys.executable, "-m", "loadtests", "--plan", str(file)]

    def settings(self, asked: Asked) -> Mapping[str, str]:  # noqa: ARG002 -- the plan has it all
        """Ours."""
        return os.environ

    def told(self, asked: Asked, first_query: str) -> Told:  # noqa: ARG002 -- its rows have it all
        """From its rows: what was due within the time; a request that failed took for ever."""
        rows = recording(asked.folder).metered()
        start_s = float(rows.due_s[0])
        rows = rows.due_within(start_s, start_s + asked.seconds)
        waits_s = np.where(rows.failed(), np.inf, rows.done_s - rows.due_s)
        quantiles = tuple(np.quantile(waits_s, QUANTILES, method="inverted_cdf").tolist())
        return Told(start_s, quantiles, int(np.isnan(rows.sent_s).sum()))


@dataclass(frozen=True, slots=True)
class K6Load:
    """k6, which reuses connections.

    Attributes:
        name: For people.
        program: The binary.
        model: `open` or `closed`.
        before: Put before its command.
        ends: After its time.
    """

    name: str
    program: Path
    model: str
    before: tuple[str, ...] = ()
    ends: bool = True

    def command(self, asked: Asked) -> list[str]:
        """With nothing that it would tell anybody else."""
        summary = str(asked.folder / "summary.json")
        return [
            *self.before, str(self.program), "run", "--no-usage-report", "--address=", "--quiet", "--no-color",
            f"--summary-export={summary}", str(HERE / "k6_load.js"),
        ]  # fmt: skip

    def settings(self, asked: Asked) -> Mapping[str, str]:
        """No file of the user's is read, and no extension fetched."""
        return {
            "PATH": os.environ["PATH"], "HOME": str(asked.folder), "XDG_CONFIG_HOME": str(asked.folder),
            "K6_AUTO_EXTENSION_RESOLUTION": "false", "MODEL": self.model, "URL": asked.url,
            "RATE_HZ": str(asked.rate_hz), "SECONDS": str(asked.seconds), "USERS": str(asked.users),
        }  # fmt: skip

    def told(self, asked: Asked, first_query: str) -> Told:
        """From its summary; its requests carry the time at which the schedule began."""
        metrics = json.loads((asked.folder / "summary.json").read_text(encoding="utf-8"))["metrics"]
        duration = metrics["http_req_duration"]
        start_s = float(first_query.removeprefix("start_ms=")) / _MS if self.model == "open" else None
        quantiles = tuple(duration[f"p({100 * q:g})"] / _MS for q in QUANTILES)
        return Told(start_s, quantiles, int(metrics.get("dropped_iterations", {}).get("count", 0)))


class LocustLoad:
    """Locust's own way to hold a rate.

    Its `--run-time` counts from before it has imported everything, so that a busy machine cuts the load short.
    """

    name = "Locust, constant_throughput"
    ends = False

    def command(self, asked: Asked) -> list[str]:
        """Without its page."""
        return [
            sys.executable, "-m", "locust", "--headless", "--only-summary", "-f", str(HERE / "locust_load.py"),
            f"--users={asked.users}", f"--spawn-rate={asked.users}",
            f"--csv={asked.folder / 'locust'}",
        ]  # fmt: skip

    def settings(self, asked: Asked) -> Mapping[str, str]:
        """What its file asks for."""
        return {**os.environ, "URL": asked.url, "RATE_HZ": str(asked.rate_hz), "USERS": str(asked.users)}

    def told(self, asked: Asked, first_query: str) -> Told:  # noqa: ARG002 -- it has no schedule
        """From its table."""
        with (asked.folder / "locust_stats.csv").open(encoding="utf-8", newline="") as stream:
            total = next(row for row in csv.DictReader(stream) if row["Name"] == "Aggregated")
        return Told(None, tuple(float(total[f"{100 * q:g}%"]) / _MS for q in QUANTILES), 0)
