"""A run goes on where another was ended before its time: by a job that may last no longer, or a machine that was lost.

Drills that came to their end keep their verdicts, whatever those are; only what was not drilled, or was stopped in the
middle, is drilled now. The new run's folder holds all of it, so that it is read, judged and signed like any other.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from drillbook import __version__
from drillbook.domain.undo import Change, latest
from drillbook.domain.verdict import Verdict
from drillbook.run.folder import FolderError, append_line, read_lines
from drillbook.run.stopping import STOPPED, WAS_STOPPED

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from drillbook.domain.environment import Environment
    from drillbook.run.folder import RunFolder

YOUNGER_THAN_S = 86_400.0
"""What was seen longer ago says too little about what is seen now to be one run with it."""

_JOURNALS = ("checks.jsonl", "timeline.jsonl", "undo.jsonl")


class NotResumable(Exception):
    """A run cannot be gone on with; the text says why."""


@dataclass(frozen=True, slots=True)
class Earlier:
    """The run that is gone on with.

    Attributes:
        path: Its folder.
        document: Its `run.json`.
        sha256: Digest of that.
        kept: The records of its drills that came to their end.
    """

    path: Path
    document: Mapping[str, Any]
    sha256: str
    kept: tuple[Mapping[str, Any], ...]

    @property
    def verdicts(self) -> list[Verdict]:
        """Of the drills that are kept."""
        return [Verdict(str(drill["verdict"])) for drill in self.kept]

    @property
    def scenarios(self) -> set[str]:
        """Their names, as they were asked for."""
        return {str(drill["scenario"]) for drill in self.kept}

    def copy_into(self, folder: RunFolder) -> None:
        """Everything that is kept.

        Raises:
            FolderError: When it cannot be copied.
        """
        ids = {str(drill["id"]) for drill in self.kept}
        try:
            for id_ in ids:
                shutil.copytree(self.path / "drills" / id_, folder.path / "drills" / id_)
        except (OSError, shutil.Error) as error:
            raise FolderError(f"what is kept of {self.path} cannot be copied: {error}") from error
        for name in _JOURNALS:
            for line in read_lines(self.path / name):
                if line.get("drill") in ids:
                    append_line(folder.path / name, line, durable=True)


def earlier(path: Path, environment: Environment, requested: Sequence[str], *, now_s: float) -> Earlier:
    """The run to go on with.

    Args:
        path: Its folder.
        environment: Where it is gone on with.
        requested: Names of the drills that are asked for now.
        now_s: Seconds since the epoch.

    Raises:
        NotResumable: When it came to its end, was about something else or another day, or left something changed.
    """
    try:
        data = (path / "run.json").read_bytes()
        document: dict[str, Any] = dict(json.loads(data))
        drills = [_drill(folder) for folder in sorted((path / "drills").iterdir())]
        changes = latest(Change.from_document(line) for line in read_lines(path / "undo.jsonl"))
    except (OSError, ValueError, KeyError, TypeError, FolderError) as error:
        raise NotResumable(f"{path} is no run that could be read: {error}") from error
    kept = tuple(drill for drill in drills if drill and not _stopped(drill))
    for reason in _obstacles(document, environment, requested, now_s):
        raise NotResumable(f"{path.name} cannot be gone on with: {reason}")
    ids = {drill["id"] for drill in kept}
    if any(change.stage.open and change.drill in ids for change in changes):
        raise NotResumable(
            f"{path.name} cannot be gone on with: a drill of it left something changed; run it all again"
        )
    return Earlier(path, document, hashlib.sha256(data).hexdigest(), kept)


def _obstacles(
    document: Mapping[str, Any], environment: Environment, requested: Sequence[str], now_s: float
) -> list[str]:
    began_s = float(document.get("started_s") or 0.0)
    before = {
        "it came to its end": document.get("verdict") is not None and document.get("interrupted") is not True,
        "it left something changed": document.get("left_changed") is True,
        f"it was run by version {document.get('drillbook_version')}, and this is {__version__}": (
            document.get("drillbook_version") != __version__
        ),
        "the environment's file was another one": document.get("environment", {}).get("sha256") != environment.sha256,
        "other drills were asked for": document.get("requested") != list(requested),
        f"it began more than {YOUNGER_THAN_S / 3600:g} h ago": not 0.0 <= now_s - began_s <= YOUNGER_THAN_S,
    }
    return [reason for reason, holds in before.items() if holds]


def _drill(folder: Path) -> dict[str, Any]:
    """The record of a drill; empty when it has none, as it never came to its end."""
    path = folder / "drill.json"
    return cast("dict[str, Any]", json.loads(path.read_bytes())) if path.is_file() else {}


def _stopped(drill: Mapping[str, Any]) -> bool:
    """Whether somebody ended it, so that it says nothing; one that was inconclusive by itself stays so."""
    doubts = [str(doubt) for doubt in drill.get("doubts", ())]
    return drill.get("raised") == STOPPED or any(doubt.startswith(WAS_STOPPED) for doubt in doubts)
