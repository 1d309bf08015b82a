"""Two regions' databases in memory, which may be cut off, crash between steps, and go apart."""

# ruff: noqa: ARG002 - what is in memory takes the arguments of what is real

from __future__ import annotations

import json
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from drillbook.actions.recovery.plan import Recovery
from drillbook.actions.recovery.site import Site
from drillbook.domain.traffic import Origin
from drillbook.platform import Platform
from drillbook.ports import Answer, DatabaseStatus, Observation, Refused, SlotStatus, SmokeReport, Unreachable
from drillbook.run.action import restore
from drillbook.run.journal import Journal
from drillbook.run.timeline import Timeline, events

if TYPE_CHECKING:
    from pathlib import Path


@dataclass
class Server:
    """One region's server with what starts and stops it: both ports."""

    world: World
    region: str
    is_primary: bool
    timeline: int = 1
    rows: list[str] = field(default_factory=list)
    up: bool = True
    asked_for: bool = True
    promoting: bool = False
    held: bool = False
    detached: bool = False
    given: str = ""
    reachable: bool = True
    lets_nobody_in: bool = False
    host_reachable: bool = True
    hangs: bool = False
    stays: bool = True
    empty: bool = False
    aside: tuple[list[str], bool, int] | None = None
    printed: str = ""

    @property
    def peer(self) -> Server:
        return self.world.servers["west" if self.region == "east" else "east"]

    @property
    def receiving(self) -> bool:
        peer = self.peer
        cut = self.world.cut or self.detached
        return self.up and not self.is_primary and peer.up and peer.is_primary and not cut and self.joined

    joined: bool = True

    def replicate(self) -> None:
        if self.receiving:
            self.rows = list(self.peer.rows)
            self.timeline = self.peer.timeline

    # Database.
    def status(self):
        if self.up and self.lets_nobody_in:
            raise Refused(f"the database in {self.region} did not say what it is: too many clients")
        if not (self.up and self.reachable):
            raise Unreachable(f"the database in {self.region} does not answer")
        self.replicate()
        return DatabaseStatus(self.is_primary, self.timeline, "7", len(self.rows), self.receiving, self.held)

    def promote(self, *, wait_s):
        self.world.step(f"promote {self.region}")
        self.status()
        self.promoting = not self.is_primary
        if self.world.replays:
            self.world.sleep(wait_s)
            self.world.step(f"give up waiting for {self.region}")
            raise Unreachable(f"the database in {self.region} is not the primary")
        self.replayed()

    def replayed(self):
        """All that it had received; then a promotion that was asked for comes about, whoever asked for it."""
        if self.up and self.promoting:
            self.is_primary, self.timeline, self.promoting = True, self.timeline + 1, False

    def detach(self):
        self.world.step(f"detach {self.region}")
        self.status()
        self.detached = True

    def attach(self):
        self.detached = False

    def hold_writes(self):
        self.world.step(f"hold {self.region}")
        self.status()
        self.held = True

    def release_writes(self):
        self.world.step(f"release {self.region}")
        self.status()
        self.held = False

    # Host.
    def orders(self):
        self._asked()
        return self.given

    def order(self, orders):
        self.world.step(f"order {self.region} {orders or 'as it is'}")
        self._asked()
        self.given = orders

    def stop(self):
        self.world.step(f"stop {self.region}")
        self._asked()
        self.asked_for = False
        if not self.hangs:
            self.peer.replicate()  # a shutdown in order sends what is left
            self.up = self.promoting = False

    def lose(self):
        self.world.step(f"lose {self.region}")
        self._asked()
        self.up = self.asked_for = self.promoting = False

    def start(self):
        self.world.step(f"start {self.region}")
        self._asked()
        self.asked_for = True
        if self.up or self.given == "fenced" or not self._volume():
            return
        peer = self.peer
        if self.given == "standby":
            if not (peer.up and peer.is_primary):
                return
            self.world.thrown_away += [row for row in self.rows if row not in peer.rows]
            self.is_primary, self.timeline, self.rows, self.joined = False, peer.timeline, list(peer.rows), True
            self.detached = False
        elif (
            self.is_primary
            and self.given != "primary"
            and peer.up
            and (peer.is_primary or peer.timeline > self.timeline)
        ):
            return  # the guard of its start refuses
        self.up = True

    def _volume(self):
        """What the start does with the volume before the server; False when it ends there."""
        self.printed = ""
        if self.given == "lost":
            if not self.empty:
                self.aside, self.rows, self.empty = (self.rows, self.is_primary, self.timeline), [], True
            self.printed = "LOST: ordered to have no data"
            return False
        if self.given == "returned" and self.aside is not None:
            if self.empty or self.timeline <= self.aside[2]:
                (self.rows, self.is_primary, self.timeline), self.empty = self.aside, False
            self.aside = None
        if self.given.startswith("restore-") and self.empty:
            if self.peer.up and self.peer.is_primary:
                return False
            self.rows, self.is_primary, self.timeline = list(self.world.archived), True, self.timeline + 1
            self.empty, self.aside, self.printed = False, None, f"Restored 9 MiB of repository {self.given[-1]}."
        if self.given == "standby" and self.peer.up and self.peer.is_primary:
            self.empty, self.aside = False, None
        return not self.empty

    def said(self):
        self._asked()
        return self.printed

    def running(self):
        self._asked()
        return self.up

    def wanted(self):
        self._asked()
        return self.asked_for

    def _asked(self):
        if not self.host_reachable:
            raise Unreachable(f"the cluster in {self.region} did not answer")


