"""A marker file and a marker secret, written in one region so that it is seen when the other one has them."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from drillbook.ports import Conflict, Observation

if TYPE_CHECKING:
    from collections.abc import Mapping

    from drillbook.ports import Clock
    from drillbook.ports.state import FileStore, SecretStore
    from drillbook.run.action import Action

FOLDER = "drillbook"
"""What drills write is in this folder, of the bucket and of the secrets, and nothing else is."""

Kind = Literal["file", "secret"]
WRITE_FILE, WRITE_SECRET = "write-marker-file", "write-marker-secret"
ACTIONS: dict[str, Kind] = {WRITE_FILE: "file", WRITE_SECRET: "secret"}
"""Registered names, and what each writes."""

_FILE_BYTES = 64 * 1024
_SECRET_BYTES = 32
_KEY = secrets.token_bytes(32)
"""Of the digests of secrets that this process makes; it is written nowhere."""


@dataclass(frozen=True, slots=True)
class State:
    """What both regions have beside the database.

    Attributes:
        home: The region that is the primary when all is well.
        away: The other one.
        files: Region to its files; empty where nobody has said.
        secrets: Region to its secrets; empty where nobody has said.
        clock: The run's.
    """

    home: str
    away: str
    files: Mapping[str, FileStore]
    secrets: Mapping[str, SecretStore]
    clock: Clock

    @property
    def regions(self) -> tuple[str, str]:
        """Both."""
        return self.home, self.away

    def make(self, name: str, arguments: Mapping[str, Any]) -> Action:
        """An action from its arguments.

        Raises:
            ValueError: When there is none of this name, its marker lies elsewhere, or nobody has said where that is.
        """
        if name not in ACTIONS:
            raise ValueError(f"there is no action {name!r} on the state beside the database")
        marker, kind = str(arguments["marker"]), ACTIONS[name]
        if not marker.startswith(f"{FOLDER}/") or ".." in marker:
            raise ValueError(f"{name} is about {marker!r}, and drills write in {FOLDER}/ alone")
        if not (self.files if kind == "file" else self.secrets):
            raise ValueError(f"the step {name} needs recovery.{kind}s, which this environment does not say")
        return WriteMarker(kind, self, marker)

    def digest(self, kind: Kind, region: str, marker: str) -> str:
        """What a region has there; empty for nothing. Only digests that one process made can be compared."""
        return self.files[region].digest(marker) if kind == "file" else self.secrets[region].digest(marker, _KEY)

    def write(self, kind: Kind, marker: str) -> None:
        """What was never written before, in the region that is home."""
        if kind == "file":
            self.files[self.home].put(marker, secrets.token_bytes(_FILE_BYTES))
        else:
            self.secrets[self.home].put(marker, secrets.token_urlsafe(_SECRET_BYTES))

    def remove(self, kind: Kind, region: str, marker: str) -> None:
        """Idempotent."""
        (self.files if kind == "file" else self.secrets)[region].remove(marker)


@dataclass(frozen=True, slots=True)
class WriteMarker:
    """Write one, or change it; each time it is another one. Its undo removes it in both regions.

    Attributes:
        kind: Which of the two.
        state: Where it is.
        marker: Its name.
        deadline_s: For its own region to have it, and for both to have it no more.
    """

    kind: Kind
    state: State
    marker: str
    deadline_s: float = 60.0

    @property
    def name(self) -> str:
        """Its registered name."""
        return WRITE_FILE if self.kind == "file" else WRITE_SECRET

    @property
    def arguments(self) -> Mapping[str, Any]:
        """What it was made with."""
        return {"marker": self.marker}

    @property
    def touches(self) -> tuple[str, ...]:
        """The marker."""
        return (f"{self.kind}/{self.marker}",)

    def describe(self) -> str:
        """In words."""
        return f"write the {self.kind} {self.marker} in {self.state.home}"

    def capture(self) -> Mapping[str, Any]:
        """Nothing: there is none.

        Raises:
            Conflict: When there is one already, which is somebody else's.
        """
        if any(self._digest(region) for region in self.state.regions):
            raise Conflict(f"there is a {self.kind} {self.marker} already, and a drill's own has a name of its own")
        return {}

    def do(self) -> None:
        """Write what was never written before."""
        self.state.write(self.kind, self.marker)

    def observe(self) -> Observation:
        """Whether its own region has it, by a read of its own; the other one's is measured."""
        home = self.state.home
        held = bool(self._digest(home))
        return self._seen(held, f"the {self.kind} {self.marker} can{'' if held else 'not'} be read in {home}")

    def undo(self, before: Mapping[str, Any]) -> None:  # noqa: ARG002 - there was none
        """Remove it in both regions: a copy that has stopped would leave it in the other one."""
        for region in self.state.regions:
            self.state.remove(self.kind, region, self.marker)

    def observe_undone(self, before: Mapping[str, Any]) -> Observation:  # noqa: ARG002
        """Whether no region has it."""
        left = [region for region in self.state.regions if self._digest(region)]
        text = f"the {self.kind} {self.marker} is in {' and '.join(left) or 'no region any more'}"
        return self._seen(not left, text)

    def _digest(self, region: str) -> str:
        return self.state.digest(self.kind, region, self.marker)

    def _seen(self, holds: bool, text: str) -> Observation:
        return Observation(holds, text, self.state.clock.now())
