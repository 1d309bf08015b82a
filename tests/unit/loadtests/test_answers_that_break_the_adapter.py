"""An answer on which the adapter itself breaks is a wrong answer: it is counted, and no request is lost with it."""

from __future__ import annotations

import json
import subprocess
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from pyarrow import parquet

from drillbook.domain.requests import Stalls
from drillbook.domain.traffic import Connection, Origin, Outcome
from drillbook.drivers.smoke import GatewaySmoke
from drillbook.ports import Answer
from examples.kinto.adapter import KintoWorkload
from loadtests.analytics import AnalyticsWorkload
from loadtests.client import Client, Exchange
from loadtests.clock import SteadyClock
from loadtests.crossing.jobs import Jobs
from loadtests.crossing.sessions import Sessions, _Session
from loadtests.plan import Target
from loadtests.readback import read_back
from loadtests.recorder import Recorder
from loadtests.state import Live
from loadtests.workload import Reply, Request, WriteState

if TYPE_CHECKING:
    from pathlib import Path

CLOCK = SteadyClock.starting_now()
HEADERS = {"x-version": "1.1.0", "x-slot": "green", "x-region": "r"}
SAYS = "the adapter could not read it: TypeError: "


class Breaks(AnalyticsWorkload):
    """An adapter that was written for right answers only; `at` is the method that breaks."""

    def __init__(self, *at: str) -> None:
        super().__init__("n", {"seeded_events": 4})
        self._at = at

    def _breaks(self, method: str) -> None:
        if method in self._at:
            raise TypeError(f"'NoneType' in {method}")

    def wrong(self, *_):
        self._breaks("wrong")
        return ""

    def state(self, *_):
        self._breaks("state")
        return WriteState.ACKNOWLEDGED

    def origin(self, reply):
        self._breaks("origin")
        return super().origin(reply)

    def found(self, key, replies):
        self._breaks("found")
        return super().found(key, replies)

    def honours(self, *_):
        self._breaks("honours")
        return True


@pytest.fixture
def record(tmp_path: Path):
    """One exchange, recorded; answers the outcome, the row, the ledger's entries and the line of `live.jsonl`."""

    def one(workload, request: Request, status: int = 200, body: bytes = b"{}"):
        live = Live(tmp_path, CLOCK, 1.0, lambda: Stalls(np.array([]), np.array([])))
        recorder = Recorder(tmp_path, workload, live)
        exchange = Exchange(5.0, 5.01, Outcome.OK, fresh=True, reply=Reply(status, HEADERS, body))
        outcome = recorder.record(request, exchange, Connection.NEW, "meter", 5.0)
        live.finish()
        recorder.finish()
        (row,) = parquet.read_table(tmp_path / "requests.parquet").to_pylist()
        entries = parquet.read_table(tmp_path / "ledger.parquet").to_pylist()
        return outcome, row, entries, json.loads((tmp_path / "live.jsonl").read_text())["versions"]

    return one


@pytest.mark.parametrize("at", ["wrong", "state"])
def test_it_is_a_wrong_answer_of_whoever_answered(record, at) -> None:
    workload = Breaks(at)
    outcome, row, (write,), versions = record(workload, workload.write(1))
    assert outcome is Outcome.WRONG_ANSWER
    assert (row["outcome"], row["version"], row["error"]) == ("wrong_answer", "1.1.0", f"{SAYS}'NoneType' in {at}")
    assert write["state"] == ("indeterminate" if at == "state" else "acknowledged")
    assert versions["1.1.0|green"]["bad"] == {"wrong_answer": 1}


def test_who_answered_it_nobody_knows_where_the_adapter_breaks_on_that(record) -> None:
    workload = Breaks("origin")
    outcome, row, _, versions = record(workload, workload.query(1))
    assert outcome is Outcome.WRONG_ANSWER
    assert (row["version"], row["slot"], row["region"], row["status"]) == ("", "", "", 200)
    assert versions["|"]["bad"] == {"wrong_answer": 1}


@pytest.mark.parametrize(("status", "outcome"), [(503, Outcome.SERVER_ERROR), (409, Outcome.CLIENT_ERROR)])
def test_what_is_bad_by_its_status_stays_so(record, status, outcome) -> None:
    workload = Breaks("wrong", "state", "origin")
    found, row, (write,), _ = record(workload, workload.write(1), status, b"busy")
    assert (found, row["error"], write["state"]) == (outcome, "busy", "indeterminate")


def test_why_it_is_wrong_may_be_told_in_what_is_no_text(record) -> None:
    """Half a surrogate pair, which JSON may hold and no file: all rows of the time would be lost with it."""
    workload = Breaks()
    workload.wrong = lambda _request, _reply: "the name is \ud800"  # type: ignore[method-assign]
    _, row, _, _ = record(workload, workload.query(1))
    assert row["error"] == "the name is ?"


LOST = [
    {"data": [None] * 20}, {"data": ["x"]}, {"data": [*range(20)]}, {"data": 3}, {"data": None}, [], None,
]  # fmt: skip