@dataclass
class Cut:
    """The east is cut off, and its primary has ended itself by its lease."""

    world: World
    bites: bool = True
    mends: bool = True

    def describe(self):
        return "cut east from the network"

    def inject(self):
        self.world.step("cut east off")
        east = self.world.servers["east"]
        if self.bites:
            east.reachable = east.host_reachable = east.up = False
            self.world.cut = True

    def bit(self):
        return Observation(
            self.world.cut, "east answers nothing" if self.world.cut else "east answers", self.world.now()
        )

    def undo(self):
        if self.mends:
            east = self.world.servers["east"]
            east.reachable = east.host_reachable = True
            self.world.cut = False

    def undone(self):
        return Observation(not self.world.cut, "east answers", self.world.now())


@dataclass
class World:
    """Both regions, the clock, and the application."""

    now_s: float = 1000.0
    servers: dict[str, Server] = field(default_factory=dict)
    cut: bool = False
    replays: bool = False
    dies_at: int = 0
    steps: list[str] = field(default_factory=list)
    documents: dict[str, dict] = field(default_factory=dict)
    points: str = "east"
    desired: int = 2
    names_order: tuple[str, ...] = ("east", "west")
    asked_again_s: float = 0.0
    restarted_s: float = 0.0
    stays_away: bool = False
    answering: str = "east"
    smoke_problems: tuple[str, ...] = ()
    writes: int = 4
    thrown_away: list[str] = field(default_factory=list)
    archived: list[str] = field(default_factory=lambda: ["first"])
    record: Path | None = None
    failing: bool = False
    faults: dict[str, Cut] = field(default_factory=dict)

    def now(self):
        return self.now_s

    def sleep(self, seconds):
        self.now_s += seconds
        if self.record is not None:
            self.tell_clients(seconds)

    def tell_clients(self, seconds):
        """A line of the load's running record: ten answers, all good while somebody takes writes."""
        good = not self.failing and any(s.up and s.is_primary and not s.held for s in self.servers.values())
        version = {"ok": 10 if good else 0, "bad": {} if good else {"server_error": 10}}
        line = {"start_s": self.now_s - seconds, "end_s": self.now_s, "versions": {"1.0.0|blue": version},
                "unanswered": {}, "unsent": 0}  # fmt: skip
        with self.record.open("a") as file:
            file.write(json.dumps(line) + "\n")

    def step(self, what):
        if self.dies_at and len(self.steps) + 1 == self.dies_at:
            self.dies_at = 0
            raise SystemExit(what)  # the harness is killed
        self.steps.append(what)

    def write(self, row):
        """A user's write to whichever server takes it; answers how many took it."""
        takers = [s for s in self.servers.values() if s.up and s.is_primary and not s.held]
        for server in takers:
            server.rows.append(row)
        for server in self.servers.values():
            server.replicate()
        return len(takers)

    # Cluster, application, name, client, smoke.
    def slot(self, slot):
        pods = tuple(f"pod-{n}" for n in range(self.desired))
        version, rolled_out = "1.0.0" if self.desired else "", self.now_s >= self.restarted_s
        return SlotStatus(slot, version, self.desired, self.desired, pods, pods, rolled_out=rolled_out)

    def scale(self, slot, replicas):
        self.desired = replicas

    def points_at(self):
        return self.points

    def point_at(self, region):
        self.points, self.restarted_s = region, self.now_s + 3.0

    def order(self):
        return self.names_order

    def prefer(self, regions):
        self.names_order, self.asked_again_s = tuple(regions), self.now_s + 30.0

    def kept_for_s(self):
        return 30.0

    def resolved(self):
        if self.now_s >= self.asked_again_s and not self.stays_away:
            self.answering = self.names_order[0]
        return frozenset({self.answering})

    def get(self, path, *, headers=None, timeout_s=5.0):
        return Answer(200, {"x-region": self.answering}, b"", 0.001)

    def origin(self, answer):
        return Origin(answer.headers["x-region"], "blue", "1.0.0")

    def run(self, slot, *, times):
        return SmokeReport(10, self.writes, self.smoke_problems, ("1.0.0",))


