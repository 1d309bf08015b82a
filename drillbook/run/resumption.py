"""A run goes on where another was ended before its time: by a job that may last no longer, or a machine that was lost.

Drills that came to their end keep their verdicts, whatever those are; only what was not drilled, or was stopped in the
middle and had shown nothing by then, is drilled now. The new run's folder holds all of it, so that it is read, judged
and signed like any other.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from drillbook import __version__
from drillbook.domain.scenarios import is_record_of
from drillbook.domain.undo import Change, latest
from drillbook.domain.verdict import Verdict
from drillbook.run.folder import FolderError, append_line, read_lines
from drillbook.run.stopping import STOPPED, WAS_STOPPED

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence
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
        again: Ids of those that were begun and are drilled again.
        envelope: Digest of what was signed about it; empty when nothing was.
    """

    path: Path
    document: Mapping[str, Any]
    sha256: str
    kept: tuple[Mapping[str, Any], ...]
    again: tuple[str, ...] = ()
    envelope: str = ""

    @property
    def reference(self) -> dict[str, Any]:
        """What the new run's record says of it."""
        return {
            "run_id": self.document["run_id"],
            "sha256": self.sha256,
            "envelope": self.envelope or None,
            "again": list(self.again),
        }

    @property
    def ids(self) -> set[str]:
        """Names of the folders that are kept."""
        return {str(drill["id"]) for drill in self.kept}

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
        ids = self.ids
        try:
            for id_ in ids:
                # A link stays one, and is refused when the run is signed; what it leads to is nobody's evidence.
                shutil.copytree(self.path / "drills" / id_, folder.path / "drills" / id_, symlinks=True)
        except (OSError, shutil.Error) as error:
            raise FolderError(f"what is kept of {self.path} cannot be copied: {error}") from error
        for name in _JOURNALS:
            for line in read_lines(self.path / name):
                if line.get("drill") in ids:
                    append_line(folder.path / name, line, durable=True)


def earlier(path: Path, environment: Environment, requested: Sequence[str], *, now_s: float, plan: str = "") -> Earlier:
    """The run to go on with.

    Args:
        path: Its folder.
        environment: Where it is gone on with.
        requested: Names of the drills that are asked for now.
        now_s: Seconds since the epoch.
        plan: Digest of what would be done now, the releases' chart and values and what the drills say included.

    Raises:
        NotResumable: When it came to its end, was about something else or another day, or left something changed.
    """
    with _readable(path):
        data = (path / "run.json").read_bytes()
        document: dict[str, Any] = dict(json.loads(data))
        drills = _drills(path)
        changes = latest(Change.from_document(line) for line in read_lines(path / "undo.jsonl"))
        broken = {str(line.get("drill")) for line in read_lines(path / "checks.jsonl") if line.get("verdict") == "FAIL"}
    kept = {id_: drill for id_, drill in drills.items() if drill and not _says_nothing(drill)}
    again = tuple(id_ for id_ in drills if id_ not in kept)
    reasons = _obstacles(document, environment, requested, now_s)
    unasked = {str(drill["scenario"]) for drill in kept.values()} - {*requested}
    reasons += [f"it has drilled {name}, which was not asked for" for name in sorted(unasked)]
    if document.get("plan", "") != plan:
        reasons.append("the features, experiments, chart or values are not what they were")
    if any(change.stage.open and change.drill in kept for change in changes):
        reasons.append("a drill of it left something changed; run it all again")
    reasons += [f"{id_} had broken a promise when it was ended; run it all again" for id_ in sorted(broken - {*kept})]
    if reasons:
        raise NotResumable(f"{path.name} cannot be gone on with: {'; '.join(reasons)}")
    return Earlier(path, document, hashlib.sha256(data).hexdigest(), tuple(kept.values()), again)


