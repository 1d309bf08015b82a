"""Reads Alembic's migrations as Alembic's own offline mode renders them: no database is asked, nothing is changed.

A script is run to find out what it would send, as `alembic upgrade --sql` does; so only scripts that would be run
anyway are to be read.
"""

from __future__ import annotations

import ast
import inspect
import io
import re
from typing import TYPE_CHECKING

from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError

from drillbook.domain.migration.script import Script, Statement, Way
from drillbook.ports import Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import ModuleType

_TRANSACTION = re.compile(r"(BEGIN|COMMIT)\s*;?\s*", re.IGNORECASE)


def read(folder: Path, shown_from: Path) -> tuple[Script, ...]:
    """The migrations of a folder, the first one first.

    Args:
        folder: With `env.py` and `versions/`.
        shown_from: Files are named relative to it where they are below it.

    Raises:
        Unreachable: When Alembic cannot make out what there is.
    """
    try:
        revisions = list(ScriptDirectory(str(folder)).walk_revisions())
    except (CommandError, OSError, SyntaxError, ImportError) as error:
        raise Unreachable(f"the migrations in {folder} cannot be read: {error}") from error
    if not revisions:
        raise Unreachable(f"there are no migrations in {folder}/versions: name the folder that Alembic works with")
    return tuple(_script(one.revision, one.module, shown_from) for one in reversed(revisions))


def _script(revision: str, module: ModuleType, shown_from: Path) -> Script:
    path = str(module.__file__)
    name = path.removeprefix(f"{shown_from}/")
    lines = _functions(path)
    return Script(
        revision=revision,
        file=name,
        phase=str(getattr(module, "phase", "")),
        serves_from=str(getattr(module, "serves_from", "")),
        loses=str(getattr(module, "loses", "")),
        up=_way(module, "upgrade", path, lines),
        down=_way(module, "downgrade", path, lines),
    )


def _way(module: ModuleType, name: str, path: str, lines: dict[str, int]) -> Way:
    function: Callable[[], None] | None = getattr(module, name, None)
    line = lines.get(name, 1)
    if function is None:
        return Way(line, missing=True)
    sent = _Sent(path)
    context = MigrationContext.configure(
        dialect_name="postgresql", opts={"as_sql": True, "output_buffer": sent, "literal_binds": True}
    )
    hidden = ""
    try:
        with Operations.context(context):
            function()
    except NotImplementedError:
        return Way(line, missing=True)
    except Exception as error:  # noqa: BLE001 - a script may do whatever it likes; that it did is a finding
        hidden = f"what it sends cannot be told without a database ({type(error).__name__}: {error})"
    return Way(line, tuple(sent.statements), hidden)


class _Sent(io.StringIO):
    """Takes what is sent, with the line of the script that sent it."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path
        self._in_transaction = True
        self._block = 0
        self.statements: list[Statement] = []

    def write(self, s: str, /) -> int:
        text = s.strip()
        if not text:
            return len(s)
        if _TRANSACTION.fullmatch(text):
            self._in_transaction = text.upper().startswith("BEGIN")
            self._block += 1
        else:
            self._block += not self._in_transaction
            self.statements.append(Statement(text, self._line(), not self._in_transaction, self._block))
        return len(s)

    def _line(self) -> int:
        frame = inspect.currentframe()
        while frame is not None:
            if frame.f_code.co_filename == self._path:
                return frame.f_lineno
            frame = frame.f_back
        return 1


def _functions(path: str) -> dict[str, int]:
    with open(path, encoding="utf-8") as file:  # noqa: PTH123 - a path as Python's import machinery knows it
        tree = ast.parse(file.read())
    return {node.name: node.lineno for node in tree.body if isinstance(node, ast.FunctionDef)}
