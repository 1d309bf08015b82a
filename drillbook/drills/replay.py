"""A drill made again from its run's folder: its ports answer what was kept, and nothing is asked, changed or written.

The sentences of the scenario then compute from the raw data what they computed when the drill ran.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from drillbook import wiring
from drillbook.domain.measurement import Window
from drillbook.domain.migration.script import Linted
from drillbook.domain.pipeline import Pipeline
from drillbook.domain.undo import Change, latest
from drillbook.drills import topology
from drillbook.drills.drill import Drill
from drillbook.drills.inspection import MIGRATIONS_FILE, PIPELINE_FILE, Inspection
from drillbook.drills.seen import Seen
from drillbook.drivers import prometheus
from drillbook.platform import Platform
from drillbook.ports import Observation, SlotStatus
from drillbook.run import environment as environments
from drillbook.run.folder import ENVIRONMENT, FolderError, read_lines
from drillbook.run.timeline import Event, Timeline
from drillbook.run.yaml_file import EnvironmentFileError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from drillbook.domain.verdict import Judgement
    from drillbook.ports import Clock, Sample
    from drillbook.run.session import Session


class NotKept(Exception):
    """The folder lacks what this would have to be computed from; the text says what."""


def drill(run: Path, id_: str, document: Mapping[str, Any]) -> Drill:
    """A drill as its folder tells it, before anything was judged.

    Args:
        run: The run's folder.
        id_: Name of the drill's folder.
        document: What its `drill.json` holds.

    Raises:
        NotKept: When the folder does not say enough to make it again.
    """
    try:
        environment = environments.recorded(run / ENVIRONMENT)
        lines = [Event(**line) for line in read_lines(run / "timeline.jsonl") if line["drill"] == id_]
        story = _Story(lines)
        seen, started_s = document["seen"], float(document["started_s"])
        window = None if seen["window"] is None else Window(*map(float, seen["window"]))
        answers = _Answers.read(run / "drills" / id_ / "queries")
    except (EnvironmentFileError, FolderError, OSError) as error:
        raise NotKept(str(error)) from error
    except (KeyError, TypeError, ValueError) as error:
        raise NotKept(f"drill.json or the timeline lacks what a drill is made again from: {error!r}") from error
    targets = _Targets(story)
    nothing: Any = _Absent()
    platform = Platform(
        environment=environment,
        clock=story,
        router=cast("Any", targets),
        releaser=nothing,
        cluster=cast("Any", targets),
        metrics=answers,
        series=wiring.series_of(environment),
        client=nothing,
        store=nothing,
        left=nothing,
        lock=nothing,
        workload=nothing,
        smoke=nothing,
    )
    made = Drill(
        session=cast("Session", _Session(_Folder(run), story)),
        platform=platform,
        id=id_,
        feature=str(document["feature"]),
        scenario=str(document["scenario"]),
        description=str(document["description"]),
        tags=[str(tag) for tag in document["tags"]],
        timeline=_Timeline(run / "timeline.jsonl", id_, story),
        journal=nothing,
        started_s=started_s,
        sentences=[str(sentence) for sentence in document["sentences"]],
        release=str(seen["release"]),
    )
    made.seen = _Seen(platform, made.folder, made.timeline, started_s, str(seen["live"]), int(seen["other_writes"]))
    made.seen.story = story
    if window is not None:
        made.seen.window = window
    return made


def inspection(run: Path, id_: str, document: Mapping[str, Any]) -> Inspection:
    """A scenario about files as its folder tells it, before anything was judged.

    Raises:
        NotKept: When the folder does not say enough to make it again.
    """
    try:
        environment = environments.recorded(run / ENVIRONMENT)
        lines = [Event(**line) for line in read_lines(run / "timeline.jsonl") if line["drill"] == id_]
        story = _Story(lines)
        return _Inspected(
            session=cast("Session", _Session(_Folder(run), story)),
            environment=environment,
            id=id_,
            feature=str(document["feature"]),
            scenario=str(document["scenario"]),
            description=str(document["description"]),
            tags=[str(tag) for tag in document["tags"]],
            timeline=_Timeline(run / "timeline.jsonl", id_, story),
            started_s=float(document["started_s"]),
            sentences=[str(sentence) for sentence in document["sentences"]],
        )
    except (EnvironmentFileError, FolderError, OSError) as error:
        raise NotKept(str(error)) from error
    except (KeyError, TypeError, ValueError) as error:
        raise NotKept(f"drill.json or the timeline lacks what it is made again from: {error!r}") from error


class _Inspected(Inspection):
    """Reads what was kept of the files, and asks the gate about the runs that it was asked about."""

    def read_pipeline(self) -> None:
        path = self.folder / PIPELINE_FILE
        if not path.is_file():
            raise NotKept(f"{PIPELINE_FILE} is not there")
        self.look_at(Pipeline.from_document(json.loads(path.read_bytes())))

    def read_migrations(self) -> None:
        path = self.folder / MIGRATIONS_FILE
        if not path.is_file():
            raise NotKept(f"{MIGRATIONS_FILE} is not there")
        self.look_at_migrations([Linted.from_document(one) for one in json.loads(path.read_bytes())["migrations"]])

    def ask_gate(self, ending: str) -> None:
        asked = [event for event in cast("_Story", self.session.clock).lines if event.data.get("activity") == "gate"]
        if not asked:
            raise NotKept("the timeline does not say when the gate was asked")
        self.ask_gate_at(ending, float(asked[0].data["asked_s"]))


def judge_the_way_back(drill: Drill) -> None:
    """The checks that a drill makes by itself when it ends, from the undo journal and the timeline.

    Raises:
        NotKept: When what was seen last is not on the timeline.
    """
    changes = [Change.from_document(line) for line in read_lines(drill.timeline.path.with_name("undo.jsonl"))]
    drill.check_restored(sum(change.stage.open for change in latest(changes) if change.drill == drill.id))
    if not drill.seen.live:
        return
    looks = [event for event in drill.seen.events if event.data.get("activity") == "starting_state"]
    if not looks:
        raise NotKept("the timeline does not say in which state the platform was found when the drill ended")
    last = looks[-1]
    data = last.data
    whole = 0 < data["desired"] == data["ready"] == data["pods"] and data["version"] == drill.seen.live
    # Runs that were made before the public was asked do not say whether it was served.
    as_before = whole and not data["others"] and not data.get("unserved")
    drill.check_starting_state(Observation(as_before, last.text, last.t_s))
    if topology.told(drill.seen.events):
        drill.check_topology()


@dataclass(slots=True)
class _Story:
    """The timeline up to the check that is made again next; it is the clock as well."""

    lines: Sequence[Event]
    _checks: int = 0

    def so_far(self) -> list[Event]:
        """What had been written when the next check was made."""
        return sorted(self.lines[: self._next()], key=lambda event: event.t_s)

    def goes_on(self) -> None:
        """A check was made again."""
        self._checks += 1

    def now(self) -> float:
        """When the next check was written down."""
        place = self._next()
        return self.lines[min(place, len(self.lines) - 1)].t_s

    def sleep(self, seconds: float) -> None:
        """What was waited for has happened."""

    def _next(self) -> int:
        places = [number for number, event in enumerate(self.lines) if event.data.get("activity") == "check"]
        return places[self._checks] if self._checks < len(places) else len(self.lines)


@dataclass(frozen=True, slots=True)
class _Timeline(Timeline):
    """Writes nothing."""

    def record(self, kind: Any, text: str, *, at_s: float | None = None, **data: Any) -> Event:
        if data.get("activity") == "check":
            cast("_Story", self.clock).goes_on()
        return Event(self.clock.now() if at_s is None else at_s, self.drill, kind, text, data)


class _Seen(Seen):
    """Sees no further than the check that is made again."""

    story: _Story

    @property
    def events(self) -> list[Event]:
        return self.story.so_far()


@dataclass(slots=True)
class _Answers:
    """Prometheus as it answered then: each question for the same moment in the order in which it was asked."""

    _kept: dict[tuple[str, float], list[Mapping[str, Any]]]

    @classmethod
    def read(cls, folder: Path) -> _Answers:
        kept: dict[tuple[str, float], list[Mapping[str, Any]]] = {}
        for path in sorted(folder.glob("*.json"), key=lambda path: (len(path.name), path.name)):
            document = cast("dict[str, Any]", json.loads(path.read_bytes()))
            kept.setdefault((str(document["promql"]), float(document["at_s"])), []).append(document)
        return cls(kept)

    def query(self, promql: str, *, at_s: float | None = None) -> Sequence[Sample]:
        found = self._kept.get((promql, at_s)) if at_s is not None else None
        if not found:
            raise NotKept(f"no answer of Prometheus was kept for {promql!r} at {at_s}")
        return prometheus.kept(found.pop(0) if len(found) > 1 else found[0])


@dataclass(slots=True)
class _Targets:
    """The slot that had the public, and its pods, as they were seen then."""

    _story: _Story
    _looks: int = 0

    def weights(self) -> dict[str, int]:
        return {str(self._look().data["slot"]): 100}

    def slot(self, slot: str) -> SlotStatus:
        look = self._look()
        self._looks += 1
        return SlotStatus(slot, "", 0, 0, (), tuple(map(str, look.data["addresses"])))

    def _look(self) -> Event:
        looks = [event for event in self._story.lines if event.data.get("activity") == "targets"]
        if self._looks >= len(looks):
            raise NotKept("the timeline does not say which pods had the public when the servers' counts were read")
        return looks[self._looks]


class _Absent:
    """A port that keeps no record."""

    def __getattr__(self, name: str) -> Any:
        raise NotKept(f"this asks the live platform ({name}), and what it answered was not kept")

    def __call__(self, *_arguments: Any) -> Any:
        raise NotKept("this asks the live platform, and what it answered was not kept")


@dataclass(frozen=True, slots=True)
class _Folder:
    path: Path

    def drill(self, drill_id: str) -> Path:
        return self.path / "drills" / drill_id

    def record_check(self, drill: str, judgement: Judgement) -> None:
        """It stays in memory."""


@dataclass(frozen=True, slots=True)
class _Session:
    folder: _Folder
    clock: Clock
    verdicts: list[Judgement] = field(default_factory=list[Any])
