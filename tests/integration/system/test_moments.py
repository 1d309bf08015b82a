"""The moment that a backup is restored to, as a server of any country writes it."""

from __future__ import annotations

import time
from datetime import datetime
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

from drillbook.drivers.postgresql import PostgreSQL

if TYPE_CHECKING:
    from tests.integration.system.conftest import Postgres


def test_a_moment_is_the_same_day_for_whoever_reads_it(postgres: Postgres, database: str) -> None:
    name = database.rpartition("/")[2]
    with psycopg.connect(database, autocommit=True) as connection:
        for setting, value in (("DateStyle", "SQL, DMY"), ("TimeZone", "Asia/Kathmandu")):
            connection.execute(
                sql.SQL("ALTER DATABASE {} SET {} = {}").format(
                    sql.Identifier(name), sql.Identifier(setting), sql.Literal(value)
                )
            )
    address = f"host=127.0.0.1 port={postgres.port} user=postgres dbname={name}"
    text = PostgreSQL("home", address, lambda: "", "analytics").moment()
    assert text.endswith("+00")
    assert abs(datetime.fromisoformat(text).timestamp() - time.time()) < 60
