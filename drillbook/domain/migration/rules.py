"""What a migration has to keep so that nobody notices it and it can be taken back.

The linter of statements (squawk) knows which of them lock or rewrite; what a whole migration needs is judged here: time
limits, a way down, what is lost, and steps that end an older release named as such and kept apart from those that begin
a newer one. The names are those of the pattern "parallel change": https://martinfowler.com/bliki/ParallelChange.html
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from drillbook.domain.migration import sql
from drillbook.domain.migration.script import CONTRACT, EXPAND

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from drillbook.domain.migration.script import Linted, Remark, Script, Statement, Way

LONGEST_QUEUE_MS = 1000.0
"""While a statement waits for an exclusive lock, every request queues behind it: none may for longer than this."""

_NOBODY_QUEUES = (
    r"(create|drop) (unique )?index concurrently|reindex .*concurrently"
    r"|alter table (only )?\S+ validate constraint [^\s,]+$"
)
"""Take a lock that no reader or writer conflicts with, so that they may wait for long."""

_SETTINGS = r"set|reset|begin|commit|comment on|select set_config"

BLOCKING = frozenset({
    "adding-field-with-default", "adding-foreign-key-constraint", "adding-not-nullable-field", "adding-required-field",
    "adding-serial-primary-key-field", "ban-concurrent-index-creation-in-transaction", "ban-drop-database",
    "ban-truncate-cascade", "ban-uncommitted-transaction", "changing-column-type", "constraint-missing-not-valid",
    "disallowed-unique-constraint", "require-concurrent-index-creation", "require-concurrent-index-deletion",
    "require-concurrent-partition-attach", "require-concurrent-partition-detach", "require-concurrent-reindex",
    "syntax-error", "transaction-nesting",
})  # fmt: skip
"""The linter's rules about statements that lock for long, rewrite, or cannot run; they hold on both ways."""

_BREAKING = frozenset({
    "adding-not-nullable-field", "adding-required-field", "ban-drop-column", "ban-drop-function", "ban-drop-schema",
    "ban-drop-table", "ban-drop-type", "ban-drop-view", "changing-column-type", "renaming-column", "renaming-table",
})  # fmt: skip
"""Likewise about statements that take from an older release what it works with."""
_RESTRICTS = r"set not null|add constraint|add (check|unique|foreign key|primary key|exclude)"

_LOSING = frozenset({
    "ban-drop-column", "ban-drop-database", "ban-drop-schema", "ban-drop-table", "ban-truncate-cascade",
    "changing-column-type",
})  # fmt: skip
_TAKES_AWAY = r"truncate|delete from|update|drop materialized view"

_REWRITES = (
    r"vacuum full|cluster|set (tablespace|logged|unlogged|access method)|lock table|pg_sleep"
    r"|refresh materialized view(?! concurrently)"
)
"""Hold ACCESS EXCLUSIVE for as long as they take, and the linter does not know them.

Source: https://www.postgresql.org/docs/15/explicit-locking.html#LOCKING-TABLES
"""


_ABOUT = {
    "keeps nobody waiting": BLOCKING | {"lock-timeout", "long-lock", "rows-in-one-go", "hidden", "interrupted-build"},
    "has a way down and says what is lost": frozenset({"no-way-down", "loses-data"}),
    "expands or contracts, and not both": frozenset(
        {"phase", "contract-unnamed", "expand-in-contract", "contract-for-whom"}
    ),
}


