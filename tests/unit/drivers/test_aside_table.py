"""What is asked of the server, and in which order, when a table is destroyed and when that is undone."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self
from unittest.mock import MagicMock

import psycopg
import pytest
from psycopg import errors, sql

from drillbook.drivers.aside_table import AsideTable
from drillbook.ports import Conflict, Unreachable

if TYPE_CHECKING:
    from collections.abc import Iterator

LIVE, BOTH = (True, False, False, ""), (True, True, True, "2026-11-28 12:00:00+00")


@dataclass
class Server:
    """Answers what a test scripts, by a part of the question; refuses likewise."""

    answers: dict[str, tuple[Any, ...]]
    refuses: dict[str, psycopg.Error] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    @contextlib.contextmanager
    def transaction(self, *, force_rollback: bool = False) -> Iterator[None]:
        yield
        self.said.append("rolled back" if force_rollback else "committed")

    def execute(self, query: str | sql.Composed, _: object = None) -> Any:
        text = query if isinstance(query, str) else query.as_string(None)
        self.said.append(text)
        for part, error in self.refuses.items():
            if part in text:
                raise error
        row = next((row for part, row in self.answers.items() if part in text), ("",))
        return MagicMock(fetchone=lambda: row, rowcount=3)

    def at(self, part: str) -> int:
        """Which was the first statement with a part."""
        return next(n for n, text in enumerate(self.said) if part in text)


@pytest.fixture
def server(monkeypatch) -> Server:
    answers = {"to_regclass": LIVE, "string_agg": ("",), "attgenerated": (["n", "key"],), "indisprimary": (["n"],)}
    made = Server({**answers, "count(*)": (0,)})
    monkeypatch.setattr(psycopg, "connect", lambda *_, **__: made)
    return made


@pytest.fixture
def table() -> AsideTable:
    return AsideTable("public.events", "home", {"home": "host=nowhere"}, lambda: "")


def test_rows_that_lack_are_added_with_the_numbers_that_they_had(server, table) -> None:
    server.answers["to_regclass"] = BOTH
    assert table.bring_back() == 3
    (added,) = [text for text in server.said if text.startswith("INSERT")]
    assert '("n", "key") OVERRIDING SYSTEM VALUE SELECT' in added


def test_sequences_are_past_the_numbers_before_the_rows_are_added_and_what_is_aside_goes(server, table) -> None:
    server.answers["to_regclass"] = BOTH
    table.bring_back()
    assert server.at("setval") < server.at("INSERT") < server.at("DROP TABLE")


def test_a_table_is_destroyed_once_both_ways_back_were_tried_and_taken_back(server, table) -> None:
    table.destroy()
    dropped, moved, returned = map(server.at, ("DROP TABLE", 'SET SCHEMA "drillbook_aside"', 'SET SCHEMA "public"'))
    assert server.said[dropped + 1] == server.said[returned + 1] == "rolled back"
    assert dropped < moved < returned
    assert server.said[-1] == "committed"


@pytest.mark.parametrize(
    ("part", "error"),
    [
        ("DROP TABLE", errors.DependentObjectsStillExist("other objects depend on it")),
        ('SET SCHEMA "public"', errors.InsufficientPrivilege("permission denied for schema public")),
    ],
)
def test_a_table_that_could_not_come_back_is_not_destroyed(server, table, part, error) -> None:
    server.refuses[part] = error
    with pytest.raises(Conflict, match=rf"public\.events is not destroyed: {error}, and it could not"):
        table.destroy()
    assert "committed" not in server.said


def test_users_that_do_not_leave_in_time_are_no_reason_against_the_table(server, table) -> None:
    server.refuses["DROP TABLE"] = errors.LockNotAvailable("canceling statement due to lock timeout")
    with pytest.raises(Unreachable, match="lock timeout"):
        table.destroy()


def test_what_stands_against_it_is_told(server, table) -> None:
    server.answers["string_agg"] = ("the trigger t acts on rows that are added",)
    with pytest.raises(Conflict, match="not destroyed: the trigger t acts on rows that are added, and it could not"):
        table.destroy()
    assert "committed" not in server.said
