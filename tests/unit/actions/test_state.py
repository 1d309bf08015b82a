"""Markers in two regions in memory, one of which gets what the other has, or does not."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest

from drillbook.actions.state import State
from drillbook.activities import state as state_activities
from drillbook.domain.interval import Interval
from drillbook.platform import Platform
from drillbook.ports import Unreachable
from drillbook.run.action import restore
from drillbook.run.journal import Journal
from drillbook.run.timeline import Timeline, events
from probes import state as probe


@dataclass
class World:
    """The clock, and the stores: what is written at home is away after a while."""

    now_s: float = 1000.0
    late_s: float = 3.0
    written: list[tuple[float, str, object]] = field(default_factory=list)
    silent: bool = False

    def now(self):
        return self.now_s

    def sleep(self, seconds):
        self.now_s += seconds

    def at(self, moment_s):
        found = {name: content for written_s, name, content in self.written if written_s <= moment_s}
        return {name: content for name, content in found.items() if content is not None}


@dataclass
class Store:
    world: World
    away: bool

    def digest(self, name, _key=b""):
        if self.world.silent and self.away and self.world.written:
            raise Unreachable("the west is silent")
        found = self.world.at(self.world.now_s - (self.world.late_s if self.away else 0.0)).get(name)
        return "" if found is None else str(hash(found))

    def put(self, name, content):
        assert not self.away
        self.world.written.append((self.world.now_s, name, content))

    def remove(self, name):
        if not self.away:
            self.world.written.append((self.world.now_s, name, None))
        else:
            # What lies here by now goes at once; what is still on its way comes and goes with the stream.
            self.world.now_s += self.world.late_s


@pytest.fixture
def world():
    return World()


@pytest.fixture
def drill(world, tmp_path, monkeypatch):
    stores = {"east": Store(world, away=False), "west": Store(world, away=True)}
    state = State("east", "west", stores, stores, world)
    documents = {}
    store = SimpleNamespace(
        put=lambda name, document: documents.update({name: document}), get=documents.get,
        names=lambda prefix="": sorted(n for n in documents if n.startswith(prefix)),
        delete=lambda name: documents.pop(name, None),
    )  # fmt: skip
    platform = SimpleNamespace(
        recovery=None, faults=None, migration=None, state=state, workers=None, router=None,
        environment=SimpleNamespace(name="e", target=""),
    )  # fmt: skip
    platform.undo = lambda change: restore(change, Platform.make(platform, change), world)
    timeline = Timeline(tmp_path / "timeline.jsonl", "drill", world)
    made = SimpleNamespace(
        platform=platform, journal=Journal(tmp_path / "undo.jsonl", store, "run-1", 7), timeline=timeline, clock=world,
        prefix="drill-0001", folder=tmp_path, events=lambda: events(timeline.path),
    )  # fmt: skip
    monkeypatch.setattr("drillbook.wiring.experiment", lambda: made)
    monkeypatch.setattr("drillbook.activities._halted", [])
    return made


STEPS = {"file": "write-marker-file", "secret": "write-marker-secret"}


@pytest.mark.parametrize("kind", STEPS)
def test_a_marker_is_written_changed_seen_to_arrive_and_removed(drill, world, kind):
    state_activities.write_marker(STEPS[kind])
    found = probe.arrival(drill.events(), kind)
    assert found.interval.low <= 3.0 <= found.interval.high
    assert found.interval.high < 3.5
    assert found.samples == 2
    assert [change.action for change in drill.journal.open_changes()] == [STEPS[kind]]
    assert all(undone.restored for undone in drill.journal.undo_all(drill.platform.undo, world))
    assert world.at(world.now_s) == {}


@pytest.mark.parametrize("silent", [False, True])
def test_what_does_not_arrive_is_waited_for_and_not_changed(drill, world, silent):
    world.late_s, world.silent = 1e9, silent
    assert state_activities.write_marker("write-marker-file") == {"arrived": False}
    found = probe.arrival(drill.events(), "file")
    assert found.interval.low == pytest.approx(90.0, abs=0.5)
    assert found.interval == Interval(found.interval.low, float("inf"))
    assert found.samples == 1


def test_a_marker_that_stays_in_one_region_is_not_taken_for_undone(drill, world):
    world.late_s = 1e4
    action = drill.platform.state.make("write-marker-file", {"marker": "drillbook/x"})
    world.written.append((0.0, "drillbook/x", "left"))
    world.now_s = 2e4
    world.written.append((world.now_s, "drillbook/x", None))
    seen = action.observe_undone({})
    assert not seen.holds
    assert "is in west" in seen.text


@pytest.mark.parametrize("marker", ["reports/2026", "drillbook/../reports", "drillbook"])
def test_a_journal_that_names_anything_else_removes_nothing(drill, marker):
    with pytest.raises(ValueError, match="drills write in drillbook/ alone"):
        drill.platform.state.make("write-marker-file", {"marker": marker})


@pytest.mark.usefixtures("drill")
def test_a_value_is_nowhere_on_the_timeline_or_in_the_journal(world, tmp_path):
    state_activities.write_marker("write-marker-secret")
    kept = (tmp_path / "timeline.jsonl").read_text() + (tmp_path / "undo.jsonl").read_text()
    values = [str(content) for _, _, content in world.written]
    assert len(values) == 2
    assert not any(value in kept for value in values)
