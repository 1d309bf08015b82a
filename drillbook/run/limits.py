"""Whether what environments promised in runs is what they promise now: a limit may stand in their files alone."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from drillbook.run import environment as environments
from drillbook.run.environment import EnvironmentFileError
from drillbook.run.folder import ENVIRONMENT

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from drillbook.domain.environment import Objectives

_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")
"""Of a run's record, which anybody may have written: it is not to lead to another file."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What each environment promises now, by its file, or where that is not there by its newest run.

    Attributes:
        newest: Folder of the newest run in each environment, by the environment's name.
        given: The file that somebody has named, and no other is looked for; None for none.
    """

    newest: Mapping[str, Path]
    given: Path | None = None

    def are_those_of(self, run: Path, environment: str) -> bool:
        """Whether a run in this environment was held to them; not where they cannot be read."""
        file = self._file(environment)
        if file is None:
            return True
        now = _objectives(file)
        return now is not None and _objectives(run / ENVIRONMENT) == now

    def _file(self, environment: str) -> Path | None:
        """Where they stand; None where neither a file nor a run is known."""
        if self.given is not None:
            return self.given
        if _NAME.fullmatch(environment):
            try:
                return environments.find(environment)
            except EnvironmentFileError:
                pass  # It is another machine's, and its runs tell.
        return self.newest[environment] / ENVIRONMENT if environment in self.newest else None


@cache
def _objectives(file: Path) -> Objectives | None:
    """Of a file; None when it is not there, or cannot be read."""
    try:
        return environments.recorded(file).objectives
    except EnvironmentFileError:
        return None
