"""Every layer asked by itself, on loopback: real PostgreSQL and PgBouncer, gateways, a name server."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import pwd
import socketserver
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dns.flags
import dns.message
import dns.rrset
import psycopg
import pytest

from drillbook import wiring
from drillbook.beside import layer_probes
from drillbook.domain.probed_layers import ProbedLayers, ProbedServer
from drillbook.domain.traffic import Outcome
from drillbook.drivers.layer_probe import AskServer
from drillbook.run.clock import SteadyClock
from drillbook.run.load import Load, LoadError
from drillbook.twin import probe_role
from tests.integration.system.conftest import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.integration.system.conftest import Postgres

WITHIN_S = 20.0
PGBOUNCER = Path("/usr/sbin/pgbouncer")
HOST = "shop.drillbook.test"
LAYERS = ["database", "gateway east", "gateway west", "application east", "application west", "dns"]
TABLE = "CREATE SCHEMA drillbook; CREATE TABLE drillbook.probe (told bigint); INSERT INTO drillbook.probe VALUES (0)"
GRANT = "GRANT USAGE ON SCHEMA drillbook TO prober; GRANT SELECT, UPDATE ON drillbook.probe TO prober"
WRITE = "UPDATE drillbook.probe SET told = told + 1"


class Gateway(ThreadingHTTPServer):
    """Answers for hosts that it does not know by itself, and for the one that it knows as its application does."""

    daemon_threads = True
    status, name = 200, HOST


class Handler(BaseHTTPRequestHandler):
    server: Gateway

    def do_GET(self) -> None:
        known = self.headers["Host"].partition(":")[0] == self.server.name
        self.send_response(self.server.status if known else 404)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Nothing."""


class Names(socketserver.ThreadingUDPServer):
    """A name server with one name."""

    addresses, ttl_s, asked = ("127.0.0.1",), 1, 0


class Answering(socketserver.BaseRequestHandler):
    server: Names

    def handle(self) -> None:
        data, socket = self.request
        question = dns.message.from_wire(data)
        self.server.asked += 1
        if not self.server.addresses:
            return
        answer = dns.message.make_response(question)
        answer.flags |= dns.flags.RA
        answer.answer.append(
            dns.rrset.from_text(question.question[0].name, self.server.ttl_s, "IN", "A", *self.server.addresses)
        )
        socket.sendto(answer.to_wire(), self.client_address)


@dataclass
class World:
    """What is asked, and who asks."""

    output: Path
    url: str
    gateways: dict[str, Gateway]
    names: Names
    plan: layer_probes.Plan
    probes: list[Load] = field(default_factory=list)
    locker: psycopg.Connection[Any] | None = None

    def start(self) -> Load:
        probes = Load.start(self.plan.document(), self.output, module="drillbook.beside.layer_probes", called="layers")
        self.probes.append(probes)
        return probes

    def rows(self, layer: str, since_s: float = 0.0) -> list[dict[str, Any]]:
        path = self.output / "probes.jsonl"
        lines = path.read_text().rpartition("\n")[0].splitlines() if path.is_file() else []
        found = [json.loads(line) for line in lines]
        return [row for row in found if row["layer"] == layer and (row["sent_s"] or 0.0) >= since_s]

    def wait(self, layer: str, outcome: str) -> str:
        """Until a layer that is asked from now on answers so; what it told."""
        since_s, deadline = self.plan.clock.now(), time.monotonic() + WITHIN_S
        while True:
            found = [row for row in self.rows(layer, since_s) if row["outcome"] == outcome]
            if found:
                return str(found[0]["told"])
            assert time.monotonic() < deadline, (layer, self.rows(layer)[-3:])
            time.sleep(0.05)

    def outcomes(self, since_s: float) -> dict[str, set[str]]:
        return {layer: {row["outcome"] for row in self.rows(layer, since_s)} for layer in LAYERS}

    def ask(self, statement: str) -> None:
        with psycopg.connect(self.url, autocommit=True, options="-c default_transaction_read_only=off") as connection:
            connection.execute(statement.encode())


def serving(server: socketserver.BaseServer) -> Any:
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    return server


