"""One scenario about files: it looks, touches no platform and needs none."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from drillbook.afterwards import gate
from drillbook.domain import pipeline_checks
from drillbook.domain.interval import Interval
from drillbook.domain.measurement import Measurement, Window
from drillbook.domain.migration import rules
from drillbook.domain.pipeline import NotAPipeline
from drillbook.domain.verdict import Judgement, Objective, Verdict, judge, merge
from drillbook.drills.seen import NotOffered, NotReady
from drillbook.ports import Unreachable
from drillbook.run import pipeline_file
from drillbook.run.folder import write_json
from drillbook.run.stopping import told
from drillbook.wiring import migration_scripts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from drillbook.domain.environment import Environment
    from drillbook.domain.migration.script import Linted
    from drillbook.domain.pipeline import Pipeline
    from drillbook.run.session import Session
    from drillbook.run.timeline import Timeline

PIPELINE_FILE = "pipeline.json"
"""The pipeline as it was read, in the scenario's folder."""
MIGRATIONS_FILE = "migrations.json"
"""Likewise the migrations, with what the linter of statements said of each."""

_YESTERDAY_S = 86_400.0


@dataclass(slots=True)
class Inspection:
    """A scenario about files that is going on.

    Attributes:
        session: The run.
        environment: Whose files.
        id: Its id within the run.
        feature: Title of the feature.
        scenario: Name of the scenario.
        tags: Of the feature and the scenario.
        description: Of the feature.
        timeline: The run's, under this scenario's name.
        started_s: When it began.
        sentences: The scenario's that were begun, each with `given`, `when` or `then` before it.
        judgements: Its checks so far.
        doubts: Reasons for which nothing may be proved, beside the checks.
        unjudged: What kept sentences from being judged, behind the first that raised.
    """

    session: Session
    environment: Environment
    id: str
    feature: str
    scenario: str
    description: str
    tags: Sequence[str]
    timeline: Timeline
    started_s: float
    sentences: list[str] = field(default_factory=list[str])
    judgements: list[Judgement] = field(default_factory=list[Judgement])
    doubts: list[str] = field(default_factory=list[str])
    unjudged: list[str] = field(default_factory=list[str])
    _missing: list[str] = field(default_factory=list[str])
    _pipeline: Pipeline | None = None
    _migrations: Sequence[Linted] | None = None
    _ruling: gate.Ruling | None = None

    @property
    def folder(self) -> Path:
        """Where its evidence goes."""
        return self.session.folder.drill(self.id)

    @property
    def requirements(self) -> tuple[str, ...]:
        """Ids of the promises that it proves."""
        return tuple(tag for tag in self.tags if tag.partition("-")[2][:1].isdigit())

    # The pipeline.

    def read_pipeline(self) -> None:
        """The environment's pipeline; as it was read it is kept.

        Raises:
            NotReady: When the environment names none, or it cannot be read.
        """
        path = self.environment.pipeline
        if path is None:
            raise NotOffered(f"not proved here: {self.environment.name} names no pipeline; name its .gitlab-ci.yml")
        kept = self.folder / PIPELINE_FILE
        try:
            self._pipeline = pipeline_file.read(path)
        except NotAPipeline as error:
            raise NotReady(f"nobody can tell what the pipeline does: {error}") from error
        write_json(kept, self._pipeline.as_document())
        self.timeline.record("observed", f"{path.name} has {len(self._pipeline.jobs)} jobs", activity="pipeline")

    def look_at(self, pipeline: Pipeline) -> None:
        """Judge this pipeline, which was read before."""
        self._pipeline = pipeline

    def check_tests(self, stages: int) -> Judgement:
        """Production waits for tests of so many stages."""
        needed = partial(pipeline_checks.tested, stages=stages)
        return self._check_production("pipeline.tests", f"production waits for tests of {stages} stages", needed)

    def check_scanners(self) -> Judgement:
        """Production waits for scans of every kind."""
        kinds = ", ".join(pipeline_checks.SCANNERS)
        statement = f"production waits for scans of {kinds}, which fail on a finding"
        return self._check_production("pipeline.scanners", statement, pipeline_checks.scanned)

    def check_gate(self) -> Judgement:
        """Production waits for a drill and its gate."""
        statement = "production waits for a gate behind a drill, closed on FAIL and on INCONCLUSIVE"
        return self._check_production("pipeline.gate", statement, pipeline_checks.drilled)

    def check_approval(self) -> Judgement:
        """Production waits for a person, who is asked behind the gate."""
        statement = "production waits for a person's approval, asked for behind the gate"
        return self._check_production("pipeline.approval", statement, pipeline_checks.approved)

    def check_nightly(self) -> Judgement:
        """Schedules drill, keep the evidence and put back."""
        statement = "each schedule drills, fails on FAIL, warns of INCONCLUSIVE, keeps evidence and puts back"
        return self._check("pipeline.nightly", statement, pipeline_checks.nightly)

    # The migrations.

    def read_migrations(self) -> None:
        """The environment's migrations; as they were read and linted they are kept.

        Raises:
            NotReady: When the environment names none, or they cannot be read.
        """
        named = self.environment.migrations
        if named is None:
            raise NotOffered(
                f"not proved here: {self.environment.name} names no migrations; name Alembic's folder under "
                "migrations.scripts"
            )
        kept = self.folder / MIGRATIONS_FILE
        try:
            found = migration_scripts.linted(named.scripts)
        except Unreachable as error:
            raise NotReady(str(error)) from error
        write_json(kept, {"migrations": [asdict(one) for one in found]})
        self.timeline.record("observed", f"there are {len(found)} migrations", activity="migrations")
        self.look_at_migrations(found)

    def look_at_migrations(self, found: Sequence[Linted]) -> None:
        """Judge these, which were read before."""
        self._migrations = found

    def check_migrations(self, about: str) -> Judgement:
        """No migration breaks a rule about this."""
        if self._migrations is None:
            raise NotReady("the migrations were not read")
        wrong = [str(one) for one in rules.lint(self._migrations) if one.rule in rules.about(about)]
        id_ = f"migrations.{about.partition(' ')[0]}"
        return self.check(id_, f"every migration {about}", wrong, source="migrations")

    # The gate.

    def ask_gate(self, ending: str) -> None:
        """Ask the gate for a release of this moment about a run with such an ending."""
        run = self._asked_about(ending)
        run.mkdir(parents=True)
        now_s = time.time()
        document = _record(ending, self.environment.name, now_s)
        if document is not None:
            write_json(run / gate.VERDICT_FILE, document)
        ruling = self.ask_gate_at(ending, now_s)
        text = f"a run that {ending}: the gate is {ruling.text}"
        self.timeline.record("observed", text, activity="gate", asked_s=now_s)

    def ask_gate_at(self, ending: str, now_s: float) -> gate.Ruling:
        """Ask the gate at that moment, in seconds since the epoch, about the run with such an ending that is kept."""
        demands = gate.Demands(self.environment.name, "the candidate", now_s - 3600.0, 3600.0)
        self._ruling = gate.decide(self._asked_about(ending), demands, now_s=now_s)
        return self._ruling

    def check_answer(self, *, opens: bool) -> Judgement:
        """The gate let the release through, or did not."""
        ruling = self._ruling
        if ruling is None:
            raise NotReady("the gate was not asked")
        wrong = [] if ruling.promotes is opens else [f"it is {ruling.text}"]
        statement = "the gate lets the release through" if opens else "the gate keeps the release back"
        return self.check("gate.answer", statement, wrong, source="gate")

    # How it ends; as of a drill.

    def check(
        self, id_: str, statement: str, missing: Sequence[str], *, source: str, doubts: Sequence[str] = ()
    ) -> Judgement:
        """Nothing may be missing; what is, is told one by one."""
        window = Window(self.started_s, self.session.clock.now())
        count = Interval.exactly(len(missing))
        measured = Measurement(f"what {source} lacks", count, "gaps", 1, window, source, tuple(doubts))
        judgement = judge(Objective(id_, statement, "at_most", 0, "gaps", self.requirements), measured)
        self.judgements.append(judgement)
        self.session.folder.record_check(self.id, judgement)
        for sentence in missing:
            self.timeline.record("detected", sentence, activity="check", objective=id_)
        text = f"{judgement.verdict}: {statement}: {judgement.reason}"
        self.timeline.record("note", text, activity="check", verdict=str(judgement.verdict), objective=id_)
        self._missing += missing
        return judgement

    def finish(self, error: BaseException | None) -> Verdict:
        """Reach the verdict and write it down."""
        verdicts = [judgement.verdict for judgement in self.judgements]
        if error is not None or self.doubts or not verdicts:
            verdicts.append(Verdict.INCONCLUSIVE)
        verdict = merge(verdicts)
        self.session.finish_drill(self.id, self._document(error), verdict)
        return verdict

    def reasons(self, error: BaseException | None = None) -> list[str]:
        """Why it did not pass."""
        bad = [
            f"{judgement.verdict}: {judgement.objective.statement}: {judgement.reason}"
            for judgement in self.judgements
            if judgement.verdict is not Verdict.PASS
        ]
        raised = [told(error)] if error is not None else []
        others = [f"{Verdict.INCONCLUSIVE}: {reason}" for reason in (*self.doubts, *raised, *self.unjudged)]
        return [*bad, *self._missing, *others]

    def _asked_about(self, ending: str) -> Path:
        return self.folder / "gate" / ending.replace(" ", "-")

    def _check_production(self, id_: str, statement: str, needed: Any) -> Judgement:
        return self._check(id_, statement, lambda pipeline: pipeline_checks.of_production(pipeline, needed))

    def _check(self, id_: str, statement: str, look: Callable[[Pipeline], list[str]]) -> Judgement:
        pipeline = self._pipeline
        if pipeline is None:
            raise NotReady("the pipeline was not read")
        try:
            found = look(pipeline)
        except NotAPipeline as error:
            return self.check(id_, statement, (), source="pipeline", doubts=(str(error),))
        missing = [sentence for sentence in found if sentence not in pipeline.unseen]
        return self.check(id_, statement, missing, source="pipeline", doubts=pipeline.unseen)

    def _document(self, error: BaseException | None) -> dict[str, Any]:
        return {
            "feature": self.feature,
            "scenario": self.scenario,
            "description": self.description,
            "tags": list(self.tags),
            "requirements": list(self.requirements),
            "started_s": self.started_s,
            "finished_s": self.session.clock.now(),
            "error": "\n".join(self.reasons(error)) or None,
            "sentences": list(self.sentences),
            "doubts": list(self.doubts),
            "raised": None if error is None else told(error),
            "unjudged": list(self.unjudged),
        }


