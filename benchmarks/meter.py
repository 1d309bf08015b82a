"""How good the meter is: on time at a rate, and right about outages whose length is known.

`python benchmarks/meter.py [--quick] [--json FILE]` needs root. A stub server runs in a network namespace of its own
behind a veth pair; a firewall rule in there cuts it off for 50 ms to 10 s. To measure against another system, such as
the twin's gateway, give `--base-url URL`, `--workload`, and `--cut COMMAND`, which is called as
`COMMAND reject|drop on|off` and has to return once the cut is in effect or gone; `--enter` is put before the load's own
command.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from drillbook.domain.measurement import Window
from drillbook.domain.traffic import Connection
from drillbook.twin.layout import CLIENT, PROFILES, PUBLIC_NAME, RESOLVER_ADDRESS
from probes import downtime
from probes.recording import recording

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOT = Path(__file__).resolve().parents[1]
STUB = ROOT / "tests" / "integration" / "load" / "stub_server.py"
LENGTHS_S = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
QUICK_LENGTHS_S = (0.05, 0.2, 1.0)
ON_TIME_S = 0.005
# Under a cut that drops packets TCP sends again: what took longer than this was caught in it.
PATIENCE_S = 0.15
_SETTLE_S = 1.2
_OUR_SIDE, _STUB_SIDE, _PORT = "10.213.7.1", "10.213.7.2", 8080
_NAMESPACE = "drillbook-bench"
_START_WITHIN_S = 60.0


class Cut(Protocol):
    """Cuts the server off and lets it back; returns once that is in effect."""

    def __call__(self, manner: str, *, on: bool) -> None:
        """`manner` is `reject` or `drop`."""
        ...


@dataclass(frozen=True, slots=True)
class Punctuality:
    """One rate.

    Attributes:
        rate_hz: Requests per second in all.
        seconds: For how long.
        sent_on_time: Share sent within 5 ms of due.
        late_p99_ms: 99th percentile of sent minus due.
        late_max_ms: The latest.
        unsent: Requests never sent.
        failed: Requests that failed.
        cores: Processor time of the load process per second.
    """

    rate_hz: float
    seconds: float
    sent_on_time: float
    late_p99_ms: float
    late_max_ms: float
    unsent: int
    failed: int
    cores: float


@dataclass(frozen=True, slots=True)
class Trial:
    """One cut on one kind of connection.

    Attributes:
        manner: `reject` or `drop`.
        connection: New or reused.
        length_s: How long the cut lasted, by the clock around the commands; the middle of what they leave open.
        unsure_s: Half of what they leave open.
        low_s: Lower bound measured.
        high_s: Upper bound measured.
    """

    manner: str
    connection: str
    length_s: float
    unsure_s: float
    low_s: float
    high_s: float

    @property
    def error_s(self) -> float:
        """Of the interval's middle."""
        return abs((self.low_s + self.high_s) / 2 - self.length_s)

    @property
    def worst_s(self) -> float:
        """Of the bound that is further off."""
        return max(abs(self.low_s - self.length_s), abs(self.high_s - self.length_s))

    @property
    def contained(self) -> bool:
        """Whether the truth, as far as it is known, is in the interval."""
        return self.low_s <= self.length_s + self.unsure_s and self.high_s >= self.length_s - self.unsure_s


