"""A table that is destroyed comes back whatever dies in between: from the backup, or from what is kept aside."""

# ruff: noqa: ARG002, PLR0917 - what is in memory takes the arguments of what is real; a test names its fixtures

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace

import pytest

from drillbook.actions.recovery.destroyed import DestroyedTable, DetectDestroyed, usable
from drillbook.activities import Halted, put_back, restoring
from drillbook.domain.backup_report import BackupReport
from drillbook.domain.pgbackrest import Backup
from drillbook.domain.undo import FAULT
from drillbook.ports import Conflict, TableState, Unreachable
from drillbook.run.action import perform, restore
from probes import put_back as probe
from tests.unit.actions.recovery.test_runbook import play

MOMENT = "2026-11-28 12:00:00.5+00"
SAID = ["restore 0 ", "restore-ms 800", "bytes 1000", "recovery 0 ", "recovery-ms 400", "recovering f", "rows 2 77",
        "rows-destroyed 2 77", "sequences 0", "put-back 0 ", "put-back-ms 90",
        "sequences-put-back 0", "end "]  # fmt: skip


@dataclass
class Table:
    """In memory; the standby has it at once."""

    world: object
    rows: dict[str, list[str] | None] = field(default_factory=lambda: {"live": ["a", "b"], "aside": None})
    replays: bool = True
    name: str = "public.events"
    aside: str = "kept"

    def state(self, region):
        if region == "west" and not self.replays:
            return TableState(live=True, aside=False, kept=False, moment="")
        live, aside = self.rows["live"] is not None, self.rows["aside"] is not None
        return TableState(live, aside, aside, MOMENT if aside else "")

    def destroy(self):
        self.world.step("destroy")
        if self.rows["aside"] is None:
            self.rows = {"live": None, "aside": self.rows["live"]}

    def bring_back(self):
        self.world.step("bring back")
        live, aside = self.rows["live"], self.rows["aside"]
        missing = [row for row in aside or [] if row not in (live or [])]
        self.rows = {"live": (live or []) + missing, "aside": None}
        return len(missing)


@dataclass
class Host:
    """Backups in memory: what was written in time is in them."""

    world: object
    table: Table
    printed: str = "\n".join(SAID)
    restores: tuple[str, ...] = ("a", "b")
    at_work: bool = False
    check_code: int = 0

    def report(self, mark):
        self.world.step(f"report {mark}")
        repo = {"key": 1, "status": {"code": 0, "message": "ok"}}
        info = [{"name": "main", "db": [], "backup": [], "archive": [], "repo": [repo]}]
        return BackupReport(1.0, 2.0, self.check_code, "timed out", json.dumps(info), {1: "{}"})

    def put_back(self, mark, key, moment, written, table):
        self.at_work = True
        self.world.step(f"put back {key} {moment}")
        if "put-back 0" in self.printed and table.rows["live"] is None:
            table.rows["live"] = list(self.restores)
        self.at_work = False
        return self.printed

    def abandon(self, mark):
        self.world.step(f"abandon {mark}")
        self.at_work = False

    def working(self, mark):
        return self.at_work


@pytest.fixture
def table(world) -> Table:
    return Table(world)


@pytest.fixture
def host(world, table) -> Host:
    return Host(world, table)


@pytest.fixture
def recovery(recovery, world, table, host):
    world.faults["table"] = DestroyedTable(table, "east", "west", world)
    return replace(recovery, table=table, backups=host, stanza="main", written="SELECT '{prefix}'")


@pytest.fixture
def undo_all(recovery, journal, world):
    def undo():
        return journal.undo_all(
            lambda change: restore(change, recovery.make(change.action, change.arguments["arguments"]), world), world
        )

    return undo


def test_the_drill_puts_the_table_back_from_the_backup_and_leaves_nothing_aside(drill, table, world) -> None:
    play("data_destroyed")
    table.rows["live"].append("since")
    assert put_back()["all"]
    assert table.rows == {"live": ["a", "b", "since"], "aside": None}
    assert drill.journal.open_changes() == []
    assert (drill.folder / probe.FILE).read_text() == "\n".join(SAID)
    stages = [event.data["stage"] for event in drill.events() if event.data.get("activity") == "stage"]
    assert stages == ["detect", "decide", "restore"]
    assert [step for step in world.steps if step.startswith("put")] == [f"put back 1 {MOMENT}"]


def test_what_the_backup_lacked_is_given_back_by_the_undo(drill, table, host) -> None:
    host.restores = ("a",)
    play("data_destroyed")
    assert table.rows["live"] == ["a"]
    assert put_back()["all"]
    assert table.rows == {"live": ["a", "b"], "aside": None}
    assert drill


