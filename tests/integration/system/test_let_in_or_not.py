"""A server that is up and lets nobody in is told from one that is gone: it may be the primary that users write to."""

from __future__ import annotations

import contextlib
import socket
import time
from typing import TYPE_CHECKING

import psycopg
import pytest

from drillbook.drivers.postgresql import PostgreSQL
from drillbook.ports import Refused, Unreachable
from tests.integration.system.conftest import running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.system.conftest import Postgres

LETS_IN = 4


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    settings = f"max_connections = {LETS_IN + 3}\nsuperuser_reserved_connections = 3\nmax_wal_senders = 0\n"
    with running(settings) as made:
        with psycopg.connect(made.url("postgres"), autocommit=True) as connection:
            connection.execute("CREATE ROLE watcher LOGIN IN ROLE pg_monitor")
        yield made


def database(port: int, *, user: str = "watcher", password=lambda: "") -> PostgreSQL:
    return PostgreSQL("east", f"host=127.0.0.1 port={port} user={user} dbname=postgres", password, "analytics")


def no_password() -> str:
    raise Unreachable("the password is not in the vault")


def test_connections_that_are_all_taken_are_no_loss(server):
    url = server.url("postgres").replace("postgres@", "watcher@")
    with contextlib.ExitStack() as held:
        for _ in range(LETS_IN):
            held.enter_context(psycopg.connect(url))
        with pytest.raises(Refused, match=r"east did not say what time it is: .*connection slots are reserved"):
            database(server.port).moment()
    assert database(server.port).moment()


def test_a_role_that_is_not_known_is_refused(server):
    with pytest.raises(Refused, match='role "stranger" does not exist'):
        database(server.port, user="stranger").moment()


def test_without_a_password_a_server_is_seen_to_be_up(server):
    with pytest.raises(Refused, match="the password is not in the vault"):
        database(server.port, password=no_password).moment()


@pytest.mark.parametrize("password", [lambda: "", no_password])
def test_a_server_that_is_stopped_refuses_nobody(server, password):
    server.stop()
    try:
        with pytest.raises(Unreachable) as caught:
            database(server.port, password=password).moment()
    finally:
        server.start()
    assert not isinstance(caught.value, Refused)


def test_what_never_answers_is_not_asked_twice():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        began_s = time.monotonic()
        with pytest.raises(Unreachable) as caught:
            database(listener.getsockname()[1]).moment()
        took_s = time.monotonic() - began_s
    assert not isinstance(caught.value, Refused)
    assert took_s < 2 * 3.0