@dataclass(frozen=True, slots=True)
class Bench:
    """What is measured against.

    Attributes:
        base_url: Where the load goes.
        workload: Its adapter.
        enter: Put before the load's command.
        cut: Cuts it off.
        folder: For the loads' files.
        nameservers: Asked for the address; the system's when empty.
    """

    base_url: str
    workload: str
    enter: tuple[str, ...]
    cut: Cut
    folder: Path
    nameservers: tuple[str, ...] = ()

    @contextlib.contextmanager
    def load(self, name: str, rate_hz: float, timeout_s: float) -> Iterator[tuple[Path, subprocess.Popen[bytes]]]:
        """A running load with so many requests per second of each kind of connection; complete at the end."""
        drill_dir = self.folder / name
        output = drill_dir / "load"
        output.mkdir(parents=True)
        plan = {
            "base_url": self.base_url,
            "workload": self.workload,
            "meter": {"rate_hz": rate_hz, "timeout_s": timeout_s},
            "read_back": {"deadline_s": 1},
            "max_duration_s": 3600,
            "output": str(output),
            "clock": {"wall_s": time.time(), "monotonic_s": time.monotonic()},
            "nameservers": list(self.nameservers),
            "namespace": f"bench-{os.getpid()}-{name}",
        }
        (output / "plan.json").write_text(json.dumps(plan))
        command = [*self.enter, sys.executable, "-m", "loadtests", "--plan", str(output / "plan.json")]
        with (output / "load.log").open("wb") as log:
            process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
        try:
            _wait_until_running(output, process)
            yield drill_dir, process
            process.send_signal(signal.SIGTERM)
            process.wait(_START_WITHIN_S)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()


def punctuality(bench: Bench, rate_hz: float, seconds: float) -> Punctuality:
    """Run at a rate and look when requests were sent."""
    with bench.load(f"rate-{rate_hz:g}", rate_hz / 2, 5.0) as (drill_dir, process):
        time.sleep(1)
        before_s, cpu_before_s = time.monotonic(), _cpu_s(process.pid)
        time.sleep(seconds)
        cores = (_cpu_s(process.pid) - cpu_before_s) / (time.monotonic() - before_s)
    rows = recording(drill_dir).metered()
    rows = rows.due_within(float(rows.due_s[0]), float(rows.due_s[0]) + seconds)
    late_s = rows.sent_s - rows.due_s
    return Punctuality(
        rate_hz=rate_hz,
        seconds=seconds,
        sent_on_time=float(np.mean(late_s <= ON_TIME_S)),
        late_p99_ms=float(np.nanquantile(late_s, 0.99)) * 1000,
        late_max_ms=float(np.nanmax(late_s)) * 1000,
        unsent=int(np.isnan(late_s).sum()),
        failed=int(rows.failed().sum()),
        cores=cores,
    )


def known_outages(bench: Bench, manner: str, lengths_s: Sequence[float], rate_hz: float) -> list[Trial]:
    """Cut for each length in turn under one load, and see what the probe says."""
    with bench.load(f"cuts-{manner}", rate_hz, 2.0) as (drill_dir, _):
        plan = json.loads((drill_dir / "load" / "plan.json").read_text())
        offset_s = plan["clock"]["wall_s"] - plan["clock"]["monotonic_s"]
        cuts: list[tuple[float, float, float, float]] = []
        for number, length_s in enumerate(lengths_s):
            # The cuts fall on ever other phases of the schedule.
            time.sleep(_SETTLE_S + (number * 0.618 % 1) / rate_hz)
            cuts.append(_cut_for(bench.cut, manner, length_s, offset_s))
        time.sleep(_SETTLE_S)
    patience_s = PATIENCE_S if manner == "drop" else None
    trials: list[Trial] = []
    for begun_s, in_effect_s, ending_s, ended_s in cuts:
        window = Window(begun_s - 0.3, ended_s + 0.3)
        shortest_s, longest_s = ending_s - in_effect_s, ended_s - begun_s
        for connection in Connection:
            seen = downtime.downtime(drill_dir, window, connection, patience_s=patience_s, good_for_s=0.1).interval
            low_s, high_s = (seen.low, seen.high) if seen is not None else (math.nan, math.nan)
            middle_s, unsure_s = (shortest_s + longest_s) / 2, (longest_s - shortest_s) / 2
            trials.append(Trial(manner, connection.value, middle_s, unsure_s, low_s, high_s))
    return trials


def _cut_for(cut: Cut, manner: str, length_s: float, offset_s: float) -> tuple[float, float, float, float]:
    begun_s = time.monotonic()
    try:
        cut(manner, on=True)
        in_effect_s = time.monotonic()
        time.sleep(max(0.0, begun_s + length_s - time.monotonic()))
        ending_s = time.monotonic()
    finally:
        cut(manner, on=False)
    return begun_s + offset_s, in_effect_s + offset_s, ending_s + offset_s, time.monotonic() + offset_s


