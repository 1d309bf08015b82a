"""Runs a Chaos Toolkit experiment in a process of its own and reads every entry of its journal.

Chaos Toolkit orchestrates and does not decide: an action that raises ends `completed`, so the journal is what counts.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from ruamel.yaml import YAML

from drillbook.run import leash, processes
from drillbook.run.folder import write_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

_KILL_AFTER_S = 30.0


@dataclass(frozen=True, slots=True)
class Activity:
    """One entry of the journal.

    Attributes:
        section: `before`, `method`, `after` or `rollbacks`.
        name: Of the activity.
        kind: `action` or `probe`.
        succeeded: Whether it ended without an exception.
        output: What it answered, JSON-compatible.
        duration_s: How long it took, in seconds.
        error: The exception's text; empty when it succeeded.
    """

    section: str
    name: str
    kind: str
    succeeded: bool
    output: Any
    duration_s: float
    error: str


@dataclass(frozen=True, slots=True)
class ExperimentResult:
    """What an experiment did.

    Attributes:
        activities: Everything that ran, in order.
        problems: Sentences; the experiment did what it said only when there are none.
    """

    activities: tuple[Activity, ...]
    problems: tuple[str, ...]

    def output(self, name: str) -> Any:
        """What the activity of this name answered; None when it did not run or failed."""
        return next((a.output for a in self.activities if a.name == name and a.succeeded), None)


def run(
    definition: Path,
    configuration: Mapping[str, str],
    drill_dir: Path,
    environment: Mapping[str, str],
    *,
    deadline_s: float,
    followed_by: Sequence[Path] = (),
) -> ExperimentResult:
    """Run an experiment, or several as one.

    Args:
        definition: Its YAML file.
        configuration: Values for its `configuration` block, by name; no secrets.
        drill_dir: Where `experiment.json`, `journal.json` and `experiment.log` are written.
        environment: Further environment variables for its process; whatever carries all of them ends with it.
        deadline_s: Then it gets SIGTERM, and SIGKILL 30 s later.
        followed_by: Files of experiments whose methods come after its own, before anything is put back.
    """
    rendered = drill_dir / "experiment.json"
    write_json(rendered, _render([definition, *followed_by], configuration))
    journal = drill_dir / "journal.json"
    command = leash.command(os.getpid(), "drillbook.run.experiment_process", str(rendered), str(journal))
    late = False
    with (drill_dir / "experiment.log").open("ab") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            env={**os.environ, **environment},
        )  # fmt: skip
        try:
            process.wait(deadline_s)
        except subprocess.TimeoutExpired:
            late = True
        finally:
            _end(process)
            # What it had started, such as a helm that is still installing, acts no further.
            processes.end(environment)
    problems = [f"the experiment did not end within {deadline_s:g} s"] if late else []
    if process.returncode != 0:
        problems.append(f"the experiment's process ended with {process.returncode}; see {drill_dir / 'experiment.log'}")
    if not journal.is_file():
        return ExperimentResult((), (*problems, "the experiment left no journal"))
    return read_journal(json.loads(journal.read_text(encoding="utf-8")), problems)


def read_journal(journal: Mapping[str, Any], problems: list[str]) -> ExperimentResult:
    """Every activity of a journal, and every sign in it that something did not go as it should."""
    activities = tuple(_activities(journal))
    found = list(problems)
    if journal.get("status") != "completed":
        found.append(f"the experiment ended as {journal.get('status')!r}")
    if journal.get("deviated"):
        found.append("the steady state deviated")
    found += [f"{a.section}: {a.name} failed: {a.error}" for a in activities if not a.succeeded]
    return ExperimentResult(activities, tuple(found))


def _activities(journal: Mapping[str, Any]) -> Iterator[Activity]:
    states: dict[str, Any] = journal.get("steady_states") or {}
    for section in ("before", "after"):
        for entry in cast("list[dict[str, Any]]", (states.get(section) or {}).get("probes", [])):
            yield _activity(section, entry)
    for section, key in (("method", "run"), ("rollbacks", "rollbacks")):
        for entry in cast("list[dict[str, Any]]", journal.get(key) or []):
            yield _activity(section, entry)


def _activity(section: str, entry: Mapping[str, Any]) -> Activity:
    activity = entry.get("activity", {})
    exception: Any = entry.get("exception") or [""]
    # Chaos Toolkit gives the lines of a traceback; the last one says what was wrong.
    text = str(cast("list[object]", exception)[-1] if isinstance(exception, list) else exception)
    tolerated = entry.get("tolerance_met", True)
    succeeded = entry.get("status") == "succeeded" and tolerated is not False
    return Activity(
        section, str(activity.get("name", "")), str(activity.get("type", "")), succeeded, entry.get("output"),
        float(entry.get("duration") or 0.0), text.strip() or ("" if succeeded else f"status {entry.get('status')}"),
    )  # fmt: skip


def _render(definitions: Sequence[Path], configuration: Mapping[str, str]) -> dict[str, Any]:
    """The experiments, as one, with their configuration filled in; a value that nobody gives is an error."""
    loader = YAML(typ="safe", pure=True)
    documents = [cast("dict[str, Any]", loader.load(path.read_text(encoding="utf-8"))) for path in definitions]
    names = " and ".join(path.name for path in definitions)
    declared: dict[str, Any] = {}
    for document in documents:
        declared |= document.get("configuration") or {}
    if unknown := set(configuration) - set(declared):
        raise ValueError(f"{names} has no configuration {', '.join(sorted(unknown))}")
    filled: dict[str, Any] = {**declared, **configuration}
    if missing := sorted(name for name, value in filled.items() if value is None):
        raise ValueError(f"{names} needs values for {', '.join(missing)}")
    method = [activity for document in documents for activity in document["method"]]
    title = ", then: ".join(str(document["title"]) for document in documents)
    return {**documents[0], "title": title, "method": method, "configuration": filled}


def _end(process: subprocess.Popen[bytes]) -> None:
    """Leave no process of the experiment behind, however this block is left."""
    if process.poll() is not None:
        return
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(_KILL_AFTER_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)