def not_passed(path: Path, said: Mapping[str, Sequence[str]]) -> frozenset[str]:
    """Names of the drills that a run was asked for and that did not pass, those that it never came to included.

    What passed with other sentences, before a limit was tightened for example, has not passed what is promised now.

    Args:
        path: Its folder.
        said: The sentences of each scenario as they are now, by its name.

    Raises:
        NotResumable: When it is no run, or has passed all that it was asked for.
    """
    with _readable(path):
        requested = Counter(str(name) for name in json.loads((path / "run.json").read_bytes())["requested"])
        # Counted, since in runs of older versions two scenarios may have one name.
        passed = Counter(str(drill["scenario"]) for drill in _drills(path).values() if drill and _passed(drill, said))
    if not (left := requested - passed):
        raise NotResumable(f"{path.name} has passed all that was asked for; nothing is to be drilled again")
    return frozenset(left)


def _obstacles(
    document: Mapping[str, Any], environment: Environment, requested: Sequence[str], now_s: float
) -> list[str]:
    began_s = float(document.get("started_s") or 0.0)
    contexts = {region.name: region.context for region in environment.regions.values()}
    before = {
        "it came to its end": document.get("verdict") is not None and document.get("interrupted") is not True,
        "it left something changed": document.get("left_changed") is True,
        "the lock was not its own to the end": bool(document.get("unkept")),
        f"it was run by version {document.get('drillbook_version')}, and this is {__version__}": (
            document.get("drillbook_version") != __version__
        ),
        "the environment's file was another one": document.get("environment", {}).get("sha256") != environment.sha256,
        "it drilled other clusters: the contexts of the kubeconfigs are not the same": (
            document.get("environment", {}).get("contexts", contexts) != contexts
        ),
        "other drills were asked for": document.get("requested") != list(requested),
        "two of its drills are called one thing, so that none can tell which was drilled": (
            len({*requested}) < len(requested)
        ),
        f"it began more than {YOUNGER_THAN_S / 3600:g} h ago": not 0.0 <= now_s - began_s <= YOUNGER_THAN_S,
    }
    return [reason for reason, holds in before.items() if holds]


@contextmanager
def _readable(path: Path) -> Generator[None]:
    """Whatever keeps a run's folder from being read is a reason not to build on it."""
    try:
        yield
    except (OSError, ValueError, KeyError, TypeError, FolderError) as error:
        raise NotResumable(f"{path} is no run that could be read: {error}") from error


def _drills(path: Path) -> dict[str, dict[str, Any]]:
    """Id to record; empty for one that never came to its end. Raises what `_drill` and the file system do."""
    return {folder.name: _drill(folder) for folder in sorted((path / "drills").iterdir())}


def _drill(folder: Path) -> dict[str, Any]:
    """The record of a drill; empty when it has none, as it never came to its end.

    Raises:
        ValueError: When it is none of a drill, or of another than the folder's.
        KeyError: When it lacks what a record has.
    """
    path = folder / "drill.json"
    if not path.is_file():
        return {}
    document = cast("dict[str, Any]", json.loads(path.read_bytes()))
    if document["id"] != folder.name or not isinstance(document["scenario"], str):
        raise ValueError(f"{path} is the record of another drill, {document['id']!r}")
    Verdict(document["verdict"])
    return document


def _passed(drill: Mapping[str, Any], said: Mapping[str, Sequence[str]]) -> bool:
    """Whether it passed what its scenario says now; of one that there is no more, what it said then."""
    spoken = drill.get("sentences", ())
    said_now = said.get(str(drill["scenario"]), spoken)
    return drill["verdict"] == str(Verdict.PASS) and is_record_of(said_now, spoken, whole=True)


def _says_nothing(drill: Mapping[str, Any]) -> bool:
    """Whether a signal ended it before it had shown anything.

    A FAIL stays one, or whoever sees it coming could stop the drill and try again. What the guard has stopped stays as
    well: the guard has seen something, users' bad answers say.
    """
    stopped_by_the_guard = any(str(doubt).startswith(WAS_STOPPED) for doubt in drill.get("doubts", ()))
    inconclusive = drill.get("verdict") == str(Verdict.INCONCLUSIVE)
    return inconclusive and drill.get("raised") == STOPPED and not stopped_by_the_guard
