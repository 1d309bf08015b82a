"""The release gate: lets a release through on a PASS that is about it, and on nothing else."""

from __future__ import annotations

import json
import math
import stat
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from drillbook.domain.verdict import Verdict
from drillbook.domain.wording import one_line

NO_VERDICT = 2
"""Exit code when there is no verdict that could be believed; the project's for what it refuses."""

VERDICT_FILE = "run.json"
_MOST_BYTES = 4 * 1024 * 1024
_MOST_NAMES = 10
"""Of drills that are told in one line; the report has all."""
_LAST_S = 253_402_300_800.0
"""The year 10000, in seconds since the epoch."""
_CLOCKS_DIFFER_S = 300.0
"""How far the clocks of a runner and of whoever asks may be apart."""


@dataclass(frozen=True, slots=True)
class Demands:
    """What a PASS has to be about, so that one of another day or place lets nothing through.

    Attributes:
        environment: Name of the environment; empty for any.
        release: Version that was cut over, was let stay and passed; empty for any.
        since_s: The run has to have begun after this moment, in seconds since the epoch; 0 for any.
        max_age_s: The run has to have ended at most so long ago; one that goes on with another, to have begun.
    """

    environment: str = ""
    release: str = ""
    since_s: float = 0.0
    max_age_s: float = math.inf


@dataclass(frozen=True, slots=True)
class Ruling:
    """What the gate says.

    Attributes:
        exit_code: 0 lets the release through; 1 FAIL, 75 INCONCLUSIVE, 2 no verdict that could be believed.
        text: Why, in a sentence.
    """

    exit_code: int
    text: str

    @property
    def promotes(self) -> bool:
        """Whether the release goes on."""
        return self.exit_code == Verdict.PASS.exit_code


class NoVerdict(Exception):
    """There is none that could be believed; the text says why."""


def decide(run: Path, demands: Demands, *, now_s: float) -> Ruling:
    """Rule on a run by its verdict file alone.

    Args:
        run: The run's folder.
        demands: What the verdict has to be about.
        now_s: When this is asked, in seconds since the epoch.
    """
    try:
        document = _read(run / VERDICT_FILE)
        verdict = _verdict(document)
        unmet = _unmet(document, demands, now_s)
    except NoVerdict as error:
        return Ruling(NO_VERDICT, f"closed: {one_line(str(error))}")
    name = one_line(str(document.get("run_id") or run.name))
    if verdict is not Verdict.PASS:
        return Ruling(verdict.exit_code, f"closed: {name} is {verdict}")
    if unmet:
        return Ruling(NO_VERDICT, f"closed: {name} is PASS, and not about this release: {one_line('; '.join(unmet))}")
    return Ruling(verdict.exit_code, f"open: {name} is PASS{_not_drilled(document)}")


def named(run: str, runs: Path) -> Path:
    """The folder of a run by its path, its id, or `latest`, whether or not it is there.

    Raises:
        NoVerdict: When there is none at all.
    """
    if run == "latest":
        return latest(runs)
    path, below = Path(run), runs / run
    return below if below.is_dir() and not path.exists() else path


def latest(runs: Path) -> Path:
    """The folder of the newest run, by its name, whether or not it has a verdict.

    Raises:
        NoVerdict: When there is none.
    """
    try:
        found = sorted(path for path in runs.iterdir() if path.is_dir() and not path.name.startswith("."))
    except OSError as error:
        raise NoVerdict(f"{runs} cannot be looked into ({error.strerror}): no run has left anything there") from error
    if not found:
        raise NoVerdict(f"there is no run in {runs}: it was refused before it began, or died, or its files were lost")
    return found[-1]


def moment(text: str) -> float:
    """A moment as ISO 8601 with its zone, in seconds since the epoch.

    Raises:
        ValueError: When it is none.
    """
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise ValueError(f"{text!r} has no zone, such as the Z of 2026-11-23T08:15:00Z")
    return found.astimezone(UTC).timestamp()


