"""A platform in memory: two slots behind a router, a clock that only moves when somebody waits."""

# ruff: noqa: ARG002 - what is in memory takes the arguments of what is real

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from drillbook.actions.canary import Shift
from drillbook.actions.deploy import Deploy
from drillbook.actions.scraped import Scraped
from drillbook.actions.switch import Switch
from drillbook.actions.watch import Limits
from drillbook.domain.environment import Strategy
from drillbook.domain.sequential import Allowance
from drillbook.domain.slot_history import Revision
from drillbook.domain.traffic import Origin
from drillbook.ports import Answer, Sample, SlotStatus, SmokeReport, Unreachable
from drillbook.run.action import restore
from drillbook.run.journal import Journal
from drillbook.run.timeline import Timeline, events
from probes.slo import ServiceSeries


@dataclass
class World:
    """What there is, and what may go wrong with it."""

    now_s: float = 1000.0
    weights: dict[str, int] = field(default_factory=lambda: {"blue": 100, "green": 0})
    slots: dict[str, str] = field(default_factory=lambda: {"blue": "1.0.0", "green": ""})
    gateway_lag_s: float = 0.3
    effective: dict[str, int] = field(default_factory=lambda: {"blue": 100, "green": 0})
    changed_s: float = 0.0
    documents: dict[str, dict] = field(default_factory=dict)
    smoke_problems: tuple[str, ...] = ()
    bad_share: float = 0.0
    slow: bool = False
    in_flight: dict[str, float] = field(default_factory=dict)
    prometheus_up: bool = True
    targets: tuple[str, ...] = ("green-1", "green-2")
    calls: list[str] = field(default_factory=list)
    ready_since: dict[str, str] = field(default_factory=dict)
    unnamed: dict[str, int] = field(default_factory=dict)
    revisions: dict[str, list[tuple[str, Revision]]] = field(default_factory=lambda: {"blue": [], "green": []})

    # Clock.
    def now(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds
        if self.now_s - self.changed_s >= self.gateway_lag_s:
            self.effective = dict(self.weights)

    @property
    def live(self) -> str:
        return max(self.effective, key=lambda slot: self.effective[slot])

    # Router, releaser, cluster, client, metrics, smoke, store.
    def router_weights(self):
        return dict(self.weights)

    def set_weights(self, weights):
        self.calls.append(f"weights {dict(weights)}")
        self.weights = dict(weights)
        self.changed_s = self.now_s

    def history(self, slot):
        if not self.slots[slot]:
            return []
        return [revision for _, revision in self.revisions[slot]] or [Revision(1, current=True)]

    def replicas(self, slot):
        return None

    def deploy(self, slot, version, *, mark, deadline_s):
        self.calls.append(f"deploy {version} to {slot}")
        self._add(slot, version, mark=mark)

    def restore(self, slot, revision, *, deadline_s):
        self.calls.append(f"restore {slot} to {revision}")
        if revision == 0:
            self.slots[slot], self.revisions[slot] = "", []
        else:
            version = next(version for version, known in self.revisions[slot] if known.number == revision)
            self._add(slot, version, back_to=revision)

    def _add(self, slot, version, *, mark="", back_to=0):
        past = self.revisions[slot] or ([(self.slots[slot], Revision(1))] if self.slots[slot] else [])
        found = Revision(len(past) + 1, mark=mark, back_to=back_to, current=True)
        self.revisions[slot] = [*((held, replace(known, current=False)) for held, known in past), (version, found)]
        self.slots[slot] = version

    def slot(self, slot):
        version = self.slots[slot]
        pods = (f"{slot}-1", f"{slot}-2") if version else ()
        since = self.ready_since if slot == "green" else {}
        return SlotStatus(slot, version, len(pods), len(pods), pods, pods, ready_since=since)

    def get(self, path, *, headers=None, timeout_s=5.0):
        slot = (headers or {}).get("X-Slot", self.live)
        return Answer(200, {"x-slot": slot}, b"", 0.001)

    def origin(self, answer):
        return Origin("region", answer.headers["x-slot"], self.slots[answer.headers["x-slot"]])

    def query(self, promql, *, at_s=None):
        if not self.prometheus_up:
            raise Unreachable("Prometheus did not answer")
        if promql.startswith("up"):
            return [Sample({"instance": f"{pod}:80"}, 1.0, self.now_s) for pod in self.targets]
        slot = "green" if '"green"' in promql else "blue"
        return [Sample({}, self.in_flight.get(slot, 0.0) if "in_flight" in promql else 5.0, self.now_s)]

    def run(self, slot, *, times):
        return SmokeReport(10, 4, self.smoke_problems, (self.slots[slot],))

    def put(self, name, document):
        self.documents[name] = dict(document)

    def delete(self, name):
        self.documents.pop(name, None)

    def names(self, prefix=""):
        return sorted(name for name in self.documents if name.startswith(prefix))

    def document(self, name):
        return self.documents.get(name)


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def drill(world, tmp_path, monkeypatch):
    """What `wiring.experiment` gives to the activities, over the world."""
    router = SimpleNamespace(
        weights=world.router_weights, set_weights=world.set_weights, backends=lambda: {"blue": "b", "green": "g"}
    )
    store = SimpleNamespace(put=world.put, get=world.document, names=world.names, delete=world.delete)
    journal = Journal(tmp_path / "undo.jsonl", store, "run-1", 7)
    timeline = Timeline(tmp_path / "timeline.jsonl", "drill", world)
    platform = SimpleNamespace(
        router=router, cluster=world, releaser=world, client=world, metrics=world,
        environment=SimpleNamespace(strategy=Strategy(watch_s=3.0, drain_s=5.0)),
        series=ServiceSeries("requests", "failures", "in_time", "fast", "timed", "in_flight", "up", "writes"),
        live_slot=lambda: max(world.weights, key=lambda slot: world.weights[slot]),
        idle_slot=lambda: min(world.weights, key=lambda slot: world.weights[slot]),
        version_of=lambda release: release,
        smoke=lambda _prefix: world,
        limits=lambda: Limits(Allowance(0.002), Allowance(0.05), 0.3, 100),
        deploy=lambda slot, release: Deploy(
            world, world, router, world, "X-Slot", "/who", world, slot, release, release, deadline_s=2.0
        ),
        update=lambda slot, release: replace(platform.deploy(slot, release), in_place=True),
        scraped=lambda slot: Scraped(world, world, world, slot, "up", "instance"),
        switch=lambda slot: Switch(router, world, world, slot, "/who", in_a_row=3, deadline_s=2.0),
        shift=lambda slot, steps: Shift(router, world, world, slot, "/who", steps, deadline_s=2.0),
    )  # fmt: skip

    def make(change):
        arguments = change.arguments["arguments"]
        if change.action == "deploy-release":
            return replace(platform.deploy(arguments["slot"], arguments["release"]), mark=arguments["mark"])
        if change.action == "update-release":
            return replace(platform.update(arguments["slot"], arguments["release"]), mark=arguments["mark"])
        if change.action == "shift-traffic":
            return platform.shift(arguments["slot"], tuple(arguments["steps"]))
        return platform.switch(arguments["slot"])

    platform.make = make
    platform.undo = lambda change: restore(change, make(change), world)
    (tmp_path / "load").mkdir()
    made = SimpleNamespace(
        folder=tmp_path, prefix="p", timeline=timeline, clock=world, journal=journal, platform=platform,
        events=lambda: events(timeline.path),
    )  # fmt: skip
    monkeypatch.setattr("drillbook.wiring.experiment", lambda: made)
    monkeypatch.setattr("drillbook.activities._halted", [])
    return made


@pytest.fixture
def clients(world, drill):
    """The load's running record: a window of 50 answers whenever the clock moves on."""
    path = Path(drill.folder) / "load" / "live.jsonl"
    sleep = world.sleep

    def sleep_and_record(seconds: float) -> None:
        sleep(seconds)
        slot = world.live
        bad = round(50 * world.bad_share) if slot == "green" else 0
        latency = [500.0 if world.slow and slot == "green" else 5.0] * 50
        answered = {"ok": 50 - bad, "bad": {"server_error": bad} if bad else {}, "latency_ms": latency}
        lost = dict(world.unnamed) if slot == "green" else {}
        nobody, unsent, doubtful = (lost.pop(name, 0) for name in ("502", "unsent", "doubtful"))
        window = {"start_s": world.now_s - seconds, "end_s": world.now_s, "unanswered": lost, "unsent": unsent,
                  "doubtful": doubtful, "versions": {f"{world.slots[slot]}|{slot}": answered}}  # fmt: skip
        if nobody:
            window["versions"]["|"] = {"ok": 0, "bad": {"server_error": nobody}, "latency_ms": []}
        with path.open("a") as file:
            file.write(json.dumps(window) + "\n")

    world.sleep = sleep_and_record
    return path
