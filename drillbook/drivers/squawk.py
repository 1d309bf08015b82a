"""squawk, the linter of PostgreSQL statements: what locks, rewrites or breaks."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from drillbook.domain.migration.script import Linted, Remark
from drillbook.ports import Unreachable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from drillbook.domain.migration.script import Script, Way

_WITHIN_S = 30.0


def lint(scripts: Sequence[Script], postgresql: str = "15.0") -> tuple[Linted, ...]:
    """Ask it about every way of every migration.

    Args:
        scripts: The migrations.
        postgresql: Version of the server that they are for: what rewrites a table differs.

    Raises:
        Unreachable: When it cannot be run, or does not answer as it should.
    """
    return tuple(Linted(one, _remarks(one.up, postgresql), _remarks(one.down, postgresql)) for one in scripts)


def _remarks(way: Way, postgresql: str) -> tuple[Remark, ...]:
    if not way.statements:
        return ()
    text, places = _file(way)
    command = [_program(), "--reporter", "json", "--pg-version", postgresql, "--stdin-filepath", "way.sql"]
    try:
        done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=_WITHIN_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unreachable(f"squawk cannot be run: {error}; install the package squawk-cli") from error
    try:
        answered = json.loads(done.stdout)
        return tuple(
            Remark(str(one["rule_name"]), places[int(one["line"])], str(one["message"]), str(one.get("help") or ""))
            for one in answered
        )
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise Unreachable(f"squawk did not answer as it should ({error!r}): {done.stderr.strip()[:300]}") from error


def _file(way: Way) -> tuple[str, list[int]]:
    """The way as one file, and which statement stands on which of its lines."""
    lines: list[str] = []
    places: list[int] = []
    block = -1
    for place, one in enumerate(way.statements):
        if one.block != block:
            ends = ["COMMIT;"] if places and not way.statements[place - 1].alone else []
            begins = [] if one.alone else ["BEGIN;"]
            lines += [*ends, *begins]
            places += [place] * len([*ends, *begins])
            block = one.block
        own = [*one.sql.rstrip().rstrip(";").splitlines(), ";"]  # not behind a comment to the end of a line
        lines += own
        places += [place] * len(own)
    if not way.statements[-1].alone:
        lines.append("COMMIT;")
        places.append(len(way.statements) - 1)
    return "\n".join(lines) + "\n", places


def _program() -> str:
    beside = Path(sys.executable).with_name("squawk")
    found = str(beside) if beside.is_file() else shutil.which("squawk")
    if found is None:
        raise Unreachable("squawk, which lints statements, is not installed: pip install squawk-cli")
    return found