@pytest.fixture
def world(tmp_path):
    made = World(record=tmp_path / "load" / "live.jsonl")
    made.record.parent.mkdir()
    made.faults["cut"] = Cut(made)
    made.servers["east"] = Server(made, "east", is_primary=True)
    made.servers["west"] = Server(made, "west", is_primary=False)
    made.write("first")
    return made


@pytest.fixture
def east(world):
    return world.servers["east"]


@pytest.fixture
def west(world):
    return world.servers["west"]


@pytest.fixture
def sites(east, west):
    return Site("east", east, east), Site("west", west, west)


@pytest.fixture
def journal(world, tmp_path):
    store = SimpleNamespace(
        put=lambda name, document: world.documents.update({name: document}),
        get=world.documents.get, names=lambda prefix="": sorted(n for n in world.documents if n.startswith(prefix)),
        delete=lambda name: world.documents.pop(name, None),
    )  # fmt: skip
    return Journal(tmp_path / "undo.jsonl", store, "run-1", 7)


@pytest.fixture
def timeline(world, tmp_path):
    return Timeline(tmp_path / "timeline.jsonl", "drill", world)


@pytest.fixture
def recovery(world, sites):
    regions = {"east": world, "west": world}
    return Recovery(
        {site.region: site for site in sites}, "east", "west", regions, regions, world, world, world, ("blue",), "/who",
        replicas=4, silence_s=20.0, faults=world.faults,
    )  # fmt: skip


@pytest.fixture
def drill(world, recovery, journal, timeline, monkeypatch):
    platform = SimpleNamespace(
        recovery=recovery, faults=None, migration=None, state=None, workers=None, smoke=lambda _prefix: world,
        environment=SimpleNamespace(name="e", target=""), router=None,
    )  # fmt: skip
    platform.undo = lambda change: restore(change, Platform.make(platform, change), world)
    made = SimpleNamespace(platform=platform, journal=journal, timeline=timeline, clock=world, prefix="p",
                           folder=world.record.parents[1], events=lambda: events(timeline.path))  # fmt: skip
    monkeypatch.setattr("drillbook.wiring.experiment", lambda: made)
    monkeypatch.setattr("drillbook.activities._halted", [])
    return made