@pytest.mark.parametrize("body", [*(json.dumps(one).encode() for one in LOST), b"[" * 100_000, b"\xff", b""])
def test_the_example_of_an_adapter_reads_whatever_it_is_answered(body) -> None:
    kinto = KintoWorkload("ns", {})
    reply = Reply(200, HEADERS, body)
    for request in (kinto.query(0), kinto.write(3)):
        assert kinto.wrong(request, reply)
    assert kinto.state(kinto.write(3), reply) is WriteState.INDETERMINATE
    found = kinto.found("ns-3", [reply])
    assert found is None or not found.equal


SENDS_WHAT_CANNOT_BE_SENT = """
from gevent import monkey; monkey.patch_all()
import gevent
from types import SimpleNamespace as Some
from loadtests.client import Client, Pool
from loadtests.clock import SteadyClock
from loadtests.meter import Meter
from loadtests.plan import Target
from loadtests.workload import Request
clock, broke, meter = SteadyClock.starting_now(), [], Meter.__new__(Meter)
meter.load = Some(recorder=None, fail=broke.append)
meter._pool = Pool(1)
meter._client = Client(Target("http", "127.0.0.1", 9, "", {}, (), None), clock, 1.0)
for send in (meter._on_new, meter._on_reused):
    gevent.spawn(send, Request("query", "GET", "/caf\u20ac"), clock.now()).join()
print([type(error).__name__ for error in broke])
"""


def test_a_request_of_the_meter_that_gets_no_row_breaks_the_load() -> None:
    # In a process of its own: Locust patches what this one already uses.
    command = [sys.executable, "-c", SENDS_WHAT_CANNOT_BE_SENT]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "['UnicodeEncodeError', 'UnicodeEncodeError']\n", done.stdout + done.stderr


def test_a_write_that_nobody_can_read_back_has_a_row_that_says_so(tmp_path, monkeypatch) -> None:
    reply = Reply(200, HEADERS, b"[]")
    exchange = Exchange(5.0, 5.01, Outcome.OK, fresh=False, reply=reply)
    monkeypatch.setattr(Client, "through", lambda *_: exchange)
    settings = SimpleNamespace(target=None, concurrency=2, deadline_s=0.3, rate_hz=1000.0)
    plan: Any = SimpleNamespace(
        reading_back=settings, target=Target("http", "127.0.0.1", 9, "", {}, (), None), clock=CLOCK,
        metering=SimpleNamespace(timeout_s=1.0),
    )  # fmt: skip
    read_back(plan, Breaks("found"), ["n-1"], tmp_path)
    (row,) = parquet.read_table(tmp_path / "readback.parquet").to_pylist()
    assert row["error"] == f"{SAYS}'NoneType' in found"


class Answering:
    """A user at the public address who is always answered the same."""

    def __init__(self, origin: Exception | None = None) -> None:
        self._origin = origin

    def send(self, *_, **_more):
        return Answer(200, HEADERS, b"{}", 1.0)

    def get(self, path, **_):
        return self.send("GET", path)

    def origin(self, _answer):
        if self._origin is not None:
            raise self._origin
        return Origin("r", "green", "1.1.0")


@pytest.mark.parametrize(
    ("at", "says"),
    [
        ("wrong", f"query was answered wrongly: {SAYS}'NoneType' in wrong"),
        ("found", f"the write n-0 was acknowledged, and read back as nothing that could be judged: {SAYS}'NoneType'"),
    ],
)
def test_a_smoke_check_that_the_adapter_breaks_on_has_failed(at, says) -> None:
    report = GatewaySmoke(Answering(), lambda _prefix: Breaks(at), "n", "x-slot").run("green", times=1)
    assert any(problem.startswith(says) for problem in report.problems), report.problems
    assert bool(report.wrong) is (at == "wrong")


def test_a_smoke_check_of_nobody_knows_whom_has_failed() -> None:
    client = Answering(TypeError("no header"))
    report = GatewaySmoke(client, lambda _prefix: Breaks(), "n", "x-slot").run("green", times=1)
    assert f"nobody can tell who answered: {SAYS}no header" in report.problems


class Regions:
    """Two regions that answer all the same; what is told of them is kept."""

    names = ("east", "west")
    clock = CLOCK

    def __init__(self) -> None:
        self.told: list[Any] = []

    def ask(self, _region, _request):
        return Exchange(5.0, 5.01, Outcome.OK, fresh=True, reply=Reply(200, HEADERS, b"[]"))

    def tell(self, _name, line):
        self.told.append(line)


@pytest.mark.parametrize("at", ["state", "origin"])
def test_a_job_whose_answer_breaks_the_adapter_is_not_lost(at) -> None:
    regions: Any = Regions()
    workload = Breaks(at)
    jobs = Jobs(regions, workload)
    jobs._send(workload.write(1), "east", "east")
    (line,) = regions.told
    assert (line.state, line.by) == (("indeterminate", "r") if at == "state" else ("acknowledged", ""))


def test_a_look_up_that_breaks_the_adapter_tells_nothing() -> None:
    regions: Any = Regions()
    assert Jobs(regions, Breaks("found"))._found("n-1", "east") is None


@pytest.mark.parametrize("at", ["honours", "origin"])
def test_a_session_whose_answer_breaks_the_adapter_is_not_lost(at) -> None:
    regions: Any = Regions()
    seen = Sessions(regions, Breaks(at))._ask(_Session("s", "good", "east", "u", "t"), "east")
    (line,) = regions.told
    assert (seen, line.by) == (("unanswered", "r") if at == "honours" else ("honoured", ""))
