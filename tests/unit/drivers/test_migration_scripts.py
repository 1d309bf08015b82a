"""Migrations, linted: the platform's own are clean, and each fault is found where it stands."""

from __future__ import annotations

import dataclasses
import json
import textwrap
from pathlib import Path

import pytest

from drillbook.domain.migration import rules
from drillbook.domain.migration.script import Linted
from drillbook.drivers import alembic_scripts, squawk
from drillbook.ports import Unreachable

PROJECT = Path(__file__).resolve().parents[3]

UP = ["SET lock_timeout = '200ms'", "ALTER TABLE events ADD COLUMN a text"]
DOWN = ["SET lock_timeout = '200ms'", "ALTER TABLE events DROP COLUMN a"]
INDEX = "CREATE INDEX CONCURRENTLY i ON events (a)"
VALIDATED = "ALTER TABLE events ADD CONSTRAINT c CHECK (a IS NOT NULL)"


@dataclasses.dataclass(frozen=True)
class Case:
    """A script, and the rule and line (counted within its way) of everything that is wrong with it."""

    up: list[str] = dataclasses.field(default_factory=lambda: UP)
    down: list[str] | None = dataclasses.field(default_factory=lambda: DOWN)
    alone: bool = False
    head: str = 'phase = "expand"\nloses = "column a"'
    wrong: tuple[tuple[str, str], ...] = ()


CONTRACT = 'phase = "contract"\nserves_from = "2.0.0"\nloses = "column a"'
SET = UP[0]
BUILD = "CREATE INDEX i ON events (a)"
VACUUM, SLEEP, UPDATE = "VACUUM FULL events", "SELECT pg_sleep(3)", "UPDATE events SET a = 'x'"

CASES = {
    "an additive column": Case(),
    "no limit on waiting": Case(up=UP[1:], wrong=(("lock-timeout", UP[1]),)),
    "no limit after the transaction that set it": Case(
        up=["SET LOCAL lock_timeout = '200ms'", UP[1]], alone=True, wrong=(("lock-timeout", UP[1]),)
    ),
    "a limit that is taken back": Case(up=[SET, "RESET lock_timeout", UP[1]], wrong=(("lock-timeout", UP[1]),)),
    "a limit of nothing": Case(up=["SET lock_timeout = 0", UP[1]], wrong=(("lock-timeout", UP[1]),)),
    "a limit that lets requests queue": Case(up=["SET lock_timeout TO '3s'", UP[1]], wrong=(("lock-timeout", UP[1]),)),
    "an index that keeps writers out": Case(
        up=[SET, BUILD], wrong=(("require-concurrent-index-creation", BUILD),)
    ),
    "an index built beside them": Case(
        up=["SET lock_timeout = '60s'", "DROP INDEX CONCURRENTLY IF EXISTS i", INDEX], alone=True
    ),
    "an index over one that was interrupted": Case(up=[SET, INDEX], alone=True, wrong=(("interrupted-build", INDEX),)),
    "a concurrent build in a transaction": Case(
        up=[SET, "DROP INDEX CONCURRENTLY IF EXISTS i", INDEX],
        wrong=(("ban-concurrent-index-creation-in-transaction", INDEX),),
    ),
    "a change of type": Case(
        head=CONTRACT, up=[SET, "ALTER TABLE events ALTER COLUMN a TYPE bigint USING a::bigint"],
        wrong=(("changing-column-type", "ALTER TABLE events ALTER COLUMN a TYPE bigint USING a::bigint"),),
    ),
    "a default that every row has to be given": Case(
        up=[SET, "ALTER TABLE events ADD COLUMN a text DEFAULT random()::text"],
        wrong=(("adding-field-with-default", "ALTER TABLE events ADD COLUMN a text DEFAULT random()::text"),),
    ),
    "NOT NULL that reads the table under its lock": Case(
        head=CONTRACT, up=[SET, "ALTER TABLE events ALTER COLUMN a SET NOT NULL"],
        wrong=(("adding-not-nullable-field", "ALTER TABLE events ALTER COLUMN a SET NOT NULL"),),
    ),
    "NOT NULL through a check that was validated": Case(
        head=CONTRACT, alone=True,
        up=[SET, f"{VALIDATED} NOT VALID", "ALTER TABLE events VALIDATE CONSTRAINT c",
            "ALTER TABLE events ALTER COLUMN a SET NOT NULL"],
    ),
    "a check that is validated at once": Case(
        head=CONTRACT, up=[SET, VALIDATED], wrong=(("constraint-missing-not-valid", VALIDATED),)
    ),
    "a foreign key that is validated at once": Case(
        head=CONTRACT, up=[SET, "ALTER TABLE events ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES s (id)"],
        wrong=(
            ("adding-foreign-key-constraint", "ALTER TABLE events ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES s (id)"),
            ("constraint-missing-not-valid", "ALTER TABLE events ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES s (id)"),
        ),
    ),
    "a rewrite that the linter does not know": Case(up=[SET, VACUUM], wrong=(("long-lock", VACUUM),)),
    "a lock that is held for seconds": Case(up=[*UP, SLEEP], wrong=(("long-lock", SLEEP),)),
    "rows changed in one go": Case(up=[*UP, UPDATE], wrong=(("rows-in-one-go", UPDATE),)),
    "what cannot be told": Case(up=[SET, "DO $$ BEGIN DROP TABLE events; END $$"],
                                wrong=(("hidden", "DO $$ BEGIN DROP TABLE events; END $$"),)),
    "no way down": Case(down=None, wrong=(("no-way-down", "def downgrade"),)),
    "a way down that does nothing": Case(down=[], wrong=(("no-way-down", "def downgrade"),)),
    "a way down that loses data and does not say so": Case(
        head='phase = "expand"', wrong=(("loses-data", DOWN[1]),)
    ),
    "a way down that empties a table": Case(
        head='phase = "expand"', down=[SET, "TRUNCATE events"], wrong=(("loses-data", "TRUNCATE events"),)
    ),
    "a step that breaks the release before and is not named so": Case(
        up=[SET, "ALTER TABLE events RENAME COLUMN a TO b"],
        wrong=(("contract-unnamed", "ALTER TABLE events RENAME COLUMN a TO b"),),
    ),
    "a contract step together with an expand step": Case(
        head=CONTRACT, up=[SET, "ALTER TABLE events DROP COLUMN a", "ALTER TABLE events ADD COLUMN b text"],
        wrong=(("expand-in-contract", "ALTER TABLE events ADD COLUMN b text"),),
    ),
    "a contract step that does not say for whom": Case(
        head='phase = "contract"\nloses = "column a"', up=[SET, "ALTER TABLE events DROP COLUMN a"],
        wrong=(("contract-for-whom", ""),),
    ),
    "no phase": Case(head='loses = "column a"', wrong=(("phase", ""),)),
    "no SQL": Case(up=[*UP, "ALTER EVENTS SOMEHOW"], wrong=(("syntax-error", "ALTER EVENTS SOMEHOW"),)),
}  # fmt: skip


