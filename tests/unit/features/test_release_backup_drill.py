"""In which order a release is deployed after a backup, what is taken back, and what is left when something fails."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from drillbook.drills import backup
from drillbook.drills import release_backup as release_backup_drill
from drillbook.drills.seen import NotReady
from drillbook.ports import Conflict, Unreachable
from probes import release_backup

NEWER = "1.1.0 without its migration"


class World:
    """A drill with ports that write down what is asked of them."""

    def __init__(self, folder, monkeypatch) -> None:
        self.did: list[str] = []
        self.fails = ""
        self.now, self.revision = 1000.0, "0001"
        self.folder = folder
        (folder / "backups").mkdir()
        schema = SimpleNamespace(name="migrate", arguments={"to": "0002"}, touches=("database",), capture=self.capture)
        self.migrated = SimpleNamespace(
            settings=SimpleNamespace(newer=NEWER, after="0002"),
            database=SimpleNamespace(revision=lambda: self.revision),
            migrate=lambda to: self.act(f"ready to go to {to}", schema),
        )
        monkeypatch.setattr(backup, "restorable", lambda _: (SimpleNamespace(stanza="main"), self))
        monkeypatch.setattr(backup, "mark", lambda _: "mark")
        monkeypatch.setattr(backup, "moment", lambda *_: self.act("moment", "12:00"))
        monkeypatch.setattr(backup, "commit", lambda *_: self.act("written"))
        monkeypatch.setattr(backup, "restore_each", lambda *given: self.act(f"restore {given[-1]} to {given[-2]}"))
        monkeypatch.setattr(release_backup_drill, "perform", self.perform)

    def act(self, what, answer=None):
        if what == self.fails:
            raise Unreachable(f"{what} failed")
        self.did.append(what)
        return answer

    def capture(self):
        if self.revision == "0003":
            raise Conflict("the schema is at 0003")
        return {"revision": self.revision}

    def perform(self, action, *_):
        self.revision = "0002"
        return self.act(action, SimpleNamespace(change=SimpleNamespace(action="deploy-release")))

    def settle(self, change, *_):
        self.act(f"take back {change.action}")
        self.revision = "0001"
        return SimpleNamespace(restored=self.fails != "nothing is taken back", text="seen", at_s=self.now)

    def back_up(self, _):
        self.now += 10
        return self.act("back up", (self.now - 9, self.now - 1))

    def report(self, _):
        return self.act("report", SimpleNamespace(info="[]", archives={2: "", 1: ""}))

    def sleep(self, seconds):
        self.now += seconds

    @property
    def drill(self):
        journal = SimpleNamespace(
            intend=lambda name, *_: self.act(f"intend {name}", SimpleNamespace(action=name)),
            done=lambda _: None,
            settle=self.settle,
        )
        platform = SimpleNamespace(
            environment=SimpleNamespace(name="here"), migration=self.migrated, idle_slot=lambda: "green", undo=None,
            version_of=lambda release: release.partition(" ")[0], deploy=lambda slot, it: f"deploy {it} to {slot}",
        )  # fmt: skip
        return SimpleNamespace(
            release="", folder=self.folder, journal=journal, platform=platform,
            timeline=SimpleNamespace(record=lambda *_, **__: None, drill="d"),
            session=SimpleNamespace(clock=SimpleNamespace(now=lambda: self.now, sleep=self.sleep)),
            end_load=lambda: self.act("end load"),
        )  # fmt: skip


@pytest.fixture
def world(tmp_path, monkeypatch):
    return World(tmp_path, monkeypatch)


def test_the_backup_is_first_and_the_way_back_is_written_down_before_the_deployment(world) -> None:
    release_backup_drill.deploy_after_backup(world.drill, "1.1.0")
    assert world.did == [
        "back up", "moment", "ready to go to 0002", "intend migrate", "deploy 1.1.0 to green", "written",
        "take back deploy-release", "take back migrate", "report", "restore (1, 2) to 12:00", "end load",
    ]  # fmt: skip
    kept = release_backup.deployed(world.folder)
    assert (kept.before, kept.after, kept.stanza) == ("0001", "0002", "main")
    assert (kept.job.asked_s, kept.job.began_s, kept.job.ended_s, kept.job.answered_s) == (1000, 1001, 1009, 1010)


@pytest.mark.parametrize(
    ("fails", "never"),
    [("back up", "deploy 1.1.0 to green"), ("deploy 1.1.0 to green", "report"), ("nothing is taken back", "report")],
)
def test_what_fails_ends_it_there_and_the_load_as_well(world, fails, never) -> None:
    world.fails = fails
    with pytest.raises(NotReady, match="was not deployed after a backup, or not restored from it"):
        release_backup_drill.deploy_after_backup(world.drill, "1.1.0")
    assert never not in world.did
    assert world.did[-1] == "end load"


def test_a_schema_from_which_nobody_knows_the_way_back_gets_no_release(world) -> None:
    world.revision = "0003"
    with pytest.raises(NotReady, match="the schema is at 0003"):
        release_backup_drill.deploy_after_backup(world.drill, "1.1.0")
    assert "deploy 1.1.0 to green" not in world.did
    assert world.did[-1] == "end load"


def test_what_the_environment_does_not_prove_is_said_before_anything_is_done(world) -> None:
    with pytest.raises(NotReady, match=r"release 1\.1\.0, and not of 1\.2\.0"):
        release_backup_drill.deploy_after_backup(world.drill, "1.2.0")
    world.migrated = None
    with pytest.raises(NotReady, match="does not say how a migration is proved"):
        release_backup_drill.deploy_after_backup(world.drill, "1.1.0")
    assert world.did == []
