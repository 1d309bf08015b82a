"""Connections of a real PostgreSQL used up, by a real process, and come free with its end."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING

import psycopg
import pytest

from drillbook.drivers.held_connections import VARIABLE, HeldConnections
from drillbook.ports import Unreachable
from drillbook.run import processes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

WITHIN_S = 20.0


def until(holds: Callable[[], bool], what: str) -> None:
    give_up = time.monotonic() + WITHIN_S
    while not holds():
        assert time.monotonic() < give_up, what
        time.sleep(0.05)


@pytest.fixture
def url(postgres) -> str:
    """Of a role that may do nothing but connect, at a database that takes eight connections from all together."""
    with psycopg.connect(postgres.url("postgres"), autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS held WITH (FORCE)")
        connection.execute("DROP ROLE IF EXISTS holder")
        connection.execute("CREATE ROLE holder LOGIN")
        connection.execute("CREATE DATABASE held CONNECTION LIMIT 8")
    return postgres.url("held").replace("postgres@", "holder@")


@pytest.fixture
def limited(postgres) -> str:
    """Of a role that may connect four times, where others may a hundred times."""
    with psycopg.connect(postgres.url("postgres"), autocommit=True) as connection:
        connection.execute("DROP ROLE IF EXISTS limited")
        connection.execute("CREATE ROLE limited LOGIN CONNECTION LIMIT 4")
    return postgres.url("postgres").replace("postgres@", "limited@")


@pytest.fixture
def pair(url) -> Iterator[HeldConnections]:
    made = HeldConnections(lambda: url, most=50, lives_s=30.0)
    yield made
    made.give_back({})


def test_connections_are_used_up_and_given_back(pair):
    assert pair.note() == {}
    assert pair.look({}).well
    pair.take()
    until(lambda: pair.look({}).gone, "the server still takes connections")
    assert "too many connections for database" in pair.look({}).text
    pair.give_back({})
    until(lambda: pair.look({}).well, "connections are still held")
    pair.give_back({})


def test_a_role_at_a_limit_of_its_own_has_used_up_nothing_of_others_but_the_services_own_has(limited):
    alone = HeldConnections(lambda: limited, most=50, lives_s=30.0)
    alone.take()
    try:
        until(lambda: "for role" in alone.look({}).text, "the role is not at its limit")
        look = alone.look({})
        assert (look.gone, look.well) == (False, False)
        assert "lift its limit" in look.text
        assert HeldConnections(lambda: limited, most=50, lives_s=30.0, service="limited").look({}).gone
        assert not HeldConnections(lambda: limited, most=50, lives_s=30.0, service="other").look({}).gone
    finally:
        alone.give_back({})


def test_no_more_are_held_than_was_said(url):
    pair = HeldConnections(lambda: url, most=3, lives_s=30.0)
    pair.take()
    try:
        until(lambda: pair.look({}).data.get("held") == 3, "three are not held")
        assert not pair.look({}).gone
        assert not pair.look({}).well
    finally:
        pair.give_back({})


def test_they_come_free_when_the_holder_is_killed_and_when_his_time_is_over(pair, url):
    pair.take()
    until(lambda: pair.look({}).gone, "the server still takes connections")
    (holder,) = processes.carrying({VARIABLE: pair.where})
    os.kill(holder, signal.SIGKILL)
    until(lambda: pair.look({}).well, "connections outlive who held them")
    short = HeldConnections(lambda: url, most=50, lives_s=1.0)
    short.take()
    until(lambda: short.look({}).gone, "the server still takes connections")
    until(lambda: short.look({}).well, "connections are held for longer than was said")
    short.give_back({})


def test_nobody_learns_the_password_and_a_server_that_is_away_is_no_refusal(url):
    away = HeldConnections(lambda: "postgresql://me:hidden@127.0.0.1:1/db", most=1, lives_s=1.0)
    assert away.named == "connections of the database at 127.0.0.1:1/db"
    with pytest.raises(Unreachable, match="does not answer") as raised:
        away.look({})
    assert "hidden" not in str(raised.value)
    assert url not in str(raised.value)