def about(subject: str) -> frozenset[str]:
    """The rules that together say that.

    Raises:
        KeyError: When none do.
    """
    return _ABOUT[subject]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong with a migration.

    Attributes:
        file: Its script.
        line: Counted from 1.
        rule: Short name.
        text: What is wrong.
        instead: What would be right.
    """

    file: str
    line: int
    rule: str
    text: str
    instead: str

    def __str__(self) -> str:
        """A sentence that an editor can jump from."""
        return f"{self.file}:{self.line}: {self.rule}: {self.text}; right would be: {self.instead}"


def lint(migrations: Sequence[Linted]) -> list[Finding]:
    """Everything that is wrong, by file and line."""
    found: list[Finding] = []
    for linted in migrations:
        script = linted.script
        for way, remarks in ((script.up, linted.up), (script.down, linted.down)):
            found += _of_way(script, way, remarks)
        found += _of_the_way_down(script)
        found += _of_losses(linted)
        found += _of_phase(linted)
    return sorted(set(found), key=lambda one: (one.file, one.line, one.rule))


def _of_way(script: Script, way: Way, remarks: Sequence[Remark]) -> Iterator[Finding]:
    if way.hidden:
        yield Finding(script.file, way.line, "hidden", way.hidden, "statements that do not depend on the database")
    for remark in remarks:
        if remark.rule in BLOCKING:
            line = way.statements[remark.place].line
            yield Finding(script.file, line, remark.rule, remark.text, remark.instead or "another statement")
    yield from _of_time_limits(script, way)
    yield from _of_indexes(script, way)
    for one in way.statements:
        if sql.says(one.sql, _REWRITES):
            yield Finding(
                script.file, one.line, "long-lock", "this holds its lock for as long as it takes",
                "a new table or column beside the old one, filled in batches",
            )  # fmt: skip
        if sql.begins(one.sql, "update|delete from|with|insert into"):
            yield Finding(
                script.file, one.line, "rows-in-one-go", "this changes rows in one transaction, however many there are",
                "a back-fill in batches after the migration",
            )  # fmt: skip
        if sql.begins(one.sql, "do"):
            yield Finding(
                script.file, one.line, "hidden", "what a DO block does cannot be told", "its statements, one by one"
            )


def _of_time_limits(script: Script, way: Way) -> Iterator[Finding]:
    """Before each statement that takes a lock, one has to say for how long it may wait."""
    session_ms, block = 0.0, -1
    local_ms: float | None = None
    for one in way.statements:
        if one.block != block:
            local_ms, block = None, one.block
        setting = sql.lock_timeout_ms(one.sql)
        if setting is not None:
            milliseconds, only_here = setting
            # Outside a transaction SET LOCAL does nothing but warn.
            if not only_here:
                session_ms, local_ms = milliseconds, None
            elif not one.alone:
                local_ms = milliseconds
            continue
        if sql.begins(one.sql, _SETTINGS):
            continue
        limit_ms = session_ms if local_ms is None else local_ms
        if not limit_ms:
            yield Finding(
                script.file, one.line, "lock-timeout", "no lock_timeout is set where this statement begins to wait",
                f"SET lock_timeout = '200ms' before it (at most {LONGEST_QUEUE_MS:g} ms)",
            )  # fmt: skip
        elif limit_ms > LONGEST_QUEUE_MS and not sql.begins(one.sql, _NOBODY_QUEUES):
            yield Finding(
                script.file, one.line, "lock-timeout",
                f"requests may queue behind this statement for {limit_ms:g} ms, as long as its lock_timeout",
                f"a lock_timeout of at most {LONGEST_QUEUE_MS:g} ms, and another try later",
            )  # fmt: skip


def _of_indexes(script: Script, way: Way) -> Iterator[Finding]:
    """A concurrent build that was interrupted leaves an invalid index under its name."""
    dropped: set[str] = set()
    for one in way.statements:
        dropped.add(sql.dropped_index(one.sql))
        name = sql.built_index(one.sql)
        if name and (name not in dropped or sql.says(one.sql, "if not exists")):
            yield Finding(
                script.file, one.line, "interrupted-build", f"a build of {name} that was interrupted left it invalid, "
                "and this would fail on it or take it for good",
                f"DROP INDEX CONCURRENTLY IF EXISTS {name} right before it, and no IF NOT EXISTS",
            )  # fmt: skip


def _of_the_way_down(script: Script) -> Iterator[Finding]:
    empty = not script.down.statements and bool(script.up.statements) and not script.down.hidden
    if script.down.missing or empty:
        text = "there is no way down" if script.down.missing else "the way down does nothing, and the way up does"
        yield Finding(
            script.file,
            script.down.line,
            "no-way-down",
            text,
            "a downgrade() that takes the schema back to what it was",
        )


def _of_losses(linted: Linted) -> Iterator[Finding]:
    script = linted.script
    if script.loses:
        return
    for way, remarks, name in ((script.up, linted.up, "up"), (script.down, linted.down, "down")):
        for one in _statements(way, remarks, _LOSING, _TAKES_AWAY):
            yield Finding(
                script.file, one.line, "loses-data", f"the way {name} takes data away, and does not say so",
                'a way that keeps them, or loses = "..." that says what is lost',
            )  # fmt: skip


def _of_phase(linted: Linted) -> Iterator[Finding]:
    script = linted.script
    if script.phase not in {EXPAND, CONTRACT}:
        yield Finding(
            script.file, 1, "phase", f"its phase is {script.phase!r}", f'phase = "{EXPAND}" or phase = "{CONTRACT}"'
        )
        return
    made = {sql.made_table(one.sql) for one in script.up.statements} - {""}
    restricting = _statements(script.up, linted.up, _BREAKING, _RESTRICTS)
    # No older release knows a table that this migration makes.
    breaking = [one for one in restricting if sql.altered_table(one.sql) not in made]
    if script.phase == EXPAND:
        for one in breaking:
            yield Finding(
                script.file, one.line, "contract-unnamed", "this may break the release before, in an expand step",
                f'a migration of its own with phase = "{CONTRACT}", run once no older release serves',
            )  # fmt: skip
        return
    for one in script.up.statements:
        if sql.begins(one.sql, "create table") or sql.says(one.sql, "add column"):
            yield Finding(
                script.file, one.line, "expand-in-contract", "this expands, in a step that contracts",
                f'a migration of its own with phase = "{EXPAND}", run before the release that needs it',
            )  # fmt: skip
    if not script.serves_from:
        yield Finding(
            script.file, 1, "contract-for-whom", "it does not say which releases it leaves working",
            'serves_from = "1.1.0", the oldest release that works after it',
        )  # fmt: skip


def _statements(way: Way, remarks: Iterable[Remark], rules: frozenset[str], pattern: str) -> Iterator[Statement]:
    """Those that the linter found by one of the rules, or that say one of the words."""
    named = {remark.place for remark in remarks if remark.rule in rules}
    for place, one in enumerate(way.statements):
        if place in named or sql.says(one.sql, pattern):
            yield one
