"""What is done to a run from outside, at the real command line: never a pass, said why, and nothing left changed."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests

from drillbook.drivers.reach import enter_network
from drillbook.run import processes
from drillbook.run.folder import FOLDER_VARIABLE
from drillbook.twin.layout import CLIENT
from tests.crashes.conftest import Twin

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

pytestmark = [pytest.mark.twin, pytest.mark.slow]

PROJECT = Path(__file__).resolve().parents[2]
PASS, INCONCLUSIVE = 0, 75
SCENARIO = "good_release"
WAITS_S = 600
"""For somebody else's run on this twin to end."""

STAGE_WITHIN_S = 90.0
ENDS_WITHIN_S = 120.0
NOTHING = "everything is as it was"


class Platform(Twin):
    """The twin, and who has its lock."""

    def holder(self) -> str:
        lease = json.loads(self.kubectl("get", "lease", "environment", "-n", "drillbook", "-o", "json"))
        return lease["spec"].get("holderIdentity") or ""

    def left_when_nobody_is_in(self) -> str:
        """What differs from the starting state, seen while no run has the lock."""
        give_up = time.monotonic() + WAITS_S
        while True:
            left = self.left()
            if not self.holder():
                return left
            assert time.monotonic() < give_up, f"{self.holder()} keeps the lock"
            time.sleep(0.25)


@dataclass
class Command:
    """A `drillbook verify` that a person started in a terminal.

    Attributes:
        process: It, as the leader of a group of processes, as in a terminal.
        runs: Where its folder is.
        printed: What it printed.
    """

    process: subprocess.Popen[bytes]
    runs: Path
    printed: Path

    @property
    def output(self) -> str:
        return self.printed.read_text()

    @property
    def folder(self) -> Path:
        return next(self.runs.glob("*/"))

    def wait_for(self, stage: Callable[[Path], bool]) -> None:
        """Until the run's folder shows it; the wait for somebody else's run does not count."""
        give_up = time.monotonic() + WAITS_S
        begun = False
        while not any(stage(folder) for folder in self.runs.glob("*/")):
            if not begun and any(self.runs.glob("*/")):
                begun, give_up = True, time.monotonic() + STAGE_WITHIN_S
            assert self.process.poll() is None, f"it ended before that stage: {self.output}"
            assert time.monotonic() < give_up, f"it did not come to that stage: {self.output}"
            time.sleep(0.01)

    def end(self) -> int:
        return self.process.wait(ENDS_WITHIN_S)


@pytest.fixture
def verify(tmp_path: Path) -> Generator[Callable[[], Command]]:
    made: list[Command] = []

    def start() -> Command:
        runs, printed = tmp_path / "runs", tmp_path / "printed"
        command = [
            sys.executable, "-m", "drillbook", "verify", "--only", "cutover", "--runs", runs, "--wait", str(WAITS_S),
        ]  # fmt: skip
        with printed.open("wb") as file:
            process = subprocess.Popen(command, cwd=PROJECT, stdout=file, stderr=file, start_new_session=True)
        made.append(Command(process, runs, printed))
        return made[-1]

    yield start
    for command in made:
        if command.process.poll() is None:
            os.killpg(command.process.pid, signal.SIGTERM)
            command.process.wait(ENDS_WITHIN_S)


def event(kind: str, name: str) -> Callable[[Path], bool]:
    """Whether the timeline has it."""

    def seen(folder: Path) -> bool:
        timeline = folder / "timeline.jsonl"
        lines = timeline.read_text().splitlines() if timeline.is_file() else []
        return any(f'"kind": "{kind}"' in line and f'"{name}"' in line for line in lines)

    return seen


STAGES: dict[str, Callable[[Path], bool]] = {
    "the folder is made": lambda folder: (folder / "run.json").is_file(),
    "load is starting": lambda folder: any(folder.glob("drills/*/load/plan.json")),
    "load is running": event("note", "load"),
    "a release is about to be deployed": event("intent", "deploy-release"),
    "a release is deployed": event("injected", "deploy-release"),
    "a release is seen to run": event("observed", "deploy-release"),
    "a release is being validated": event("intent", "validate_release"),
    "a release is validated": event("observed", "validate_release"),
    "traffic is switched": event("injected", "switch-traffic"),
    "traffic is seen to be switched": event("observed", "switch-traffic"),
    "a release is being watched": event("intent", "watch_release"),
    "the old slot drains": event("intent", "drain_old_slot"),
    "the way back has begun": event("intent", "put_back"),
    "traffic is back": event("note", "traffic_back"),
}


@pytest.mark.parametrize("stage", STAGES)
def test_ctrl_c_is_never_a_pass_and_leaves_nothing_changed(verify, stage):
    command = verify()
    command.wait_for(STAGES[stage])
    os.killpg(command.process.pid, signal.SIGINT)
    code = command.end()
    assert code == INCONCLUSIVE, command.output
    assert Platform().left_when_nobody_is_in() == NOTHING
    assert "Traceback" not in command.output
    assert "verdict: INCONCLUSIVE" in command.output
    recorded = json.loads((command.folder / "run.json").read_text())
    assert (recorded["verdict"], recorded["exit_code"], recorded["interrupted"]) == ("INCONCLUSIVE", INCONCLUSIVE, True)
    assert (command.folder / "report.html").is_file()
    assert processes.carrying({FOLDER_VARIABLE: str(command.folder)}) == [], "a process of the run outlives it"


