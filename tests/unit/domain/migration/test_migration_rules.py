"""What the rules say of a whole migration, without the linter of statements."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from drillbook.domain.migration import rules, sql
from drillbook.domain.migration.script import Linted, Remark, Script, Statement, Way

ADD = "ALTER TABLE t ADD COLUMN a text"


def limits(*statements: str, alone: bool = False) -> list[int]:
    """Lines of the way up where a limit on waiting lacks or is too long; each statement is a line."""
    up = Way(1, tuple(Statement(one, line, alone, line if alone else 0) for line, one in enumerate(statements, 1)))
    found = rules.lint([Linted(Script("1", "f", "expand", "", "all", up, Way(1, up.statements)))])
    return sorted({one.line for one in found if one.rule == "lock-timeout"})


@pytest.mark.parametrize(
    ("statements", "alone", "missing"),
    [
        (["SET lock_timeout = '200ms'", ADD], False, []),
        (["SET lock_timeout TO 200", ADD], False, []),
        (["SET LOCAL lock_timeout = '1s'", ADD], False, []),
        (["SET LOCAL lock_timeout = '1s'", ADD], True, [2]),
        (["SET SESSION lock_timeout = '1s'", ADD], True, []),
        (["SET lock_timeout = '200ms'", "COMMENT ON TABLE t IS 'lock_timeout'", ADD], False, []),
        (["COMMENT ON TABLE t IS 'SET lock_timeout = 5'", ADD], False, [2]),
        (["SET lock_timeout = 'soon'", ADD], False, [2]),
        (["SET lock_timeout = '1 fortnight'", ADD], False, [2]),
        (["SET lock_timeout = '2min'", ADD], False, [2]),
        (["SET lock_timeout = '2min'", "ALTER TABLE t VALIDATE CONSTRAINT c"], False, []),
        (["SET lock_timeout = '2min'", "ALTER TABLE t VALIDATE CONSTRAINT c, ADD COLUMN d text"], False, [2]),
        (["SET lock_timeout = '1s'", "SET LOCAL lock_timeout = 0", ADD], False, [3]),
        (["SET statement_timeout = '2min'", ADD], False, [2]),
        (["SET lock_timeout = '1s'", "RESET ALL", ADD], False, [3]),
        (["-- SET lock_timeout = '1s'\nSELECT 1", ADD], False, [1, 2]),
    ],
)
def test_a_limit_on_waiting_is_in_force_where_something_waits(statements, alone, missing) -> None:
    assert limits(*statements, alone=alone) == missing


@pytest.mark.parametrize(("table", "rule"), [("made", set()), ("there", {"contract-unnamed"})])
def test_what_restricts_a_table_that_the_migration_makes_breaks_nobody(table: str, rule: set[str]) -> None:
    texts = [
        "SET lock_timeout = 1",
        "CREATE TABLE made(a int)",
        f"ALTER TABLE ONLY {table} ADD CONSTRAINT c CHECK (a > 0)",
    ]
    up = Way(1, tuple(Statement(text, line) for line, text in enumerate(texts, 1)))
    found = rules.lint([Linted(Script("1", "f", "expand", "", "the table", up, up))])
    assert {one.rule for one in found} == rule


def test_what_stands_in_quotes_and_comments_is_no_statement() -> None:
    text = "SELECT 'it''s /* TRUNCATE t */' -- DROP TABLE t\n  , $$ DELETE FROM t $$, $x$ a $$ b $x$ /* UPDATE t */;"
    assert sql.plain(text) == "select '' , '', ''"
    assert not sql.says(text, "truncate|drop table|delete from|update")
    assert sql.says("ALTER  TABLE\n t ALTER a SET\tNOT NULL", "set not null")
    assert not sql.says("SELECT updated FROM t", "update")


def test_every_rule_that_can_be_broken_belongs_to_one_promise() -> None:
    """A finding of a rule that no sentence asks about would pass in silence."""
    promises = ["keeps nobody waiting", "has a way down and says what is lost", "expands or contracts, and not both"]
    sets = [rules.about(promise) for promise in promises]
    assert sum(map(len, sets)) == len(frozenset().union(*sets))
    source = Path(rules.__file__).read_text()
    named = set(re.findall(r'(?:\.line|, 1),\s+"([a-z-]+)",', source))
    assert {"lock-timeout", "no-way-down", "phase", "hidden"} <= named
    assert named | rules.BLOCKING == frozenset().union(*sets)
    with pytest.raises(KeyError):
        rules.about("is beautiful")


def test_what_the_linter_of_statements_says_is_found_at_the_statement() -> None:
    way = Way(1, (Statement("SET lock_timeout = 1", 3), Statement("ALTER TABLE t ALTER a TYPE int", 4)))
    remark = Remark("changing-column-type", 1, "it rewrites")
    script = Script("1", "f", "contract", "2.0.0", "digits", way, way)
    found = rules.lint([Linted(script, (remark, Remark("prefer-text-field", 1, "taste")), (remark,))])
    assert [str(one) for one in found] == ["f:4: changing-column-type: it rewrites; right would be: another statement"]