@pytest.fixture
def world(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setenv("PROBER", "secret")
    with psycopg.connect(database, autocommit=True) as connection:
        for statement in (TABLE, "CREATE ROLE prober LOGIN", GRANT):
            connection.execute(statement.encode())
    east: Gateway = serving(Gateway(("127.0.0.1", 0), Handler))
    port = east.server_address[1]
    gateways = {"east": east, "west": serving(Gateway(("127.0.0.2", port), Handler))}
    names: Names = serving(Names(("127.0.0.1", 0), Answering))
    parts = psycopg.conninfo.conninfo_to_dict(database)
    server = f"host={parts['host']} port={parts['port']} dbname={parts['dbname']}"
    address = f"{server} user=prober target_session_attrs=read-write"
    plan = layer_probes.Plan(
        layers=ProbedLayers(ProbedServer(address, "env:PROBER", WRITE), None, "/readyz"),
        public_url=f"http://{HOST}:{port}", ca_file=None,
        nameservers=(f"127.0.0.1#{names.server_address[1]}",),
        regions={"east": ("127.0.0.1",), "west": ("127.0.0.2",)}, rate_hz=10.0, timeout_s=1.0,
        output=tmp_path / "layers", clock=SteadyClock.starting_now(),
    )  # fmt: skip
    made = World(plan.output, database, gateways, names, plan)
    try:
        yield made
    finally:
        for probes in made.probes:
            probes.kill()
        if made.locker is not None:
            made.locker.close()
        for server in (*gateways.values(), names):
            server.shutdown()
            server.server_close()
        with contextlib.suppress(psycopg.errors.UndefinedObject):
            made.ask("ALTER SYSTEM RESET ALL")
            made.ask("SELECT pg_reload_conf()")
            made.ask("DROP SCHEMA drillbook CASCADE; DROP OWNED BY prober; DROP ROLE prober")


@dataclass
class Pooler:
    """A real PgBouncer before the database."""

    process: subprocess.Popen[bytes]
    address: str


@pytest.fixture
def pooler(world: World) -> Iterator[Pooler]:
    """One connection to the database for each user, given to whoever asks for as long as a transaction takes."""
    if not PGBOUNCER.is_file():
        pytest.fail(f"PgBouncer is not at {PGBOUNCER}; install the Debian package pgbouncer.")
    parts, port = psycopg.conninfo.conninfo_to_dict(world.url), free_port()
    with tempfile.TemporaryDirectory(prefix="drillbook-pooler-") as name:
        users, settings = Path(name) / "users", Path(name) / "pgbouncer.ini"
        users.write_text('"prober" "secret"\n')
        settings.write_text(
            f"[databases]\n* = host={parts['host']} port={parts['port']}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n"
            f"listen_port = {port}\nunix_socket_dir =\nauth_type = scram-sha-256\nauth_file = {users}\n"
            "pool_mode = transaction\ndefault_pool_size = 1\nserver_login_retry = 1\n"
        )
        account = pwd.getpwnam("postgres")
        for path in (Path(name), users, settings):
            os.chown(path, account.pw_uid, account.pw_gid)
        process = subprocess.Popen(
            [PGBOUNCER, settings],
            user="postgres",
            group="postgres",
            extra_groups=[],
            stderr=subprocess.DEVNULL,
            cwd="/",
        )
        try:
            yield Pooler(process, f"host=127.0.0.1 port={port} user=prober dbname={parts['dbname']}")
        finally:
            process.kill()
            process.wait(timeout=WITHIN_S)


@pytest.fixture
def pooled(world: World, pooler: Pooler) -> World:
    """Probed with the pooler as a layer of its own."""
    layers = replace(world.plan.layers, pooler=ProbedServer(pooler.address, "env:PROBER", WRITE))
    world.plan = replace(world.plan, layers=layers)
    world.start().wait_running(deadline_s=WITHIN_S)
    return world


@pytest.fixture
def probed(world: World) -> World:
    world.start().wait_running(deadline_s=WITHIN_S)
    return world


def hold_writes(world: World) -> None:
    world.ask("ALTER SYSTEM SET default_transaction_read_only = on")
    world.ask("SELECT pg_reload_conf()")


def break_row(world: World) -> None:
    world.ask("DELETE FROM drillbook.probe")


def lock_row(world: World) -> None:
    world.locker = psycopg.connect(world.url)
    world.locker.execute("SELECT FROM drillbook.probe FOR UPDATE")


def lose_gateway(world: World) -> None:
    world.gateways["east"].shutdown()
    world.gateways["east"].server_close()


def break_application(world: World) -> None:
    world.gateways["east"].status = 503


def hide_application(world: World) -> None:
    world.gateways["east"].name = "another.test"


def silence_names(world: World) -> None:
    world.names.addresses = ()


def lead_astray(world: World) -> None:
    world.names.addresses = ("127.0.0.9",)


@pytest.mark.parametrize(
    ("harm", "outcome", "says", "fail"),
    [
        (hold_writes, "refused", "session is read-only", {"database"}),
        (break_row, "wrong_answer", "found 0 rows", {"database"}),
        (lock_row, "timeout", "", {"database"}),
        (lose_gateway, "refused", "refused", {"gateway east", "application east"}),
        (break_application, "server_error", "status 503", {"application east"}),
        (hide_application, "wrong_answer", "status 404", {"application east"}),
        (silence_names, "timeout", "", {"dns"}),
        (lead_astray, "wrong_answer", "leads to 127.0.0.9", {"dns"}),
    ],
)
def test_what_is_down_fails_and_what_is_well_does_not(
    probed: World, harm: Callable[[World], None], outcome: str, says: str, fail: set[str]
) -> None:
    assert all(found == {"ok"} for found in probed.outcomes(0.0).values())
    harm(probed)
    assert all(says in probed.wait(layer, outcome) for layer in fail)
    since_s = probed.plan.clock.now()
    for layer in LAYERS:
        probed.wait(layer, outcome if layer in fail else "ok")
    outcomes = probed.outcomes(since_s)
    assert outcomes == {layer: {outcome} if layer in fail else {"ok"} for layer in LAYERS}
    probed.probes[0].stop()


def lose_pooler(_: World, pooler: Pooler) -> None:
    pooler.process.kill()


def use_up_its_connections(world: World, pooler: Pooler) -> None:
    """Somebody keeps the one connection that a user has."""
    world.locker = psycopg.connect(f"{pooler.address} password=secret")
    world.locker.execute("SELECT 1")


def hold_writes_behind(world: World, _: Pooler) -> None:
    hold_writes(world)


@pytest.mark.parametrize(
    ("harm", "outcome", "fail"),
    [
        (lose_pooler, "refused", {"pooler"}),
        (use_up_its_connections, "timeout", {"pooler"}),
        (hold_writes_behind, "refused", {"database", "pooler"}),
    ],
)
def test_a_real_pooler_fails_with_what_is_behind_it_and_by_itself(
    pooled: World, pooler: Pooler, harm: Callable[[World, Pooler], None], outcome: str, fail: set[str]
) -> None:
    assert {row["outcome"] for row in pooled.rows("pooler")} == {"ok"}
    harm(pooled, pooler)
    for layer in fail:
        pooled.wait(layer, outcome)
    since_s = pooled.plan.clock.now()
    for layer in ("pooler", *LAYERS):
        pooled.wait(layer, outcome if layer in fail else "ok")
    for layer in ("pooler", *LAYERS):
        found = {row["outcome"] for row in pooled.rows(layer, since_s)}
        assert found == ({outcome} if layer in fail else {"ok"}), layer
    pooled.probes[0].stop()


def test_all_layers_are_asked_at_the_same_moments_whatever_becomes_of_their_answers(probed: World) -> None:
    silence_names(probed)
    probed.wait("dns", "timeout")
    probed.probes[0].stop()
    assert probed.probes[0].phase == "done"
    due = {layer: [row["due_s"] for row in sorted(probed.rows(layer), key=lambda it: it["due_s"])] for layer in LAYERS}
    assert all(found == due["dns"] for found in due.values())
    apart = [later - sooner for sooner, later in zip(due["dns"], due["dns"][1:], strict=False)]
    assert max(apart) == pytest.approx(0.1, abs=0.01)
    assert len(apart) > 10


def test_an_answer_of_the_name_is_kept_for_as_long_as_it_says(world: World) -> None:
    world.names.ttl_s = 3600
    world.start().wait_running(deadline_s=WITHIN_S)
    asked = world.names.asked
    world.names.addresses = ("127.0.0.9",)
    for _ in range(5):
        world.wait("dns", "ok")
    assert world.names.asked == asked <= 3
    assert world.rows("dns")[-1]["leads"] == ["east"]


def test_what_never_comes_through_ends_it_by_name(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.gateways["west"].name = "another.test"  # the other region's application need not be there
    world.names.addresses = ("127.0.0.9",)
    with pytest.raises(LoadError, match="did not have its first answer"):
        world.start().wait_running(deadline_s=3.0)
    monkeypatch.setattr(layer_probes, "STARTS_WITHIN_S", 1.0)
    asked = layer_probes.Layers(world.plan, layer_probes.questions(world.plan, {"PROBER": "secret"}))
    with pytest.raises(layer_probes.Unreachable, match=r"no question came through to dns \(it leads to 127.0.0.9"):
        asyncio.run(asked.ask())


def test_the_twins_role_is_made_once_and_can_do_no_more_than_its_row(postgres: Postgres) -> None:
    with psycopg.connect(postgres.url("postgres"), autocommit=True) as connection:
        connection.execute("CREATE DATABASE analytics")
    try:
        for _ in range(2):
            probe_role.make(f"127.0.0.1:{postgres.port}", "unasked", "it's secret")
        address = f"host=127.0.0.1 port={postgres.port} user=probe dbname=analytics target_session_attrs=read-write"
        settings = wiring.read_environment("twin").recovery
        assert settings is not None
        assert settings.layers is not None
        asking = AskServer(address, "it's secret", settings.layers.database.write, 5.0)
        assert asyncio.run(asking.ask()).outcome is Outcome.OK
        with psycopg.connect(address) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("CREATE TABLE drillbook.mine ()")
    finally:
        with psycopg.connect(postgres.url("postgres"), autocommit=True) as connection:
            connection.execute("DROP DATABASE analytics")
            connection.execute("DROP ROLE probe")


def test_the_role_needs_nothing_but_its_row_and_no_password_is_left_behind(probed: World) -> None:
    for statement in ("CREATE TABLE public.mine ()", "CREATE SCHEMA mine", "DELETE FROM drillbook.probe"):
        parts = psycopg.conninfo.conninfo_to_dict(probed.url) | {"user": "prober"}
        with psycopg.connect(**parts) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(statement.encode())
    probed.probes[0].stop()
    assert not [path for path in probed.output.iterdir() if "secret" in path.read_text()]
