"""Takes a schema up or down by the platform's own command."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from psycopg.conninfo import make_conninfo

from drillbook.domain.redaction import clean
from drillbook.ports import Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

_SAID = 400


@dataclass(frozen=True, slots=True)
class MigrationCommand:
    """The command.

    Attributes:
        words: Its words; `{way}`, `{to}` and `{python}`, for the one that we run in, are replaced.
        settings: Its environment variables beside our own, with `{url}` in them.
        address: libpq's, of the database, without a password.
        password: Gives it; may be empty.
        folder: Where it runs.
    """

    words: tuple[str, ...]
    settings: Mapping[str, str]
    address: str
    password: Callable[[], str]
    folder: Path

    def run(self, way: str, to: str, *, deadline_s: float) -> str:
        """Go one way; answers what it said last.

        Raises:
            Unreachable: When it ends with an error or not at all.
        """
        password = self.password()
        url = make_conninfo(self.address, password=password or None)
        settings = {name: value.replace("{url}", url) for name, value in self.settings.items()}
        put = {"{way}": way, "{to}": to, "{python}": sys.executable}
        words = [put.get(word, word) for word in self.words]
        try:
            done = subprocess.run(
                words, env={**os.environ, **settings}, cwd=self.folder, capture_output=True, text=True,
                timeout=deadline_s, check=False, stdin=subprocess.DEVNULL,
            )  # fmt: skip
        except (OSError, subprocess.TimeoutExpired) as error:
            raise Unreachable(f"the migration {way} to {to} did not end: {_clean(str(error), password)}") from error
        said = _clean(done.stderr.strip() or done.stdout.strip(), password)[-_SAID:]
        if done.returncode != 0:
            raise Unreachable(f"the migration {way} to {to} ended with exit code {done.returncode}: {said}")
        return said


def _clean(text: str, password: str) -> str:
    return clean(text.replace(password, "***") if password else text)
