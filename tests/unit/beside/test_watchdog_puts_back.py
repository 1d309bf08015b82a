"""The watchdog after its runner's death: it needs what undoing needs, asks again for what is away, says how it went."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from ruamel.yaml import YAML

from drillbook.beside import watchdog
from drillbook.domain.undo import Restoration
from drillbook.ports import LockLost, Unreachable
from drillbook.run.environment import DIRECTORY
from drillbook.run.folder import RunFolder
from drillbook.run.journal import UNDO_WITHIN_S, Journal
from drillbook.run.redaction import SOURCE_VARIABLE
from drillbook.run.timeline import events
from tests.unit.clocks import Clock

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from drillbook.domain.environment import Environment


class Documents(dict[str, dict[str, object]]):
    """The target environment's own."""

    put = dict.__setitem__

    def names(self, prefix=""):
        return sorted(name for name in self if name.startswith(prefix))

    def delete(self, name):
        self.pop(name, None)


@dataclass
class World:
    """A run that has switched the traffic and is dead.

    Attributes:
        run: Its folder.
        file: Its environment file.
        away: What keeps the ports from being made; raised each time.
        away_for_s: For how long, after its death.
        lost: Whether somebody else has the lock.
        meanwhile: What happens while the watchdog waits for the runner's end.
        undone: The changes that were undone.
        seen: With which environment the ports were made.
    """

    run: RunFolder
    file: Path
    clock: Clock
    documents: Documents = field(default_factory=Documents)
    away: Exception | None = None
    away_for_s: float = float("inf")
    lost: bool = False
    meanwhile: Callable[[], object] = int
    undone: list[str] = field(default_factory=list)
    seen: list[Environment] = field(default_factory=list)

    def platform(self, environment: Environment, clock: Clock, *, witnessed: bool) -> Any:
        assert (clock, witnessed) == (self.clock, False)
        if self.away is not None and clock.now() < 1000.0 + self.away_for_s:
            raise self.away
        self.seen.append(environment)
        return SimpleNamespace(
            environment=environment, clock=clock, store=self.documents, undo=self.undo,
            lock=SimpleNamespace(adopt=lambda _: None, check=self.look, renew=self.look, release=lambda: None),
        )  # fmt: skip

    def look(self) -> None:
        if self.lost:
            raise LockLost("the environment's lock is held by another run now")

    def undo(self, change):
        self.undone.append(change.action)
        return Restoration(change, restored=True, text="the traffic is where it was", at_s=self.clock.now())

    def watch(self) -> int:
        return watchdog.main((str(self.file), str(self.run.path), "0:0", "1", "0"))

    def told(self) -> list[tuple[str, str]]:
        return [(event.kind, event.text) for event in events(self.run.path / "timeline.jsonl")]


@pytest.fixture
def world(tmp_path, monkeypatch) -> World:
    clock = Clock()
    run = RunFolder.create(tmp_path / "runs", "sample", 1000.0)
    run.write_run({"run_id": run.run_id, "fencing": 7, "lock": {"identity": "me", "kept_by": ""}, "started_s": 1000.0})
    file = tmp_path / "environments" / "sample.yaml"
    file.parent.mkdir()
    (tmp_path / "system").symlink_to(DIRECTORY.parent / "system")
    document = YAML(typ="safe", pure=True).load((DIRECTORY / "twin.yaml").read_text())
    document |= {"name": "sample"}
    document["releases"]["values"] = ["of-this-night.yaml"]
    file.with_name("of-this-night.yaml").write_text("{}")
    file.write_text(json.dumps(document))
    made = World(run, file, clock)
    journal = Journal(run.path / "undo.jsonl", made.documents, run.run_id, 7)
    journal.done(journal.intend("switch-traffic", {}, "drill"))

    def end_of_runner(_pipe: int) -> str:
        made.meanwhile()
        return "the runner has died"

    monkeypatch.setattr(watchdog.wiring, "platform", made.platform)
    monkeypatch.setattr(watchdog, "end_of_runner", end_of_runner)
    monkeypatch.setattr(watchdog, "processes", SimpleNamespace(kill=lambda _: None, end=lambda _: []))
    monkeypatch.setattr(watchdog, "SteadyClock", SimpleNamespace(parse=lambda _: clock))
    monkeypatch.setattr(watchdog.signal, "signal", lambda *_: None)
    monkeypatch.setattr(watchdog.redaction, "guard_streams", lambda: None)
    monkeypatch.setenv(SOURCE_VARIABLE, "")
    return made