def test_of_two_runs_at_once_the_second_is_told_who_the_first_is(drilled):
    refused: list[subprocess.CompletedProcess[str]] = []

    def start_another(saboteur):
        saboteur.after("intent", "deploy-release")
        arguments = ["verify", "--only", "cutover", "--runs", str(saboteur.runs.with_name("second"))]
        refused.append(
            subprocess.run(
                [sys.executable, "-m", "drillbook", *arguments],
                cwd=PROJECT,
                capture_output=True,
                text=True,
                timeout=ENDS_WITHIN_S,
                check=False,
            )
        )

    first = drilled(SCENARIO, sabotage=start_another)
    assert first.code == PASS, str(first)
    (second,) = refused
    said = second.stdout + second.stderr
    assert second.returncode == INCONCLUSIVE, said
    assert re.search(r"the environment is in use by \S+@\S+ process \d+ since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", said)
    assert "--wait" in said
    assert "Traceback" not in said


Answer = tuple[int, str, bytes]
EMPTY = b'{"status": "success", "data": {"resultType": "vector", "result": []}}'
NAN = b'{"status": "success", "data": {"resultType": "vector", "result": [{"metric": {}, "value": [1, "NaN"]}]}}'
WRONG: dict[str, tuple[Answer, str]] = {
    "an error": ((500, "text/plain", b"out of memory"), "answered 500"),
    "a login page": (
        (200, "text/html", b"<html><title>Sign in</title></html>"),
        "no instant vector, beginning '<html>",
    ),
    "nothing": ((200, "application/json", EMPTY), ""),
    "NaN": ((200, "application/json", NAN), ""),
}


@dataclass
class Prometheus:
    """Stands before the real one, and from some moment on answers in its place.

    Attributes:
        url: Where it listens, inside the twin's client machine.
        real: Where the real one is.
        instead: The answer that it gives; None as long as it hands questions on.
        given: How often it gave that answer.
    """

    url: str = ""
    real: str = ""
    instead: Answer | None = None
    given: int = 0


@contextmanager
def before_prometheus() -> Generator[Prometheus]:
    prometheus = Prometheus()
    listens = threading.Event()
    stop: list[ThreadingHTTPServer] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length)
            if prometheus.instead is not None:
                prometheus.given += 1
                code, kind, answer = prometheus.instead
            else:
                headers = {name: value for name, value in self.headers.items() if name.lower() != "host"}
                url = prometheus.real + self.path
                found = requests.request(self.command, url, data=body, headers=headers, timeout=5)
                code, kind, answer = found.status_code, found.headers.get("Content-Type", ""), found.content
            self.send_response(code)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        do_POST = do_GET  # noqa: N815 - the library's name

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
            """Nothing."""

    def serve() -> None:
        enter_network(CLIENT.namespace)  # this thread alone, and those that answer
        with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            prometheus.url = f"http://127.0.0.1:{server.server_address[1]}"
            stop.append(server)
            listens.set()
            server.serve_forever(poll_interval=0.05)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    assert listens.wait(5), "the stand-in does not listen"
    try:
        yield prometheus
    finally:
        stop[0].shutdown()
        thread.join()


@pytest.mark.parametrize("case", WRONG)
def test_a_prometheus_that_fails_in_mid_drill_makes_it_inconclusive(drilled, case):
    answer, said = WRONG[case]
    with before_prometheus() as prometheus:

        def fail(saboteur):
            saboteur.after("observed", "switch-traffic")
            prometheus.instead = answer

        def through_it(document: dict[str, Any]) -> None:
            prometheus.real = document["metrics"]["url"]
            document["metrics"]["url"] = prometheus.url

        outcome = drilled(SCENARIO, change=through_it, sabotage=fail)
    assert prometheus.given > 0, "it was not asked again"
    assert outcome.code == INCONCLUSIVE, str(outcome)
    assert outcome.verdict_of("drill.") == {"PASS"}, str(outcome)
    assert all(check["verdict"] != "FAIL" for check in outcome.checks), str(outcome)
    assert "INCONCLUSIVE" in outcome.verdict_of("slo"), str(outcome)
    assert any(said in reason for reason in outcome.not_passed().values()), str(outcome)


def test_a_prometheus_that_is_not_there_is_found_before_the_switch(drilled):
    def nobody(document: dict[str, Any]) -> None:
        document["metrics"]["url"] = "http://127.0.0.1:1"

    outcome = drilled(SCENARIO, change=nobody)
    assert outcome.code == INCONCLUSIVE, str(outcome)
    assert outcome.verdict_of("drill.") == {"PASS"}, str(outcome)
    assert "nothing listens there" in outcome.output, str(outcome)