@contextlib.contextmanager
def stub_behind_a_wire(folder: Path) -> Iterator[Bench]:
    """The stub server in a network namespace of its own, with no route but the wire to us."""
    inside = ("nsenter", f"--net=/run/netns/{_NAMESPACE}")

    def run(*command: str) -> None:
        subprocess.run(command, check=True, timeout=10)

    subprocess.run(["ip", "netns", "delete", _NAMESPACE], check=False, timeout=10, stderr=subprocess.DEVNULL)
    run("ip", "netns", "add", _NAMESPACE)
    server = None
    try:
        run("ip", "link", "add", "dbbench0", "type", "veth", "peer", "name", "eth0", "netns", _NAMESPACE)
        run("ip", "address", "add", f"{_OUR_SIDE}/30", "dev", "dbbench0")
        run("ip", "link", "set", "dbbench0", "up")
        run(*inside, "ip", "address", "add", f"{_STUB_SIDE}/30", "dev", "eth0")
        run(*inside, "ip", "link", "set", "eth0", "up")
        # As important as the meter: an answer that came late for want of a processor would be an outage nobody made.
        command = [*inside, "chrt", "--rr", "1", sys.executable, str(STUB), str(_PORT), _STUB_SIDE]
        server = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert server.stdout is not None  # noqa: S101 - for the type checker
        server.stdout.readline()
        # The kernel's `recent` match: writing an address to its file cuts within microseconds, where a call of iptables
        # would leave the moment open by some 10 ms.
        for manner, verdict in (("drop", ["DROP"]), ("reject", ["REJECT", "--reject-with", "tcp-reset"])):
            rule = ["-p", "tcp", "--dport", str(_PORT), "-m", "recent", "--name", manner, "--rcheck", "-j", *verdict]
            run(*inside, "iptables", "-A", "INPUT", *rule)
        lists = Path(f"/proc/{server.pid}/net/xt_recent")

        def cut(manner: str, *, on: bool) -> None:
            (lists / manner).write_text(f"{'+' if on else '-'}{_OUR_SIDE}\n")

        workload = "loadtests.analytics:AnalyticsWorkload"
        yield Bench(f"http://{_STUB_SIDE}:{_PORT}", workload, (), cut, folder)
    finally:
        if server is not None:
            server.kill()
            server.wait()
        run("ip", "netns", "delete", _NAMESPACE)


@contextlib.contextmanager
def gateway_of_the_twin(folder: Path) -> Iterator[Bench]:
    """The twin's gateway, cut off by a firewall rule on the client's machine, which is in the twin's own network."""
    enter = ("nsenter", f"--net=/run/netns/{CLIENT.namespace}")
    nodes = [worker.address for worker in PROFILES["staging"].regions[0].workers]

    def rules(change: str) -> None:
        for manner, verdict in (("drop", ["DROP"]), ("reject", ["REJECT", "--reject-with", "tcp-reset"])):
            rule = [
                "-p",
                "tcp",
                "--dport",
                "80",
                "-m",
                "recent",
                "--name",
                manner,
                "--rdest",
                "--rcheck",
                "-j",
                *verdict,
            ]
            subprocess.run([*enter, "iptables", change, "OUTPUT", *rule], check=True, timeout=10)

    rules("-I")
    # A process of that network, through which the kernel shows the lists of its rules.
    with subprocess.Popen([*enter, "sleep", "3600"]) as inside:
        try:
            lists = Path(f"/proc/{inside.pid}/net/xt_recent")
            deadline_s = time.monotonic() + _START_WITHIN_S
            while not (lists / "drop").is_file():
                assert time.monotonic() < deadline_s, "the firewall's lists do not show"  # noqa: S101 - a benchmark's own
                time.sleep(0.02)

            def cut(manner: str, *, on: bool) -> None:
                for node in nodes:
                    (lists / manner).write_text(f"{'+' if on else '-'}{node}\n")

            workload = "loadtests.analytics:AnalyticsWorkload"
            yield Bench(f"http://{PUBLIC_NAME}", workload, enter, cut, folder, (RESOLVER_ADDRESS,))
        finally:
            inside.kill()
            rules("-D")


