"""What the experiment of a migration does, and what it refuses, over a database in memory."""

from __future__ import annotations

import re
from types import SimpleNamespace

import pytest

from drillbook.actions.migration import Migrated
from drillbook.actions.migration_proof import Proof
from drillbook.activities import Halted
from drillbook.activities import migration as activities
from drillbook.platform import Platform
from drillbook.run.action import restore
from drillbook.run.journal import Journal
from drillbook.run.timeline import Timeline, events
from tests.unit.actions.test_migration import SETTINGS, Database, never_watched


@pytest.fixture
def database():
    return Database(rows=10, sum=5)


@pytest.fixture
def drill(database, tmp_path, monkeypatch):
    """One whose proof has begun."""
    documents = {}
    store = SimpleNamespace(
        put=documents.__setitem__, get=documents.get, names=lambda _prefix="": sorted(documents),
        delete=lambda name: documents.pop(name, None),
    )  # fmt: skip
    platform = SimpleNamespace(
        recovery=None, faults=None, state=None, workers=None, environment=SimpleNamespace(name="e", target=""),
        migration=Migrated(SETTINGS, database, database, database, never_watched),
    )  # fmt: skip
    platform.undo = lambda change: restore(change, Platform.make(platform, change), database)
    timeline = Timeline(tmp_path / "timeline.jsonl", "drill", database)
    made = SimpleNamespace(
        platform=platform, journal=Journal(tmp_path / "undo.jsonl", store, "run-1", 7), timeline=timeline,
        clock=database, folder=tmp_path, events=lambda: events(timeline.path),
    )  # fmt: skip
    proof = Proof(database, database, database, lambda kind, fact: activities._note(made, kind, fact), "0002")
    monkeypatch.setattr("drillbook.wiring.experiment", lambda: made)
    monkeypatch.setattr("drillbook.activities._halted", [])
    monkeypatch.setattr(activities, "_going_on", [SimpleNamespace(proof=proof, loads=[], watch=None, since="")])
    return made


def put_back(drill) -> list[bool]:
    return [found.restored for found in drill.journal.undo_all(drill.platform.undo, drill.clock)]


def test_a_way_that_led_is_told_and_undone_once(drill, database) -> None:
    activities.migrate_up()
    activities.migrate_down()
    activities.migrate_up_behind("0")
    assert [event.kind for event in drill.events() if event.data.get("activity") == "migrate"] == 3 * ["observed"]
    assert put_back(drill) == [True]
    assert database.revision() == "0001"


@pytest.mark.parametrize(
    ("refuses", "goes", "said"),
    [
        ("a later step of upgrade", activities.migrate_up, "led to 0002 .* to lead to 0002, and its command failed"),
        ("upgrade", activities.migrate_up, "led to 0001 .* to lead to 0002, and its command failed"),
        ("", activities.migrate_down, "led to 0001 .* to lead to 0001, and the schema was there before"),
    ],
)
def test_a_way_that_did_not_lead_is_told_as_that(drill, database, refuses, goes, said) -> None:
    database.refuses = refuses
    goes()
    (told,) = [event for event in drill.events() if event.data.get("activity") == "migrate"]
    assert told.kind == "note"
    assert re.search(said, told.text)


def test_a_schema_that_is_there_before_the_first_way_is_refused_and_taken_back(drill, database) -> None:
    # The deployment of the newer release has migrated it.
    database.revision_ = "0002"
    with pytest.raises(Halted, match=r"at 0002 before the first way, .* of release 1\.0\.0, 0001"):
        activities.migrate_up()
    with pytest.raises(Halted, match="not done, because"):
        activities.migrate_down()
    assert database.ways == []
    assert not (drill.folder / "migration").exists()
    assert put_back(drill) == [True]
    assert database.ways == ["downgrade 0001"]


def test_a_schema_that_nobody_has_named_is_refused_and_left(drill, database) -> None:
    database.revision_ = "0003"
    with pytest.raises(Halted, match="at 0003 before the first way"):
        activities.migrate_up()
    assert put_back(drill) == [False]
    assert database.ways == []


@pytest.mark.parametrize(
    ("refuses", "kind", "said"),
    [("", "observed", "and has ended"), ("backfill", "note", "and failed: backfill failed")],
)
def test_a_backfill_that_is_started_again_and_fails_is_told_as_that(drill, database, refuses, kind, said) -> None:
    database.refuses, database.progress, database.filled = refuses, [10], [10]
    activities._going_on[-1].since = "1:1:"
    activities.finish_backfill()
    told = drill.events()[-1]
    assert told.kind == kind
    assert told.text.endswith(said)
