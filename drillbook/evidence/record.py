"""What a run's folder says, as frozen values; conclusions are drawn here and nowhere later."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from drillbook.domain.verdict import Judgement, Verdict, merge

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from drillbook.domain.undo import Change
    from drillbook.evidence.traffic import Traffic


@dataclass(frozen=True, slots=True)
class Note:
    """Something about the evidence itself that a reader has to know.

    Attributes:
        where: File, relative to the run's folder, or what else it is about.
        text: A sentence.
        withholds: Whether a PASS that rests on it cannot be believed.
    """

    where: str
    text: str
    withholds: bool = True


@dataclass(frozen=True, slots=True)
class Event:
    """An entry of the timeline.

    Attributes:
        t_s: Seconds since the epoch on the run's clock.
        kind: `intent`, `injected`, `observed`, `detected`, `decided`, `recovered` or `note`.
        text: For people.
        data: For programs.
    """

    t_s: float
    kind: str
    text: str
    data: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @property
    def activity(self) -> str:
        """What it belongs to, in words; empty when it does not say."""
        name = self.data.get("activity") or self.data.get("action")
        return str(name).replace("_", " ").replace("-", " ") if name else ""


@dataclass(frozen=True, slots=True)
class Check:
    """An objective held against a measurement, twice.

    Attributes:
        recorded: As the run judged.
        again: As the same values are judged now.
    """

    recorded: Judgement
    again: Judgement

    @property
    def verdict(self) -> Verdict:
        """The worse of both."""
        return merge((self.recorded.verdict, self.again.verdict))

    @property
    def reason(self) -> str:
        """Why; says so when both differ."""
        if self.recorded.verdict is self.again.verdict:
            return self.recorded.reason
        return (
            f"recorded as {self.recorded.verdict} ({self.recorded.reason}), and judged again by the same values it is "
            f"{self.again.verdict} ({self.again.reason})"
        )


@dataclass(frozen=True, slots=True)
class Step:
    """An activity of the experiment, from Chaos Toolkit's journal.

    Attributes:
        section: `before`, `method`, `after` or `rollbacks`.
        name: Of the activity.
        kind: `action` or `probe`.
        status: Chaos Toolkit's word: `succeeded`, `failed` ...
        duration_s: Seconds; None when unknown.
        output: What it answered, as text of limited length.
        error: What was raised; empty otherwise.
    """

    section: str
    name: str
    kind: str
    status: str
    duration_s: float | None
    output: str
    error: str


@dataclass(frozen=True, slots=True)
class Query:
    """A question to Prometheus with its raw answer.

    Attributes:
        file: Relative to the run's folder.
        promql: The question.
        at_s: For which moment; None when the file does not say.
        took_s: Seconds until the answer.
        status: HTTP status, or what else came.
        body: The raw answer, of limited length.
    """

    file: str
    promql: str
    at_s: float | None
    took_s: float | None
    status: str
    body: str


@dataclass(frozen=True, slots=True)
class DrillRecord:
    """One drill.

    Attributes:
        id: Name of its folder.
        feature: Title of the feature.
        scenario: Name of the scenario.
        description: The promise in the feature's words.
        tags: Of the scenario.
        requirements: Ids of the promises that it is about.
        started_s: Seconds since the epoch; None when unknown.
        finished_s: Likewise.
        recorded: Its verdict as the run wrote it; None when it wrote none.
        error: What ended it or kept it from passing; empty when nothing did.
        checks: Everything that was judged.
        events: Its timeline, in the order of time.
        steps: Its experiment.
        experiment: Title of the experiment; empty when there was none.
        queries: What Prometheus was asked.
        queries_left_out: Files of questions that are there and not in `queries`.
        traffic: What the load saw; None when there was none, or none that can be read.
        source: Name of the feature's file without its ending, when recorded.
        let_stay: Version of the release that it was to let stay; empty for none.
        withheld: For which reasons beside its checks it proved nothing, as it wrote them down.
        unused: Whether it came to its end and says that no users were put there.
        sentences: The scenario's that were begun, each with `given`, `when` or `then` before it; none in older records.
        notes: About its evidence.
    """

    id: str
    feature: str
    scenario: str
    description: str
    tags: tuple[str, ...]
    requirements: tuple[str, ...]
    started_s: float | None
    finished_s: float | None
    recorded: Verdict | None
    error: str
    checks: tuple[Check, ...] = ()
    events: tuple[Event, ...] = ()
    steps: tuple[Step, ...] = ()
    experiment: str = ""
    queries: tuple[Query, ...] = ()
    queries_left_out: int = 0
    traffic: Traffic | None = None
    source: str = ""
    let_stay: str = ""
    withheld: tuple[str, ...] = ()
    unused: bool = False
    sentences: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """As recorded, and never better than what the evidence still shows."""
        verdicts = [check.verdict for check in self.checks]
        verdicts.append(self.recorded or Verdict.INCONCLUSIVE)
        if self.doubts:
            verdicts.append(Verdict.INCONCLUSIVE)
        return merge(verdicts)

    @property
    def doubts(self) -> tuple[str, ...]:
        """Why it could not pass even if every check did."""
        found = [f"{note.where}: {note.text}" for note in self.notes if note.withholds]
        if self.recorded is None:
            found.append("the drill ended without a verdict of its own")
        if not self.checks:
            found.append("nothing was judged")
        if self.error and not any(check.verdict is not Verdict.PASS for check in self.checks):
            found.append(self.error)
        else:
            found += self.withheld
        return tuple(found)

    @property
    def reasons(self) -> tuple[str, ...]:
        """What decided the verdict, broken promises first; empty for a PASS."""
        worst = [
            f"{check.recorded.objective.statement}: {check.reason}"
            for verdict in (Verdict.FAIL, Verdict.INCONCLUSIVE)
            for check in self.checks
            if check.verdict is verdict
        ]
        reasons = (*worst, *self.doubts)
        if not reasons and self.verdict is not Verdict.PASS:
            return (f"recorded as {self.recorded}, and its record does not say why",)
        return reasons

    @property
    def duration_s(self) -> float | None:
        """Seconds; None when it did not finish."""
        if self.started_s is None or self.finished_s is None:
            return None
        return self.finished_s - self.started_s

    @property
    def heard_of_s(self) -> float | None:
        """When it ended, else was last heard of, in seconds since the epoch; None when unknown."""
        if self.finished_s is not None:
            return self.finished_s
        times = [self.started_s or 0.0, *(event.t_s for event in self.events)]
        return max(times) or None

    def proof_of(self, requirement: str) -> Verdict:
        """What it shows about one promise: its own checks of it, where it has any; else all of it."""
        own = [check.verdict for check in self.checks if requirement in check.recorded.objective.requirements]
        if not own:
            return self.verdict
        return merge((*own, Verdict.INCONCLUSIVE)) if self.doubts else merge(own)


@dataclass(frozen=True, slots=True)
class RawFile:
    """A file of the run's folder.

    Attributes:
        path: Relative to the folder.
        size: Bytes.
        sha256: In hexadecimal; empty where the file may still grow.
    """

    path: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Continued:
    """A run that was ended before its time, and that another goes on with.

    Attributes:
        run_id: Which.
        envelope: SHA-256 of what was signed about it; empty when nothing was.
        again: Names of its drills that were begun there and drilled again.
    """

    run_id: str
    envelope: str = ""
    again: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run.

    Attributes:
        path: Its folder.
        run_id: Its id.
        drillbook_version: Which release of the harness wrote it.
        environment: Name, tier, file and digest, as recorded.
        environment_file: The environment's description as it was.
        who: User and host.
        started_s: Seconds since the epoch; None when unknown.
        finished_s: None when it did not finish.
        recorded: Its verdict as the run wrote it; None when it wrote none.
        exit_code: As the run wrote it.
        requested: Drills that were asked for.
        missing: Those of them that left no record.
        versions: Of what was involved.
        drills: In the order in which they started.
        undo: The last state of every change that was made.
        events: Of the timeline, that belong to no drill.
        files: Everything in the folder.
        notes: About the evidence of the run as a whole.
        approval: Who approved it and why; empty where none was asked for, or none is recorded.
        continues: The run that it goes on with, what was signed about that, and which of its drills were begun again;
            None when it began by itself.
        left_out: Drills that another run has there, and this one not.
    """

    path: Path
    run_id: str
    drillbook_version: str
    environment: Mapping[str, str]
    environment_file: str
    who: Mapping[str, str]
    started_s: float | None
    finished_s: float | None
    recorded: Verdict | None
    exit_code: int | None
    requested: tuple[str, ...]
    missing: tuple[str, ...]
    versions: Mapping[str, str]
    drills: tuple[DrillRecord, ...]
    undo: tuple[Change, ...]
    events: tuple[Event, ...]
    files: tuple[RawFile, ...]
    notes: tuple[Note, ...]
    approval: Mapping[str, str] = field(default_factory=dict[str, str])
    continues: Continued | None = None
    left_out: tuple[str, ...] = ()

    @property
    def doubts(self) -> tuple[str, ...]:
        """Why the run could not pass even if every drill did."""
        found = [f"{note.where}: {note.text}" for note in self.notes if note.withholds]
        found += [f"{name} was asked for and left no record" for name in self.missing]
        if not self.drills:
            found.append("no drill left a record")
        if self.recorded is None:
            found.append("the run ended without a verdict of its own")
        elif self.exit_code is not None and self.exit_code != self.recorded.exit_code:
            found.append(f"the run recorded {self.recorded} and ended with exit code {self.exit_code}")
        return tuple(found)

    @property
    def verdict(self) -> Verdict:
        """As recorded, and never better than what the evidence still shows."""
        verdicts = [drill.verdict for drill in self.drills]
        verdicts.append(self.recorded or Verdict.INCONCLUSIVE)
        if self.doubts:
            verdicts.append(Verdict.INCONCLUSIVE)
        return merge(verdicts)

    @property
    def duration_s(self) -> float | None:
        """Seconds; None when it did not finish."""
        if self.started_s is None or self.finished_s is None:
            return None
        return self.finished_s - self.started_s

    @property
    def began_s(self) -> float | None:
        """When it began itself, in seconds since the epoch; None when unknown.

        One that goes on with another is recorded as begun when that was.
        """
        if self.continues is None:
            return self.started_s
        newest_s = max((drill.heard_of_s or 0.0 for drill in self.drills), default=0.0)
        return _stamped_s(self.run_id) or newest_s or self.started_s

    def requirements(self) -> dict[str, Verdict]:
        """Every promise that a drill of this run is about, with what the drills together show of it."""
        ids = {name for drill in self.drills for name in _requirements(drill)}
        return {
            name: merge(self.proof_of(name, drill) for drill in self.drills if name in _requirements(drill))
            for name in sorted(ids)
        }

    def proof_of(self, requirement: str, drill: DrillRecord) -> Verdict:
        """What one of its drills shows about one promise; damage to the evidence of the run as a whole withholds it."""
        found = drill.proof_of(requirement)
        withheld = found is Verdict.PASS and any(note.withholds for note in self.notes)
        return Verdict.INCONCLUSIVE if withheld else found


def _stamped_s(run_id: str) -> float | None:
    """The moment by which a run's folder is named, in seconds since the epoch; None when it is named otherwise."""
    try:
        return datetime.strptime(run_id.partition("-")[0], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None


def _requirements(drill: DrillRecord) -> set[str]:
    return {*drill.requirements, *(name for check in drill.checks for name in check.recorded.objective.requirements)}
