"""The drill of a migration on loopback: its activities, its sentences from what it kept, and its undo."""

from __future__ import annotations

import http.client
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from pytest_bdd.feature import get_feature
from ruamel.yaml import YAML

from drillbook import activities, wiring
from drillbook.activities import migration as migration_activities
from drillbook.domain.verdict import Verdict, merge
from drillbook.evidence.reading import Reader
from drillbook.platform import Platform
from drillbook.run import environment as environments
from drillbook.run.action import perform, restore
from drillbook.run.clock import SteadyClock
from drillbook.run.journal import Journal
from drillbook.run.load import Load
from drillbook.run.timeline import Timeline
from drillbook.wiring import migration as migration_wiring
from features.rejudge import _derive
from probes import migration
from tests.integration.system.conftest import SYSTEM, Service
from tests.integration.system.proving import TABLE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PROJECT = Path(__file__).resolve().parents[3]
FEATURE = get_feature(str(PROJECT / "features"), "release/migration.feature")
FEW, MANY, SOME = 20_000, 2_000_000, 200_000
UP, BACKFILL = (
    "A migration goes up, down and up again while both releases serve",
    "A back-fill that is killed goes on where it was, and a step that ends the older release waits for it to go",
)
ID = "a-migration"
WITHOUT = "1.1.0 without its migration"
UPSTREAMS: dict[str, str] = {}


class Gateway(BaseHTTPRequestHandler):
    """Leads to the slot that a header names, else to blue; enough of a gateway for some requests a second."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        place = urlsplit(UPSTREAMS[self.headers.get("X-Drillbook-Slot", "blue")])
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=10)
        try:
            connection.request(self.command, self.path, body, dict(self.headers))
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        self.send_response_only(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in {"transfer-encoding", "connection", "content-length"}:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_POST = do_GET  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def gateway() -> Iterator[str]:
    """Its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Gateway)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join(10)
    server.server_close()


def environment_file(folder: Path, url: str, address: str) -> Path:
    """The twin's, with its public address and its database on loopback."""
    proof = {
        "address": address, "progress": "SELECT rows FROM backfills",
        "command": ["{python}", "-m", "analytics.migrate", "{way}", "--to", "{to}", "--batch", "400"],
        "settings": {"DATABASE_URL": "{url}", "VERSION": "1.1.0", "PYTHONPATH": str(SYSTEM / "app"),
                     "ANALYTICS_MIGRATIONS": str(SYSTEM / "migrations")},
        "before": "0001", "after": "0002", "older": "1.0.0", "newer": WITHOUT,
        "table": {"name": TABLE.name, "columns": list(TABLE.columns), "seeded": TABLE.seeded, "seed": TABLE.seed,
                  "unfilled": TABLE.unfilled},
    }  # fmt: skip
    text = (PROJECT / "environments" / "twin.yaml").read_text().replace("../", f"{PROJECT}/")
    found: dict[str, Any] = YAML(typ="safe", pure=True).load(text)
    del found["reach"]
    assert WITHOUT in found["releases"]["overrides"]
    found["migrations"]["proof"] = proof
    found["public_url"] = url
    found["load"] = {"rate": 10, "timeout": "5 s"}
    path = folder / "twin.yaml"
    path.write_text(json.dumps(found))
    return path


def experiment_of(run: Path, file: Path, clock: SteadyClock) -> Any:
    """What the process of the experiment works with, without a cluster."""
    environment = environments.load(file)
    (run / "environment.yaml").write_text(file.read_text())
    documents: dict[str, Any] = {}
    store = SimpleNamespace(
        put=documents.__setitem__,
        get=documents.get,
        delete=lambda name: documents.pop(name, None),
        names=lambda prefix="": sorted(name for name in documents if name.startswith(prefix)),
    )
    platform = SimpleNamespace(
        environment=environment, clock=clock, live_slot=lambda: "blue", idle_slot=lambda: "green",
        migration=migration_wiring.migrated(environment, clock), recovery=None, faults=None,
        state=None, workers=None,
    )  # fmt: skip
    journal = Journal(run / "undo.jsonl", store, "run", 1, lambda: None, target=environment.target)
    timeline = Timeline(run / "timeline.jsonl", ID, clock)
    return wiring.Experiment(run / "drills" / ID, wiring.key_prefix("run", ID), timeline, clock, journal, platform)