def test_what_the_run_has_changed_is_put_back(world):
    assert world.watch() == 0
    assert (world.undone, world.documents) == (["switch-traffic"], {})
    assert [kind for kind, _ in world.told()] == ["detected", "recovered"]


def test_a_line_that_a_full_disk_tore_keeps_nothing_from_being_put_back(world):
    with (world.run.path / "undo.jsonl").open("a") as file:
        file.write('{"sequence": 2, "arguments": {"before": {"weights": {"blue": 100}}}')
    with (world.run.path / "timeline.jsonl").open("a") as file:
        file.write('{"t_s": 1000.0, "data": {"action": "deploy-release"}')
    assert world.watch() == 0
    assert (world.undone, world.documents) == (["switch-traffic"], {})
    assert [kind for kind, _ in world.told()] == ["detected", "recovered"]


def test_ports_that_cannot_be_made_yet_are_made_when_they_can(world):
    world.away, world.away_for_s = Unreachable("the kubeconfig gives no credential: its command failed"), 120.0
    assert world.watch() == 0
    assert world.undone == ["switch-traffic"]
    assert world.clock.now() >= 1120.0


@pytest.mark.parametrize("away", [Unreachable("the kubeconfig gives no credential"), ValueError("no such workload")])
def test_ports_that_cannot_be_made_are_told_and_the_run_says_how_it_ended(world, away):
    world.away = away
    assert world.watch() == 1
    assert [kind for kind, _ in world.told()] == ["detected", "note"]
    assert str(away) in world.told()[-1][1]
    assert "drillbook recover" in world.told()[-1][1]
    assert (world.run.read_run()["verdict"], world.run.read_run()["interrupted"]) == ("INCONCLUSIVE", True)
    assert world.clock.now() < 1000.0 + UNDO_WITHIN_S + 5
    assert list(world.documents), "the change is still open"


def test_an_environment_file_that_is_edited_while_the_run_goes_on_counts_as_it_was(world):
    world.meanwhile = lambda: world.file.write_text("{unclosed")
    assert world.watch() == 0
    assert [environment.name for environment in world.seen] == ["sample"]


def test_values_of_a_release_that_are_cleaned_away_are_not_missed(world):
    world.file.with_name("of-this-night.yaml").unlink()
    assert world.watch() == 0
    assert world.undone == ["switch-traffic"]


def test_a_watchdog_that_was_started_again_beside_a_faulty_file_reads_it_once_it_is_mended(world):
    good = world.file.read_text()
    world.file.write_text("{unclosed")
    world.meanwhile = lambda: world.file.write_text(good)
    assert world.watch() == 0
    assert world.undone == ["switch-traffic"]


def test_what_a_new_holder_of_the_lock_finds_is_left_to_him(world):
    world.lost = True
    assert world.watch() == 0
    assert world.undone == []
    assert [text.partition(":")[0] for _, text in world.told()][-1] == "left to the new holder of the lock"


def test_a_lock_that_cannot_be_given_back_makes_nothing_undone_again(world, monkeypatch):
    def released(_lock):
        raise Unreachable("the cluster does not answer")

    made = world.platform

    def platform(*given, **named):
        ports = made(*given, **named)
        ports.lock.release = lambda: released(ports.lock)
        return ports

    monkeypatch.setattr(watchdog.wiring, "platform", platform)
    assert world.watch() == 0
    assert [kind for kind, _ in world.told()] == ["detected", "recovered"]