def test_a_restore_that_puts_nothing_back_ends_the_experiment_and_what_it_said_is_kept(drill, table, host) -> None:
    host.printed = "restore 0 \nrecovery 1 FATAL: it ended before its target\nend "
    with pytest.raises(Unreachable, match="not put back: recovery: 1 FATAL: it ended"):
        play("data_destroyed")
    assert "FATAL" in (drill.folder / probe.FILE).read_text()
    assert table.rows["live"] is None
    assert put_back()["all"]
    assert table.rows == {"live": ["a", "b"], "aside": None}


def test_what_is_missing_to_restore_from_is_told_and_keeps_nobody_from_trying(drill, host) -> None:
    host.check_code = 82
    play("data_destroyed")
    (decided,) = [event for event in drill.events() if event.data.get("activity") == "decide_restore"]
    assert decided.kind == "decided"
    assert "has no good backup from before that; WAL does not: timed out" in decided.text


@pytest.mark.parametrize("step", ["destroy", "put back"])
def test_a_run_that_dies_at_a_step_is_undone_from_the_journal(drill, recovery, table, world, undo_all, step) -> None:
    world.dies_at = {"destroy": 1, "put back": 3}[step]
    with pytest.raises(SystemExit, match=step):
        play("data_destroyed")
    assert all(found.restored for found in undo_all())
    assert table.rows == {"live": ["a", "b"], "aside": None}
    assert (world.steps[-2:] == ["bring back", f"abandon {drill.prefix}"]) is (step == "put back")
    assert recovery


def test_a_job_that_nobody_could_remove_is_not_said_to_be_gone(
    drill, host, table, world, undo_all, monkeypatch
) -> None:
    play("data_destroyed")
    host.at_work = True
    monkeypatch.setattr(host, "abandon", lambda mark: world.step(f"abandon {mark} in vain"))
    done = undo_all()
    assert [(found.change.action, found.restored) for found in done] == [(FAULT, True), ("restore-table", False)]
    assert done[1].text == "somebody works at putting public.events back"
    assert table.rows["aside"] is None
    assert drill


def test_a_table_that_the_standby_still_has_was_not_destroyed(recovery, table) -> None:
    table.replays = False
    action = recovery.fault("table")
    action.do()
    assert not action.observe().holds
    assert action.observe().text == "in west, public.events is there, and none is kept aside"


def test_a_table_that_is_there_is_not_put_back_over(recovery, journal, drill) -> None:
    with pytest.raises(Conflict, match=r"public\.events is there"):
        perform(recovery.restore_table("m", 1, MOMENT, ""), journal, drill.timeline, drill.clock)
    assert journal.open_changes() == []


def test_a_table_that_is_away_for_a_moment_is_not_lost(table, world) -> None:
    look = DetectDestroyed(table, "east", world)
    held = table.rows["live"]
    seen = []
    for rows in (None, None, held, None, None, None):
        table.rows["live"] = rows
        seen.append(look.observe().holds)
    assert seen == [False] * 5 + [True]


def test_nothing_is_restored_while_the_table_is_there(drill, monkeypatch) -> None:
    monkeypatch.setattr(restoring, "_LOST_WITHIN_S", 3.0)
    with pytest.raises(Halted, match="nothing is restored: public"):
        restoring.detect_destroyed()
    assert drill


def test_nothing_is_restored_to_a_moment_that_nobody_saw(drill) -> None:
    with pytest.raises(Halted, match="nothing was seen to be destroyed"):
        restoring.restore_table("restore-table", 1)
    assert drill


def test_an_environment_that_does_not_say_how_proves_nothing(drill, recovery) -> None:
    drill.platform.recovery = replace(recovery, table=None)
    with pytest.raises(Halted, match="which table is restored"):
        restoring.detect_destroyed()
    with pytest.raises(ValueError, match="which table is restored"):
        drill.platform.recovery.restore_table("m", 1, MOMENT, "")


def test_a_recovery_begins_with_the_last_good_backup_from_before_the_moment() -> None:
    def backup(label, stopped_s, *, faulty=None):
        return Backup(label, "full", stopped_s - 1, stopped_s, faulty, 1, 1, None)

    backups = (backup("old", 10), backup("good", 20), backup("faulty", 25, faulty=True), backup("after", 31))
    assert usable(backups, 30).label == "good"
    assert usable(backups, 5) is None


def test_a_job_that_fails_is_no_restore(recovery, host, table, monkeypatch) -> None:
    def fails(*_):
        raise Unreachable("the job failed")

    table.destroy()
    monkeypatch.setattr(host, "put_back", fails)
    action = recovery.restore_table("m", 1, MOMENT, "")
    with pytest.raises(Unreachable, match="the job failed"):
        action.do()
    assert action.printed == ""
