"""A server that is cut off after it was asked is given up in seconds, by everybody who asks one."""

from __future__ import annotations

import asyncio
import contextlib
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from drillbook.beside.archive_watch import Watch
from drillbook.beside.fencing_ledger import Ledger
from drillbook.domain.migration.settings import Table
from drillbook.drivers import held_connections
from drillbook.drivers.aside_table import AsideTable
from drillbook.drivers.held_connections import HeldConnections
from drillbook.drivers.layer_probe import AskServer
from drillbook.drivers.migrated_database import MigratedDatabase
from drillbook.drivers.postgresql import PostgreSQL
from drillbook.ports import Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable

ADDRESS = "host=db.test user=drill dbname=shop"


def connected(made: Any, address: str) -> None:
    """As a process beside a drill does it, without the rest of its work."""
    asyncio.run(made._connected(address) if isinstance(made, Watch) else made._connected())


ASKING: dict[str, Callable[[str], object]] = {
    "server": lambda at: PostgreSQL("home", at, lambda: "", "app").status(),
    "table": lambda at: AsideTable("public.events", "home", {"home": at}, lambda: "").state("home"),
    "migrated": lambda at: MigratedDatabase(at, lambda: "", Table("events", ("n",), "", "")).revision(),
    "held": lambda at: HeldConnections(lambda: at, 1, 1.0).look({}),
    "holding": lambda at: held_connections.hold(at, 1, 0.01),
    "layer": lambda at: asyncio.run(AskServer(at, "", "", 1.0).ask()),
    "pooler": lambda at: asyncio.run(AskServer(at, "", "", 1.0, pooled=True).ask()),
    "ledger": lambda at: connected(Ledger(SimpleNamespace(address=at, timeout_s=1.0, output=None, clock=None), ""), at),
    "archive": lambda at: connected(Watch(SimpleNamespace(timeout_s=1.0, output=None, clock=None), ""), at),
}


@pytest.fixture
def asked(monkeypatch) -> Callable[[str, str], dict[str, Any]]:
    """What a connection is asked for with."""
    found: list[dict[str, Any]] = []

    def connect(address: str, **settings: Any) -> None:
        found.append({**conninfo_to_dict(address), **settings})
        raise psycopg.OperationalError("nobody is there")

    async def connect_later(address: str, **settings: Any) -> None:
        connect(address, **settings)

    monkeypatch.setattr(psycopg, "connect", connect)
    monkeypatch.setattr(psycopg.AsyncConnection, "connect", connect_later)

    def asked_by(who: str, address: str) -> dict[str, Any]:
        with contextlib.suppress(Unreachable, psycopg.OperationalError):
            ASKING[who](address)
        return found[0]

    return asked_by


@pytest.mark.parametrize("who", ASKING)
def test_a_server_that_is_gone_is_noticed_within_seconds(asked, who) -> None:
    found = asked(who, ADDRESS)
    assert found["keepalives"] == 1
    assert found["keepalives_idle"] + found["keepalives_interval"] * found["keepalives_count"] <= 12
    assert found["tcp_user_timeout"] <= 12_000


@pytest.mark.parametrize("who", ASKING)
def test_what_an_address_says_itself_is_left(asked, who) -> None:
    found = asked(who, f"{ADDRESS} keepalives_idle=60 keepalives_count=9")
    assert (int(found["keepalives_idle"]), int(found["keepalives_count"])) == (60, 9)
    assert found["keepalives_interval"] < 10


def test_a_uri_says_it_as_well(asked) -> None:
    assert int(asked("held", "postgresql://app@db.test/shop?tcp_user_timeout=90000")["tcp_user_timeout"]) == 90_000