def _read(path: Path) -> dict[str, Any]:
    """The file as a JSON object, in which no name stands twice."""
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            raise NoVerdict(f"{path} is no regular file")
        with path.open("rb") as file:
            raw = file.read(_MOST_BYTES + 1)
    except FileNotFoundError as error:
        raise NoVerdict(f"{path} does not exist: the run left no verdict") from error
    except OSError as error:
        raise NoVerdict(f"{path} cannot be read: {error.strerror}") from error
    if len(raw) > _MOST_BYTES:
        raise NoVerdict(f"{path} is larger than {_MOST_BYTES} bytes, which no verdict file is")
    try:
        document: object = json.loads(raw, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise NoVerdict(f"{path} cannot be read as JSON: {error}") from error
    if not isinstance(document, dict):
        raise NoVerdict(f"{path} holds no JSON object")
    return cast("dict[str, Any]", document)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Of two verdicts in one file, readers differ in which they take."""
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{next(name for name in names if names.count(name) > 1)!r} stands there twice")
    return found


def _verdict(document: dict[str, Any]) -> Verdict:
    found = document.get("verdict")
    if found is None:
        raise NoVerdict("the run has no verdict: it died, or has not ended yet")
    if not isinstance(found, str) or found not in Verdict.__members__:
        raise NoVerdict(f"its verdict is {str(found)[:40]!r}, which is none")
    verdict = Verdict(found)
    wrong = _contradictions(document, verdict)
    if wrong:
        raise NoVerdict(f"{VERDICT_FILE} contradicts itself: {'; '.join(wrong)}")
    return verdict


def _contradictions(document: dict[str, Any], verdict: Verdict) -> list[str]:
    found: list[str] = []
    code = document.get("exit_code")
    if type(code) is not int or code != verdict.exit_code:
        found.append(f"{verdict} with the exit code {str(code)[:40]}")
    if verdict is Verdict.PASS and document.get("interrupted", False) is not False:
        found.append("PASS of a run that was interrupted")
    if verdict is Verdict.PASS and not document.get("requested"):
        found.append("PASS of a run that was asked for nothing")
    if verdict is Verdict.PASS and not _names(document.get("left_out", [])):
        found.append("PASS of a run that does not say what it left out")
    if verdict is Verdict.PASS and not _drilled_all(document):
        found.append(f"PASS of a run that has drilled {str(document['drilled'])[:40]} of what it was asked for")
    return found


def _drilled_all(document: dict[str, Any]) -> bool:
    """Whether it counts as many drills as it was asked for; what older versions wrote has no such number."""
    if "drilled" not in document:
        return True
    drilled, requested = document["drilled"], document.get("requested")
    return type(drilled) is int and isinstance(requested, list) and drilled >= len(cast("list[object]", requested))


def _names(found: object) -> bool:
    return isinstance(found, list) and all(isinstance(name, str) for name in cast("list[object]", found))


def _not_drilled(document: dict[str, Any]) -> str:
    """A clause that names what the run left out; older versions do not say, and nothing is said of them."""
    names: list[str] = document.get("left_out", [])
    more = f"; and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return one_line(f"; not drilled: {'; '.join(names[:_MOST_NAMES])}{more}") if names else ""


def _unmet(document: dict[str, Any], demands: Demands, now_s: float) -> list[str]:
    """Sentences; also that the record does not say what is asked."""
    found: list[str] = []
    environment = document.get("environment")
    name = cast("dict[str, Any]", environment).get("name") if isinstance(environment, dict) else None
    if demands.environment and name != demands.environment:
        found.append(f"it is about the environment {str(name)[:80]!r}, and {demands.environment!r} is asked for")
    released = document.get("released")
    known = cast("list[object]", released) if isinstance(released, list) else []
    if demands.release and demands.release not in known:
        shown = ", ".join(str(version)[:80] for version in known[:10]) or "none"
        found.append(f"it let {shown} stay, and release {demands.release!r} is asked for")
    started_s, finished_s = (_time(document, key) for key in ("started_s", "finished_s"))
    if not started_s <= finished_s <= now_s + _CLOCKS_DIFFER_S:
        found.append(f"by its record it ran from {started_s:.0f} to {finished_s:.0f}, and now is {now_s:.0f}")
    if started_s < demands.since_s - _CLOCKS_DIFFER_S:
        found.append(f"it began {demands.since_s - started_s:.0f} s before what it has to be about")
    # What goes on with another run has drills of that one, which may be much older than its own end.
    from_s, told = finished_s, "it ended"
    if "continues" in document:
        from_s, told = started_s, "it goes on with a run that began"
    if now_s - from_s > demands.max_age_s:
        found.append(f"{told} {(now_s - from_s) / 3600:.1f} h ago, and {demands.max_age_s / 3600:g} h are allowed")
    return found


def _time(document: dict[str, Any], key: str) -> float:
    value = document.get(key)
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _LAST_S:
        return float(value)
    raise NoVerdict(f"its {key} is {json.dumps(value)[:40]}, which is no time")
