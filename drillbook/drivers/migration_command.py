"""Takes a schema up or down by the platform's own command."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from psycopg.conninfo import make_conninfo

from drillbook.domain.redaction import clean
from drillbook.ports import Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

_SAID = 400
_DIES_WITHIN_S = 10.0


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
        return self.start(way, to).finish(deadline_s)

    def start(self, way: str, to: str) -> RunningMigration:
        """Begin to go one way.

        Raises:
            Unreachable: When there is no such command.
        """
        password = self.password()
        url = make_conninfo(self.address, password=password or None)
        settings = {name: value.replace("{url}", url) for name, value in self.settings.items()}
        put = {"{way}": way, "{to}": to, "{python}": sys.executable}
        try:
            # A session of its own: the command may be a wrapper, and what it starts is ended with it; a Ctrl-C at the
            # terminal is the harness' to handle.
            process = subprocess.Popen(
                [put.get(word, word) for word in self.words], env={**os.environ, **settings}, cwd=self.folder,
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
                start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            raise Unreachable(f"the migration cannot be started: {_clean(str(error), password)}") from error
        return RunningMigration(process, f"the migration {way} to {to}".removesuffix(" to "), password)


@dataclass(frozen=True, slots=True)
class RunningMigration:
    """A command that runs.

    Attributes:
        process: Its process, which leads a session of its own.
        name: What it does, for what is said.
        password: That what it says is kept clean of; may be empty.
    """

    process: subprocess.Popen[str]
    name: str
    password: str = field(default="", repr=False)

    def finish(self, deadline_s: float) -> str:
        """Wait for its end; answers what it said last.

        Raises:
            Unreachable: When it ends with an error or not in time; then it is killed, as when the wait is interrupted.
        """
        try:
            said, _ = self.process.communicate(timeout=deadline_s)
        except subprocess.TimeoutExpired as late:
            self.kill()
            raise Unreachable(f"{self.name} did not end within {deadline_s:g} s") from late
        except BaseException:
            with contextlib.suppress(Unreachable):
                self.kill()
            raise
        said = _clean(said.strip(), self.password)[-_SAID:]
        if self.process.returncode != 0:
            raise Unreachable(f"{self.name} ended with exit code {self.process.returncode}: {said}")
        return said

    def kill(self) -> None:
        """End it with SIGKILL, wherever it is, and all that it has started.

        Raises:
            Unreachable: When something of it is still there after 10 s.
        """
        # Until it is waited for, nobody else gets its number; afterwards nothing of it is left that speaks.
        if self.process.returncode is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        try:
            self.process.communicate(timeout=_DIES_WITHIN_S)
        except subprocess.TimeoutExpired as late:
            self._let_go()
            raise Unreachable(
                f"{self.name} was killed, and {_DIES_WITHIN_S:g} s later something that it has started goes on: end it "
                "by hand"
            ) from late

    def _let_go(self) -> None:
        """Of what somebody else holds on to: the pipe. Itself it has ended, or never will."""
        if self.process.stdout is not None:
            self.process.stdout.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(0)

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        if self.process.returncode is not None:
            return False
        return os.waitid(os.P_PID, self.process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None


def _clean(text: str, password: str) -> str:
    return clean(text.replace(password, "***") if password else text)