def _wait_until_running(output: Path, process: subprocess.Popen[bytes]) -> None:
    deadline_s = time.monotonic() + _START_WITHIN_S
    while time.monotonic() < deadline_s and process.poll() is None:
        with contextlib.suppress(FileNotFoundError):
            if json.loads((output / "state.json").read_text())["phase"] == "running":
                return
        time.sleep(0.05)
    msg = f"the load did not start: {(output / 'load.log').read_text()[-1000:]}"
    raise SystemExit(msg)


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _command_cut(command: str) -> Cut:
    def cut(manner: str, *, on: bool) -> None:
        subprocess.run([*shlex.split(command), manner, "on" if on else "off"], check=True, timeout=30)

    return cut


def _print(rates: Sequence[Punctuality], trials: Sequence[Trial]) -> None:
    print(f"{'rate/s':>7} {'sent <= 5 ms':>13} {'late p99 ms':>12} {'late max ms':>12} {'unsent':>7} {'cores':>6}")
    for rate in rates:
        print(
            f"{rate.rate_hz:7g} {rate.sent_on_time:13.2%} {rate.late_p99_ms:12.2f} {rate.late_max_ms:12.2f} "
            f"{rate.unsent:7d} {rate.cores:6.2f}"
        )
    print()
    print(f"{'cut':>7} {'connection':>11} {'trials':>7} {'contained':>10} {'error max ms':>13} {'worst bound ms':>15}")
    for manner in dict.fromkeys(trial.manner for trial in trials):
        for connection in Connection:
            chosen = [it for it in trials if (it.manner, it.connection) == (manner, connection.value)]
            print(
                f"{manner:>7} {connection.value:>11} {len(chosen):7d} {sum(it.contained for it in chosen):10d} "
                f"{1000 * max(it.error_s for it in chosen):13.1f} {1000 * max(it.worst_s for it in chosen):15.1f}"
            )


def main() -> None:
    """Measure, print, keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer and shorter trials")
    parser.add_argument("--json", type=Path, default=ROOT / "reports" / "benchmarks" / "meter.json")
    parser.add_argument("--twin", action="store_true", help="the twin's gateway, which has to be up")
    parser.add_argument("--base-url", default="", help="another system than the stub")
    parser.add_argument("--workload", default="loadtests.analytics:AnalyticsWorkload")
    parser.add_argument("--enter", default="", help="put before the load's command, for example nsenter --net=FILE")
    parser.add_argument("--cut", default="", help="command that cuts the other system off")
    chosen = parser.parse_args()
    # The twin's two pods serve some 300 requests a second on two cores.
    rates_hz = (100, 200) if chosen.twin else (200, 500, 1000)
    seconds = 5.0 if chosen.quick else 20.0
    lengths_s = QUICK_LENGTHS_S if chosen.quick else (*LENGTHS_S, *(LENGTHS_S[:6] * 3))
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        if chosen.twin:
            bench = stack.enter_context(gateway_of_the_twin(Path(name)))
        elif chosen.base_url:
            enter = tuple(shlex.split(chosen.enter))
            bench = Bench(chosen.base_url, chosen.workload, enter, _command_cut(chosen.cut), Path(name))
        else:
            bench = stack.enter_context(stub_behind_a_wire(Path(name)))
        rates = [punctuality(bench, rate_hz, seconds) for rate_hz in rates_hz]
        trials: list[Trial] = []
        if chosen.cut or not chosen.base_url:
            for manner in ("reject", "drop"):
                trials += known_outages(bench, manner, lengths_s, 100.0)
    _print(rates, trials)
    document = {
        "punctuality": [asdict(rate) for rate in rates],
        "outages": [asdict(it) | {"error_s": it.error_s, "contained": it.contained} for it in trials],
    }
    chosen.json.parent.mkdir(parents=True, exist_ok=True)
    chosen.json.write_text(json.dumps(document, indent=2) + "\n")


if __name__ == "__main__":
    main()