def script(number: int, case: Case) -> str:
    def function(name: str, statements: list[str], indent: str) -> str:
        body = "".join(f"{indent}op.execute({one!r})\n" for one in statements) or f"{indent}pass\n"
        block = "    with op.get_context().autocommit_block():\n" if indent != "    " else ""
        return f"\ndef {name}():\n{block}{body}"

    before = repr(f"{number - 1:04}") if number else "None"
    head = f'from alembic import op\nrevision = "{number:04}"\ndown_revision = {before}\n{case.head}\n'
    down = (
        function("downgrade", case.down, "    ")
        if case.down is not None
        else ('\ndef downgrade():\n    raise NotImplementedError("restore a backup")\n')
    )
    return head + function("upgrade", case.up, "        " if case.alone else "    ") + down


@pytest.fixture(scope="module")
def linted(tmp_path_factory):
    """One folder with all of them, each its own migration."""
    folder = tmp_path_factory.mktemp("migrations")
    (folder / "versions").mkdir()
    (folder / "env.py").touch()
    for number, case in enumerate(CASES.values()):
        (folder / "versions" / f"{number:04}.py").write_text(script(number, case))
    return folder, squawk.lint(alembic_scripts.read(folder, folder))


@pytest.mark.parametrize("name", CASES)
def test_each_fault_is_found_where_it_stands_and_nothing_else_is(linted, name: str) -> None:
    folder, migrations = linted
    number, case = list(CASES).index(name), CASES[name]
    found = rules.lint([migrations[number]])
    lines = (folder / "versions" / f"{number:04}.py").read_text().splitlines()
    expected = {
        (rule, next(place for place, line in enumerate(lines, 1) if mark in line) if mark else 1)
        for rule, mark in case.wrong
    }
    assert {(one.rule, one.line) for one in found} == expected, "\n".join(map(str, found))
    assert all(one.file == f"versions/{number:04}.py" and one.instead for one in found)


def test_the_platforms_own_migrations_are_clean() -> None:
    migrations = squawk.lint(alembic_scripts.read(PROJECT / "system" / "migrations", PROJECT))
    assert [one.script.phase for one in migrations] == ["expand", "expand", "contract"]
    assert rules.lint(migrations) == []


def test_what_was_linted_can_be_kept_and_linted_again(linted) -> None:
    _, migrations = linted
    kept = json.loads(json.dumps([dataclasses.asdict(one) for one in migrations]))
    assert rules.lint([Linted.from_document(one) for one in kept]) == rules.lint(migrations) != []


def test_a_script_that_asks_the_database_is_a_finding(tmp_path) -> None:
    (tmp_path / "versions").mkdir()
    (tmp_path / "versions" / "0001.py").write_text(
        textwrap.dedent("""
        from alembic import op
        revision = "0001"
        down_revision = None
        phase = "expand"
        def upgrade():
            op.get_bind().execute("SELECT 1").fetchall()
        def downgrade():
            op.execute("SET lock_timeout = '1s'")
    """)
    )
    found = rules.lint(squawk.lint(alembic_scripts.read(tmp_path, tmp_path)))
    (hidden,) = [one for one in found if one.rule == "hidden"]
    assert hidden.line == 6
    assert "without a database" in str(hidden)


@pytest.mark.parametrize("content", [None, "def upgrade(:\n"])
def test_a_folder_without_readable_migrations_is_said(tmp_path, content) -> None:
    (tmp_path / "versions").mkdir()
    if content:
        (tmp_path / "versions" / "0001.py").write_text(content)
    with pytest.raises(Unreachable, match="migrations in"):
        alembic_scripts.read(tmp_path, tmp_path)