def sentences(scenario: str, rows: int) -> list[str]:
    """The scenario's, about as many rows as a test has.

    These tests share cores and a disk with others: a commit was seen to wait for the disk for 1.04 s.
    """
    told = [f"{step.type} {step.name}" for step in FEATURE.scenarios[scenario].steps]
    numbers = {f"{MANY}": f"{rows}", f"{SOME}": f"{rows}", f"{SOME // 10}": f"{rows // 10}"}
    scaled = [" ".join(numbers.get(word, word) for word in one.split(" ")) for one in told]
    return [one.replace("came within 1 s", "came within 2.5 s") for one in scaled]


def derived(run: Path) -> tuple[Verdict, dict[str, Verdict], list[str]]:
    """The verdict from what the folder holds, each check's, and what cannot be derived."""
    found = _derive(Reader(run), ID)
    checks = {one.objective.id: one.verdict for one in found.judgements}
    return merge(checks.values()), checks, [*found.lacking, *found.differences]


def gone_through(drill: Any, scenario: str, rows: int) -> None:
    """The experiment under the public's load, and the record of the drill."""
    clock, migrated = drill.clock, drill.platform.migration
    for action in (migrated.seed(rows), migrated.migrate("0001")):
        perform(action, drill.journal, drill.timeline, clock)
    started_s = clock.now()
    output = drill.folder / "load"
    public = Load.start(wiring.load_plan(drill.platform.environment, clock, output, "public"), output)
    try:
        public.wait_running(deadline_s=60)
        began_s = clock.now()
        migration_activities.begin_proof()
        migration_activities.migrate_up()
        if scenario == UP:
            migration_activities.migrate_down()
            migration_activities.migrate_up_behind("2")
        else:
            migration_activities.kill_backfill(str(rows // 10))
            migration_activities.try_to_contract()
            migration_activities.finish_backfill()
        migration_activities.end_proof()
        ended_s = clock.now()
        public.stop()
    finally:
        public.kill()
        for going in migration_activities._going_on:
            going.watch.end()
            for load in going.loads:
                load.kill()
    document = {
        "feature": FEATURE.name, "scenario": scenario, "description": "", "tags": sorted(FEATURE.tags),
        "sentences": sentences(scenario, rows), "started_s": started_s,
        "seen": {"release": "1.1.0", "live": "", "window": [began_s, ended_s], "other_writes": 0},
    }  # fmt: skip
    (drill.folder / "drill.json").write_text(json.dumps(document))


@pytest.fixture
def file(database: str, gateway: str, tmp_path: Path) -> Path:
    """The environment's."""
    return environment_file(tmp_path, gateway, database)


@pytest.fixture
def drill(file: Path, database: str, service: Callable[..., Service], monkeypatch: pytest.MonkeyPatch) -> Any:
    """A drill that finds both releases serving."""
    run, clock = file.with_name("run"), SteadyClock.starting_now()
    (run / "drills" / ID).mkdir(parents=True)
    monkeypatch.setenv("DRILLBOOK_CLOCK", str(clock))
    made = experiment_of(run, file, clock)
    monkeypatch.setattr(wiring, "experiment", lambda: made)
    monkeypatch.setattr(activities, "_halted", [])
    monkeypatch.setattr(migration_activities, "_going_on", [])
    migrated = made.platform.migration
    # A table is needed to seed; a drill finds a platform that runs.
    migrated.migrator.run("upgrade", "0002", deadline_s=60)
    for slot, version in (("blue", "1.0.0"), ("green", "1.1.0")):
        running = service(database, version, SLOT=slot)
        running.wait_until("/readyz", 200)
        UPSTREAMS[slot] = running.url
    return made


def put_back(drill: Any) -> None:
    """Before the verdict is reached, as a drill does."""
    platform, clock = drill.platform, drill.clock
    undone = drill.journal.undo_all(lambda change: restore(change, Platform.make(platform, change), clock), clock)
    assert [(found.restored, "" if found.restored else found.text) for found in undone] == [(True, "")] * 3
    database = platform.migration.database
    assert (database.revision(), database.contents()[0]) == ("0002", 0)


@pytest.mark.parametrize("rows", [FEW, pytest.param(MANY, marks=pytest.mark.slow)])
def test_a_migration_goes_up_down_and_up_again(drill: Any, rows: int) -> None:
    gone_through(drill, UP, rows)
    put_back(drill)
    run = drill.folder.parents[1]
    verdict, checks, lacking = derived(run)
    assert lacking == []
    assert verdict is Verdict.PASS, checks
    assert len(checks) == 20
    check_that_changes_are_seen(run)


@pytest.mark.parametrize("rows", [FEW, pytest.param(SOME, marks=pytest.mark.slow)])
def test_a_backfill_goes_on_and_a_contract_step_waits(drill: Any, rows: int) -> None:
    gone_through(drill, BACKFILL, rows)
    put_back(drill)
    run = drill.folder.parents[1]
    verdict, checks, lacking = derived(run)
    assert lacking == []
    assert verdict is Verdict.PASS, checks
    assert len(checks) == 14
    record = drill.folder / migration.FOLDER / migration.RECORD
    kept = record.read_text()
    assert "still connected: analytics-blue-1.0.0" in kept
    filled = re.findall(r'"filled": (\d+), "kept": (\d+)', kept)[-1]
    one_less = [str(int(count) - 1) for count in filled]
    for old, new, wrong in (
        ('"after": "0002"', '"after": "0003"', "migration.premature"),
        (f'"filled": {filled[0]}, "kept"', f'"filled": {one_less[0]}, "kept"', "backfill.left"),
        (f'"filled": {filled[0]}, "kept": {filled[1]}', f'"filled": {filled[0]}, "kept": {one_less[1]}',
         "backfill.twice"),
    ):  # fmt: skip
        assert old in kept
        record.write_text(kept.replace(old, new))
        assert {id_ for id_, found in derived(run)[1].items() if found is Verdict.FAIL} == {wrong}


def check_that_changes_are_seen(run: Path) -> None:
    """Whoever changes what was kept changes the verdict."""
    folder = run / "drills" / ID
    looks = folder / migration.FOLDER / migration.LOOKS
    kept = looks.read_text()
    lines = [json.loads(line) for line in kept.splitlines()]
    first_s = migration.recorded(folder).steps[0].start_s
    for line in lines:
        if first_s + 0.2 <= line["asked_s"] <= first_s + 0.9:
            line["waits"].append({"pid": 1, "since": "x", "application": "analytics-blue-1.0.0", "mode": "m",
                                  "relation": "events", "behind": ["analytics-migrate"],
                                  "waited_s": line["asked_s"] - first_s - 0.2})  # fmt: skip
    looks.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    assert {id_ for id_, found in derived(run)[1].items() if found is Verdict.FAIL} == {
        "migration.lock_wait", "migration.blocked",
    }  # fmt: skip
    looks.write_text("\n".join(kept.splitlines()[: len(lines) // 3]))
    assert derived(run)[0] is Verdict.INCONCLUSIVE
    looks.unlink()
    assert any("cannot be derived" in said for said in derived(run)[2])
    assert not _derive(Reader(run), ID).differences
    windows = folder / migration.OLDER / "load" / "live.jsonl"
    windows.write_text("\n".join(windows.read_text().splitlines()[:10]))
    assert _derive(Reader(run), ID).differences
