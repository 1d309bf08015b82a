"""Migrations as changes to a database in memory: made, seen, undone, and noted when they fail."""

# ruff: noqa: ARG002 - what is in memory takes the arguments of what is real

from __future__ import annotations

import json
import re
import socket
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from drillbook.actions.migration import Migrate, Migrated, Seed
from drillbook.actions.migration_proof import NotHeld, Proof
from drillbook.domain.migration.backfill import Filling
from drillbook.domain.migration.locks import Look, Wait
from drillbook.domain.migration.settings import ProofSettings, Table
from drillbook.domain.undo import Change
from drillbook.drivers.lock_watch import LockWatch, watch
from drillbook.drivers.migrated_database import MigratedDatabase
from drillbook.platform import Platform
from drillbook.ports import Conflict, Unreachable
from drillbook.run import environment as environments
from drillbook.run.action import restore
from drillbook.run.clock import SteadyClock

PROJECT = Path(__file__).resolve().parents[3]
TABLE = Table("events", ("key",), "key LIKE 's%'", "INSERT")
SETTINGS = ProofSettings("dbname=x", "", ("go",), {}, TABLE, "0001", "0002", "1.0.0", "1.1.0 without")


@dataclass
class Database:
    """A table and its schema; a clock that moves when somebody waits."""

    revision_: str = "0001"
    history: tuple[str, ...] = ("0001", "0002", "0003")
    rows: int = 0
    sum: int = 0
    now_s: float = 1000.0
    refuses: str = ""
    keeps: str = ""
    invalid: list[str] = field(default_factory=list)
    held: list[str] = field(default_factory=list)
    ways: list[str] = field(default_factory=list)
    unarchived: list[str] = field(default_factory=list)
    progress: list[int] = field(default_factory=list)
    filled: list[int] = field(default_factory=list)
    writing: list[set[str]] = field(default_factory=list)
    alive: bool = True
    queues: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)
    waits_for_release: bool = False

    def now(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds

    def revision(self) -> str:
        return self.revision_

    def try_seed(self) -> None:
        if self.keeps:
            raise Conflict(self.keeps)

    def seed(self, rows: int) -> None:
        self.rows = rows

    def left_to_archive(self) -> str:
        return self.unarchived.pop(0) if self.unarchived else ""

    def remove_seed(self) -> None:
        self.rows = 0

    def contents(self) -> tuple[int, int]:
        return self.rows, self.sum

    def invalid_indexes(self) -> list[str]:
        return self.invalid

    def look(self, now) -> Look:
        wait = Wait(1, "x", "analytics-migrate", 0.1, "AccessExclusiveLock", "events", ("drillbook-adversary",))
        return Look(now(), now(), (wait,) if self.queues.is_set() else ())

    def stop_looking(self) -> None:
        pass

    @contextmanager
    def long_transaction(self):
        if self.refuses == "transaction":
            raise Unreachable("no connection is left")
        self.held.append("held")
        yield
        self.held.append("released")
        self.released.set()
        if self.refuses == "the end of the transaction":
            raise Unreachable("terminating connection due to idle-in-transaction timeout")

    def backfilled(self) -> int:
        self.now_s += 1.0
        return self.progress.pop(0) if len(self.progress) > 1 else self.progress[0]

    def filling(self, since: str) -> Filling:
        filled = self.filled.pop(0) if len(self.filled) > 1 else self.filled[0]
        return Filling(self.rows, filled, filled - 1 if since else filled, f"after {since}")

    def size(self) -> int:
        return self.rows + 3

    def writers(self) -> frozenset[str]:
        return frozenset(self.writing.pop(0) if len(self.writing) > 1 else self.writing[0])

    def start(self, way: str, to: str):
        self.ways.append(f"start {way}")
        return self

    def finish(self, deadline_s: float) -> str:
        return "it had nothing to do"

    def kill(self) -> None:
        self.ways.append("kill")

    def run(self, way: str, to: str, *, deadline_s: float) -> str:
        self.ways.append(f"{way} {to}" + (" while held" if self.held[-1:] == ["held"] else ""))
        if self.refuses == way:
            raise Unreachable(f"{way} failed")
        if self.waits_for_release:
            self.queues.set()
            assert self.released.wait(10)
        # As Alembic does: an upgrade to where the schema has been ends well, and does nothing.
        if to and (self.history.index(to) > self.history.index(self.revision_)) is (way == "upgrade"):
            self.revision_ = to
        if self.refuses == f"a later step of {way}":
            raise Unreachable(f"{way} failed")
        return "done"


OLD, NEW = "ae1027a6acf0", "1975ea83b712"
"""Revisions as Alembic names them, of which the later one comes first as a text."""


def migrate(database: Database, to: str, before: str = "0001", after: str = "0002") -> Migrate:
    return Migrate(database, database, database, to, before, after)


@pytest.mark.parametrize(("before", "after"), [("0001", "0002"), (OLD, NEW), (NEW, OLD)])
@pytest.mark.parametrize(("found", "to", "way"), [(0, 1, "upgrade"), (1, 0, "downgrade"), (1, 1, "")])
def test_the_schema_goes_where_it_is_to_and_back(before: str, after: str, found: int, to: int, way: str) -> None:
    pair = (before, after)
    database = Database(pair[found], history=pair)
    action = migrate(database, pair[to], before, after)
    captured = action.capture()
    action.do()
    assert database.ways == ([f"{way} {pair[to]}"] if way else [])
    assert action.observe().holds
    action.undo(captured)
    assert database.revision() == pair[found]
    assert action.observe_undone(captured).holds


@pytest.mark.parametrize("found", ["", "0000", "0003"])
def test_a_schema_from_which_nobody_knows_the_way_is_not_migrated(found: str) -> None:
    database = Database(found)
    with pytest.raises(Conflict, match=re.escape(f"at {found or 'no revision'}, which is neither")) as refused:
        migrate(database, "0001").capture()
    assert "migrations.proof.before (0001) nor migrations.proof.after (0002)" in str(refused.value)
    assert database.ways == []


def test_an_entry_of_an_older_journal_is_refused_in_words_where_nobody_knows_the_way() -> None:
    # One that took whatever there was to the older release's schema.
    database = Database("0001")
    with pytest.raises(Conflict, match=r"which way leads from 0001 to 0009, .* take it there by hand"):
        migrate(database, "0001").undo({"revision": "0009"})
    assert database.ways == []


def test_a_schema_that_the_command_left_where_it_was_is_not_back() -> None:
    database = Database("0002", history=("0002", "0001"))
    action = migrate(database, "0002")
    kept = {"arguments": dict(action.arguments), "before": {"revision": "0001"}}
    change = Change(1, "run", "drill", "migrate", kept, 1)
    found = restore(change, action, database)
    assert database.ways == ["downgrade 0001"]
    assert (found.restored, found.text) == (False, "the schema is at 0002, and was to be at 0001")


def test_a_schema_that_somebody_else_has_migrated_is_left() -> None:
    database = Database("0003")
    with pytest.raises(Conflict, match="somebody else has migrated it since, or the way stopped in its midst"):
        migrate(database, "0002").undo({"revision": "0001"})
    assert database.ways == []


def test_rows_that_could_not_be_removed_are_not_added() -> None:
    database = Database(keeps="its DELETE takes none of them away")
    action = Seed(database, database, 10)
    with pytest.raises(Conflict, match="takes none of them away"):
        action.capture()
    database.rows = 4
    assert action.capture() == {"rows": 4}


def test_rows_of_a_drill_that_died_are_used_and_removed_in_the_end() -> None:
    database = Database(rows=4)
    action = Seed(database, database, 10)
    before = action.capture()
    assert not action.observe().holds
    action.do()
    assert action.observe().holds
    action.undo(before)
    assert database.rows == 0
    assert action.observe_undone(before).holds


def test_rows_are_there_once_the_database_has_archived_them_too() -> None:
    database = Database(unarchived=["WAL is written up to 2, and archived up to 1"])
    action = Seed(database, database, 10)
    action.do()
    seen = action.observe()
    assert not seen.holds
    assert "archived up to 1" in seen.text
    assert action.observe().holds


def never_watched(file: Path) -> Any:
    raise AssertionError(file)


def test_the_undo_journal_alone_brings_the_actions_back() -> None:
    database = Database("0002", rows=10)
    platform = SimpleNamespace(
        environment=SimpleNamespace(target="here"), recovery=None, faults=None, workers=None, state=None,
        clock=database, migration=Migrated(SETTINGS, database, database, database, never_watched),
    )  # fmt: skip
    for name, arguments, before in (
        ("migrate", {"to": "0002"}, {"revision": "0001"}), ("seed-rows", {"rows": 10}, {"rows": 0}),
    ):  # fmt: skip
        # The first as an older version has written it.
        change = Change(1, "run", "drill", name, {"arguments": arguments, "before": before}, 1, target="here")
        assert restore(change, Platform.make(platform, change), database).restored
    assert (database.revision(), database.rows) == ("0001", 0)
    # The environment proves the next migration by now.
    database.revision_, database.history = NEW, (OLD, NEW)
    arguments = dict(migrate(database, NEW, OLD, NEW).arguments)
    kept = json.loads(json.dumps({"arguments": arguments, "before": {"revision": OLD}}))
    change = Change(1, "run", "drill", "migrate", kept, 1, target="here")
    assert restore(change, Platform.make(platform, change), database).restored
    assert (database.revision(), database.ways[-1]) == (OLD, f"downgrade {OLD}")
    platform.migration = None
    with pytest.raises(ValueError, match="does not say how its migrations are proved"):
        Platform.make(platform, change)


@pytest.fixture
def noted():
    return []


@pytest.fixture
def proof(noted):
    database = Database(rows=10, sum=5)
    return database, proof_of(database, "0002", noted)


def proof_of(database, after, noted):
    return Proof(database, database, database, lambda kind, fact: noted.append((kind, dict(fact))), after)


def test_what_each_way_leaves_is_noted(proof, noted) -> None:
    database, made = proof
    made.read()
    made.go("up", "0002")
    database.sum, database.invalid = 6, ["i"]
    made.go("down", "0001")
    assert [kind for kind, _ in noted] == ["contents", "indexes", *(2 * ["step", "contents", "indexes"])]
    steps = [fact for kind, fact in noted if kind == "step"]
    assert [(one["name"], one["wanted"], one["found"]) for one in steps] == [
        ("up", "0002", "0002"), ("down", "0001", "0001"),
    ]  # fmt: skip
    assert noted[-2][1] == {"taken_s": database.now_s, "rows": 10, "sum": "6"}
    assert noted[-1][1]["invalid"] == ["i"]


@pytest.mark.parametrize(("before", "after"), [(OLD, NEW), (NEW, OLD)])
def test_each_way_is_up_or_down_by_where_it_leads_whatever_revisions_are_called(before, after, noted) -> None:
    database = Database(before, history=(before, after), rows=10)
    made = proof_of(database, after, noted)
    assert [made.go(name, to).led for name, to in (("up", after), ("down", before), ("up again", after))] == 3 * [True]
    assert database.ways == [f"upgrade {after}", f"downgrade {before}", f"upgrade {after}"]


def test_a_way_that_fails_is_noted_with_what_was_said_and_where_the_schema_is(proof) -> None:
    database, made = proof
    database.refuses = "upgrade"
    step = made.go("up", "0002")
    assert (step.wanted, step.found, step.text) == ("0002", "0001", "upgrade failed")
    assert step.failed


def test_a_command_that_fails_where_it_was_to_lead_has_failed(proof, noted) -> None:
    database, made = proof
    database.refuses = "a later step of upgrade"
    step = made.go("up", "0002")
    assert (step.began, step.found, step.text, step.failed) == ("0001", "0002", "upgrade failed", True)
    assert noted[0][1]["failed"] is True
    assert not made.go("down", "0001").failed


def test_a_way_to_where_the_schema_is_already_is_not_gone_and_noted(proof, noted) -> None:
    database, made = proof
    database.revision_ = "0002"
    step = made.go("up", "0002")
    assert (step.began, step.found, step.failed) == ("0002", "0002", False)
    assert database.ways == []
    assert [kind for kind, _ in noted] == ["step", "contents", "indexes"]


def test_the_long_transaction_is_open_while_the_migration_runs_and_ended_after_it(proof) -> None:
    database, made = proof
    made.go_behind_a_long_transaction("up again", "0002", 60.0)
    assert database.ways == ["upgrade 0002 while held"]
    assert database.held == ["held", "released"]
    assert not [thread for thread in threading.enumerate() if thread.name == "adversary"]


def test_the_long_transaction_lasts_until_the_migration_has_queued_behind_it(proof) -> None:
    database, made = proof
    database.waits_for_release = True
    step = made.go_behind_a_long_transaction("up again", "0002", 0.01)
    assert step.found == "0002"
    assert database.held == ["held", "released"]


def test_without_the_long_transaction_nothing_is_migrated(proof, monkeypatch) -> None:
    database, made = proof
    monkeypatch.setattr("drillbook.actions.migration_proof._TAKES_HOLD_WITHIN_S", 0.05)
    database.refuses = "transaction"
    with pytest.raises(NotHeld, match="no connection is left"):
        made.go_behind_a_long_transaction("up again", "0002", 60.0)
    assert database.ways == []


def test_a_long_transaction_that_the_server_has_ended_shows_nothing(proof, noted) -> None:
    database, made = proof
    database.refuses = "the end of the transaction"
    with pytest.raises(NotHeld, match="the long transaction was not open all the time: terminating connection"):
        made.go_behind_a_long_transaction("up again", "0002", 60.0)
    assert noted[0][0] == "step"


def test_looks_that_are_not_answered_are_told_and_leave_a_gap(tmp_path) -> None:
    end = threading.Event()
    seen: list[float] = []

    def look() -> Look:
        seen.append(0.0)
        if len(seen) == 2:
            raise Unreachable("the server\nis busy")
        if len(seen) == 4:
            end.set()
        return Look(1.0, 2.0)

    file = tmp_path / "looks.jsonl"
    begun: list[int] = []
    said = watch(look, SteadyClock.starting_now(), file, 0.001, end=end, looked=lambda: begun.append(len(seen)))
    assert (said, begun) == (["the server is busy"], [1])
    assert len(file.read_text().splitlines()) == len(seen) - 1 == 3


def test_who_looks_at_the_locks_is_a_process_of_its_own_that_tells_what_was_not_answered(tmp_path) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
        table = Table("events", ("key",), "true", "INSERT")
        database = MigratedDatabase(f"host=127.0.0.1 port={port}", lambda: "not-to-be-told", table)
        looking = LockWatch(database, SteadyClock.starting_now(), tmp_path / "migration" / "looks.jsonl", 0.01)
        looking.start()
        looking.end()
    looking.end()
    assert looking.file.read_text() == ""
    assert looking.unanswered
    assert all("Connection refused" in text and "not-to-be-told" not in text for text in looking.unanswered)


def test_who_looked_at_the_locks_and_failed_is_told(tmp_path) -> None:
    database = MigratedDatabase("host=127.0.0.1", str, Table("events", ("key",), "true", "INSERT"))
    looking = LockWatch(database, SteadyClock.starting_now(), tmp_path, 0.01)
    with pytest.raises(Unreachable, match="did not begin within 30 s, and ended with 1"):
        looking.start()
    looking.end()


def environment(tmp_path: Path, section: str):
    text = (PROJECT / "environments" / "twin.yaml").read_text()
    text = re.sub(r"(?ms)^migrations:\n.*?(?=^\S)", lambda _: section, text).replace("../", f"{PROJECT}/")
    (tmp_path / "twin.yaml").write_text(text)
    return environments.load(tmp_path / "twin.yaml")


PROOF = """
migrations:
  scripts: ../system/migrations
  proof:
    address: host=10.77.1.11 port=30432 user=analytics dbname=analytics
    password: file:secret
    command: [python3, -m, analytics.migrate, "{way}", --to, "{to}"]
    settings: {DATABASE_URL: "{url}"}
    before: "0001"
    after: "0002"
    older: 1.0.0
    newer: 1.1.0 without its migration
    look_every: 20 ms
    table: {name: events, columns: [key], seeded: "key LIKE 'seeded-%'", seed: INSERT}
"""


def test_an_environment_says_how_its_migrations_are_proved(tmp_path) -> None:
    found = environment(tmp_path, PROOF).migrations
    assert found is not None
    assert found.proof is not None
    assert found.scripts == PROJECT / "system" / "migrations"
    assert (found.proof.every_s, found.proof.table.columns) == (0.02, ("key",))
    assert found.proof.password == f"file:{tmp_path / 'secret'}"
    assert environment(tmp_path, "").migrations is None


def test_a_proof_without_a_way_to_migrate_is_refused(tmp_path) -> None:
    with pytest.raises(environments.EnvironmentFileError, match="command"):
        environment(tmp_path, PROOF.replace("    command:", "    commands:"))


def test_a_backfill_is_killed_once_the_table_says_that_it_is_in_its_midst(proof, noted) -> None:
    database, made = proof
    # An earlier one has left 12; then this one counts rows of others first.
    database.progress, database.filled = [12, 0, 2, 4, 5, 6], [0, 0, 2, 3, 4]
    database.writing = [{"3/7", "4/1"}, {"3/7", "5/5"}, {"5/5"}]
    assert made.kill_a_backfill(3) == "after "
    assert database.ways == ["start backfill", "kill"]
    (_, before), (kind, killed), (_, filling) = noted
    assert [one["when"] for one in (before, filling)] == ["before", "killed"]
    assert (kind, killed["rows"]) == ("killed", 6)
    assert (before["filled"], filling["filled"], filling["settled"]) == (0, 4, True)


def test_what_a_killed_backfill_has_sent_and_the_server_does_not_end_is_a_doubt(proof, noted) -> None:
    database, made = proof
    database.progress, database.filled, database.writing = [5], [0, 5], [{"3/7"}]
    made.kill_a_backfill(3)
    assert noted[-1][1]["settled"] is False


@pytest.mark.parametrize(
    ("alive", "filled", "said"),
    [
        (False, 2, "ended by itself with 2 rows done, and was to be killed at 3: it had nothing to do"),
        (False, 3, "ended by itself with 3 rows done, and was to be killed at 3: it had nothing to do"),
        (True, 2, "did 2 rows"),
    ],
)
def test_a_backfill_that_was_not_killed_is_said_and_never_left_running(
    proof, noted, alive: bool, filled: int, said: str
) -> None:
    database, made = proof
    database.progress, database.alive, database.filled, database.writing = [filled], alive, [0, filled], [set()]
    with pytest.raises(NotHeld, match=said):
        made.kill_a_backfill(3)
    assert database.ways == ["start backfill", "kill"]
    assert [kind for kind, _ in noted] == ["filling"]


def test_how_far_a_backfill_came_and_where_a_contract_step_led_are_noted_also_when_they_fail(proof, noted) -> None:
    database, made = proof
    database.progress, database.filled, database.refuses = [7], [6], "backfill"
    made.finish_the_backfill("1:1:")
    database.refuses = "contract"
    made.try_to_contract()
    (_, filling), (_, backfilled), (_, contract) = noted
    assert (filling["when"], filling["filled"], filling["kept"]) == ("done", 6, 5)
    assert (backfilled["rows"], backfilled["there"], backfilled["text"]) == (7, 13, "backfill failed")
    assert backfilled["failed"] is True
    assert (contract["text"], contract["failed"]) == ("contract failed", True)
    assert (contract["before"], contract["after"]) == ("0001", "0001")