def _record(ending: str, environment: str, now_s: float) -> Mapping[str, Any] | None:
    """The verdict file of a run that has ended so; None when it left none.

    Raises:
        NotReady: When nobody knows such an ending.
    """
    verdict = Verdict.FAIL if ending == "failed" else Verdict.PASS
    if ending == "was inconclusive":
        verdict = Verdict.INCONCLUSIVE
    passed = {
        "run_id": f"one that {ending}", "environment": {"name": environment}, "requested": ["a drill"],
        "released": ["the candidate"], "started_s": now_s - 600.0, "finished_s": now_s - 60.0, "verdict": str(verdict),
        "exit_code": verdict.exit_code, "interrupted": False, "drilled": 1,
    }  # fmt: skip
    before = {"started_s": now_s - _YESTERDAY_S - 600.0, "finished_s": now_s - _YESTERDAY_S}
    changes: dict[str, Mapping[str, Any] | None] = {
        "passed": {}, "failed": {}, "was inconclusive": {}, "left no verdict": None,
        "died": {"verdict": None, "exit_code": None, "finished_s": None},
        "was interrupted": {"interrupted": True},
        "passed a day ago": before,
        "passed in another environment": {"environment": {"name": f"not {environment}"}},
        "let another release stay": {"released": ["another"]},
    }  # fmt: skip
    if ending not in changes:
        raise NotReady(f"nobody knows a run that {ending}; there are those that {', '.join(changes)}")
    change = changes[ending]
    return None if change is None else {**passed, **change}
