"""One drill: its starting state, load, experiment, checks and the way back; the steps of the features speak to it."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from drillbook import wiring
from drillbook.domain.interval import Interval
from drillbook.domain.measurement import Measurement, Window
from drillbook.domain.scenarios import is_requirement
from drillbook.domain.verdict import Direction, Judgement, Objective, Verdict, judge, merge
from drillbook.drills import starting_state, topology
from drillbook.drills.seen import NotOffered, NotReady, Seen
from drillbook.ports import LockLost, Observation, Unreachable
from drillbook.run import experiment
from drillbook.run.action import wait_for
from drillbook.run.folder import DRILL_VARIABLE, FOLDER_VARIABLE
from drillbook.run.load import READ_BACK_S, Load, LoadError
from drillbook.run.stopping import told
from probes import faults, story

if TYPE_CHECKING:
    from collections.abc import Sequence

    from drillbook.domain.environment import Objectives
    from drillbook.domain.shape import Shape
    from drillbook.run.journal import Journal
    from drillbook.run.session import Session
    from drillbook.run.timeline import Timeline

EXPERIMENTS = Path(__file__).resolve().parents[2] / "experiments"
_LOAD_STARTS_WITHIN_S = 45.0
EXPERIMENT_DEADLINE_S = 300.0
"""Of an experiment that nothing of the environment makes longer."""
_LOOK_EVERY_S = 0.25
_STARTING_STATE_WITHIN_S = 120.0
_STARTS_WITHIN_S = 30.0
"""A way to the public that has just come back may lead a single user wrong: nothing is begun meanwhile."""


class DrillFailed(AssertionError):
    """A promise was broken; the text has every reason."""


class DrillInconclusive(AssertionError):
    """Nothing was proved; the text has every reason."""


@dataclass(slots=True)
class Drill:
    """One drill that is going on.

    Attributes:
        session: The run.
        platform: The environment's ports.
        id: Its id within the run.
        feature: Title of the feature.
        scenario: Name of the scenario.
        tags: Of the feature and the scenario.
        description: Of the feature.
        timeline: The run's, under this drill's name.
        journal: The run's undo journal.
        started_s: When it began.
        sentences: The scenario's that were begun, each with `given`, `when` or `then` before it.
        release: The version that the scenario is about; empty before it is named.
        let_stay: The version that it is to let stay, if it passes; empty when it shows none to be fit.
        seen: What its checks are computed from.
        judgements: Its checks so far.
        doubts: Reasons for which nothing may be proved, beside the checks.
        unjudged: What kept sentences from being judged, behind the first that raised.
        users_came: Whether a load had its first answer.
        read_back_s: For the look-up of the load's writes at its end; a drill of many minutes has many.
    """

    session: Session
    platform: wiring.Platform
    id: str
    feature: str
    scenario: str
    description: str
    tags: Sequence[str]
    timeline: Timeline
    journal: Journal
    started_s: float
    sentences: list[str] = field(default_factory=list[str])
    release: str = ""
    let_stay: str = ""
    seen: Seen = field(init=False)
    judgements: list[Judgement] = field(default_factory=list[Judgement])
    doubts: list[str] = field(default_factory=list[str])
    unjudged: list[str] = field(default_factory=list[str])
    users_came: bool = False
    read_back_s: float = READ_BACK_S
    _problems: list[str] = field(default_factory=list[str])
    _load: Load | None = None
    _companions: list[Load] = field(default_factory=list[Load])
    _load_began_s: float = 0.0
    _expected: set[str] = field(default_factory=set[str])

    def __post_init__(self) -> None:
        self.seen = Seen(self.platform, self.folder, self.timeline, self.started_s)

    @property
    def folder(self) -> Path:
        """Where its evidence goes."""
        return self.session.folder.drill(self.id)

    @property
    def requirements(self) -> tuple[str, ...]:
        """Ids of the promises that it proves."""
        return tuple(filter(is_requirement, self.tags))

    # What a scenario starts from.

    def start_from(self, release: str) -> None:
        """One slot has the public, whole and well, with this release; the other is empty.

        Raises:
            NotReady: When it is not so within 30 s.
        """
        self.seen.live = self.platform.version_of(release)
        began_s = self.session.clock.now()
        found = wait_for(self._starting_state, self.session.clock, deadline_s=_STARTS_WITHIN_S, pace_s=0.5)
        self.timeline.record(
            "note", f"seen after {found.at_s - began_s:.1f} s: {found.text}", activity="start", holds=found.holds,
            bounds=found.data.get("bounds", {}),
        )  # fmt: skip
        if not found.holds:
            raise NotReady(f"{found.text}; put the platform back with `drillbook recover`, or look at it yourself")
        report = self.platform.smoke(f"{self._prefix}-start").run(self.platform.live_slot(), times=1)
        self.seen.other_writes += report.writes
        if report.problems:
            raise NotReady(f"release {self.seen.live} is live and not well: {report.problems[0]}")

    def put_load_on(self, shape: Shape | None = None) -> None:
        """Users and the meter, in a shape or as usual; returns once they have their first answer."""
        self.start_load(self.folder / "load", shape)
        self._load_began_s = self.session.clock.now()
        self.seen.window = Window(self._load_began_s, self._load_began_s)
        self.timeline.record("note", "users and meter are on the platform", activity="load")

    def start_load(self, output: Path, shape: Shape | None = None, *, mark: str = "") -> Load:
        """Users and the meter in the place of those before, once they have their first answer.

        Args:
            output: Folder of their record.
            shape: Of their load; None for the usual rate, until they are told to end.
            mark: Sets the keys of their writes apart from those of the drill's other loads.
        """
        self.seen.other_writes += self.platform.seeds()
        plan = wiring.load_plan(self.platform.environment, self.session.clock, output, f"{self._prefix}{mark}")
        plan["read_back"] = {"deadline_s": self.read_back_s}
        if shape is not None:
            plan["meter"]["shape"] = shape.as_document()
        self._load = Load.start(plan, output)
        self._load.wait_running(deadline_s=_LOAD_STARTS_WITHIN_S)
        self.users_came = True
        return self._load

    @property
    def load(self) -> Load:
        """The process of its users.

        Raises:
            NotReady: When there is none.
        """
        if self._load is None:
            raise NotReady("no step put a load on the platform")
        return self._load

    def accompany(self, companion: Load) -> None:
        """A process beside the load, once it runs; it ends with the experiment."""
        self._companions.append(companion)
        companion.wait_running(deadline_s=_LOAD_STARTS_WITHIN_S)

    # What is done.

    def run_experiment(
        self, name: str, *followed_by: str, deadline_s: float = EXPERIMENT_DEADLINE_S, **configuration: str
    ) -> None:
        """To its end, those that follow it included, with its way back, under load; ended after `deadline_s`.

        The load is told to end once no user notices what is left to be put back: it looks its writes up meanwhile.
        """
        environment = {
            FOLDER_VARIABLE: str(self.session.folder.path.resolve()),
            DRILL_VARIABLE: self.id,
            wiring.ENVIRONMENT_VARIABLE: str(self.platform.environment.file),
            **self.session.clock.as_environment(),
        }
        ended = threading.Event()
        ending = threading.Thread(target=self._end_load_when_traffic_is_back, args=(ended,), name="end of load")
        ending.start()
        try:
            result = experiment.run(
                EXPERIMENTS / f"{name}.yaml", configuration, self.folder, environment, deadline_s=deadline_s,
                followed_by=[EXPERIMENTS / f"{other}.yaml" for other in followed_by],
            )  # fmt: skip
        finally:
            ended.set()
            ending.join()
        self._problems = list(result.problems)
        self.end_load()

    def expect(self, activity: str) -> None:
        """This activity is meant to end the experiment before its time, so that is no doubt about it."""
        self._expected.add(activity)
        self.let_stay = ""

    def expects(self, activity: str) -> bool:
        """Whether a sentence has said so."""
        return activity in self._expected

    # What is promised.

    @property
    def objectives(self) -> Objectives:
        """What the environment promises; a feature's number counts where it is stricter."""
        return self.platform.environment.objectives

    def latency_counted(self, limit_s: float) -> float:
        """The environment's latency in seconds, whose bucket is counted: what keeps it keeps a looser one as well.

        Raises:
            NotOffered: When the sentence's is stricter.
        """
        counted_s = self.objectives.latency_s
        if counted_s > limit_s:
            raise NotOffered(
                f"the feature promises a latency of {limit_s:g} s and the environment counts those within "
                f"{counted_s:g} s: make objectives.latency {limit_s:g} s or less"
            )
        return counted_s

    def tell_stages(self) -> None:
        """Write down how long each stage of the way back took."""
        found = story.stages(self.seen.events)
        text = ", ".join(f"{name} after {seconds:.2f} s" for name, seconds in found.items())
        self.timeline.record("note", f"stages of the way back: {text}", activity="stages", stages=found)

    def check(
        self, id_: str, statement: str, direction: Direction, limit: float, measurement: Measurement
    ) -> Judgement:
        """Hold a measurement against a promise and write the judgement down; the scenario goes on either way."""
        judgement = judge(Objective(id_, statement, direction, limit, measurement.unit, self.requirements), measurement)
        self.judgements.append(judgement)
        self.session.folder.record_check(self.id, judgement)
        text = f"{judgement.verdict}: {statement}: {judgement.reason}"
        self.timeline.record("note", text, activity="check", verdict=str(judgement.verdict), objective=id_)
        return judgement

    def counted(self, name: str, count: float, unit: str, source: str, doubts: Sequence[str] = ()) -> Measurement:
        """A measurement of something that was counted, over the drill so far."""
        window = Window(self.started_s, self.session.clock.now())
        return Measurement(name, Interval.exactly(count), unit, 1, window, source, tuple(doubts))

    # How it ends.

    def finish(self, error: BaseException | None) -> Verdict:
        """Put everything back, see that it is back, and reach the verdict; the load is killed if it still runs."""
        self._end_window()
        for process in self._processes:
            process.kill()
        self._put_back()
        self.check_unexpected()
        # An experiment that a failed validation ends is interrupted by that.
        self.doubts += [] if self.expects("validate_release") else self._problems
        verdicts = [judgement.verdict for judgement in self.judgements]
        if error is not None or self.doubts or not verdicts:
            verdicts.append(Verdict.INCONCLUSIVE)
        verdict = merge(verdicts)
        reasons = self.reasons(error)
        self.session.finish_drill(self.id, self._document(reasons, error), verdict)
        return verdict

    def reasons(self, error: BaseException | None = None) -> list[str]:
        """Why it did not pass: broken promises first, and causes before what could not be decided for them."""
        broken, undecided = (
            [
                f"{judgement.verdict}: {judgement.objective.statement}: {judgement.reason}"
                for judgement in self.judgements
                if judgement.verdict is wanted
            ]
            for wanted in (Verdict.FAIL, Verdict.INCONCLUSIVE)
        )
        raised = [told(error)] if error is not None else []
        causes = [f"{Verdict.INCONCLUSIVE}: {cause}" for cause in (*self.doubts, *raised)]
        unjudged = [f"{Verdict.INCONCLUSIVE}: {reason}" for reason in self.unjudged]
        return [*broken, *causes, *undecided, *unjudged]

    def _document(self, reasons: Sequence[str], error: BaseException | None) -> dict[str, Any]:
        return {
            "feature": self.feature,
            "scenario": self.scenario,
            "description": self.description,
            "tags": list(self.tags),
            "requirements": list(self.requirements),
            "let_stay": self.let_stay,
            "images": story.images(self.seen.events, self.let_stay),
            "started_s": self.started_s,
            "finished_s": self.session.clock.now(),
            "error": "\n".join(reasons) or None,
            "sentences": list(self.sentences),
            "doubts": list(self.doubts),
            "raised": None if error is None else told(error),
            "unjudged": list(self.unjudged),
            "seen": {"release": self.release, **self.seen.document()},
        }

    @property
    def _prefix(self) -> str:
        return wiring.key_prefix(self.session.folder.run_id, self.id)

    def _end_load_when_traffic_is_back(self, ended: threading.Event) -> None:
        while not ended.wait(_LOOK_EVERY_S):
            if story.of(self.seen.events, "traffic_back"):
                self._tell_load_to_end()
                return

    def _tell_load_to_end(self) -> None:
        if self._load is not None and self._end_window():
            self._load.ask_to_stop()

    def _end_window(self) -> bool:
        """Users are judged until now, and not before somebody was there; whether that had not ended before."""
        ends = bool(self._load_began_s) and self.seen.window.length_s == 0.0
        if ends:
            # Before they are told: requests due at the very end may not be sent.
            self.seen.window = Window(self._load_began_s, self.session.clock.now())
        return ends

    def break_off(self) -> None:
        """What was changed is undone, and then users leave, and what they wrote is looked up.

        In this order: what is only away for now would seem to be lost.
        """
        self._undo_all()
        self.end_load()

    def end_load(self) -> None:
        """Users leave, and what they wrote is looked up; an experiment does this by itself."""
        self._tell_load_to_end()
        for process in self._processes:
            try:
                process.stop(read_back_s=self.read_back_s)
            except LoadError as error:
                self.doubts += [str(error)] if str(error) not in self.doubts else []

    @property
    def _processes(self) -> list[Load]:
        return [*self._companions, *([self._load] if self._load is not None else [])]

    def _undo_all(self) -> None:
        """What the experiment did not put back itself; after an orderly one there is nothing."""
        for found in self.journal.undo_all(self.platform.undo, self.session.clock):
            kind = "recovered" if found.restored else "note"
            self.timeline.record_on_the_way_back(
                kind, found.text, at_s=found.at_s, activity="put_back", failed=not found.restored
            )

    def _put_back(self) -> None:
        """Undo, and see that everything is as it was."""
        self._undo_all()
        try:
            self.session.lock.check()
        except LockLost as error:
            self.doubts.append(str(error))
            return
        except Unreachable as error:
            self.doubts.append(f"nobody can tell whether the lock is still this run's: {error}")
        self.check_restored(len(self.journal.open_changes()))
        if not self.seen.live:
            return
        seen = wait_for(self._starting_state, self.session.clock, deadline_s=_STARTING_STATE_WITHIN_S, pace_s=0.5)
        self.timeline.record("observed", seen.text, activity="starting_state", holds=seen.holds, **seen.data)
        self.check_starting_state(seen)
        if self.platform.recovery is not None and topology.told(self.seen.events):
            topology.tell(self.timeline, topology.settled(self.platform.recovery, self.session.clock))
            self.check_topology()

    def check_restored(self, left: int) -> None:
        """So many changes are left."""
        statement = "every change is undone, and seen to be"
        self.check("drill.restored", statement, "at_most", 0, self.counted("changes left", left, "changes", "journal"))

    def check_starting_state(self, seen: Observation) -> None:
        """Whether the platform is as the drill found it, by what was seen of it last."""
        differs = 0 if seen.holds else 1
        measured = self.counted("differences from the starting state", differs, "differences", "kubernetes")
        statement = f"the platform is as it was before ({seen.text})"
        self.check("drill.starting_state", statement, "at_most", 0, measured)

    def check_topology(self) -> None:
        """Whether both regions are to each other what they were, by the first look and the last one."""
        found = topology.differences(topology.told(self.seen.events))
        measured = self.counted("differences from the starting topology", len(found), "differences", "database")
        statement = f"the regions are to each other what they were ({'; '.join(found) or 'nothing differs'})"
        self.check("drill.topology", statement, "at_most", 0, measured)

    def check_unexpected(self) -> None:
        """A release that fails its validation, or is taken back, fails a scenario that expects neither."""
        window = Window(self.started_s, self.session.clock.now())
        if not self.expects("validate_release") and story.of(self.seen.events, "validate_release"):
            found = story.failed_validation_checks(self.seen.events, window)
            self.check("release.validation", "the release passes its validation", "at_most", 0, found)
        watches = [name for name in ("watch_release", "release_canary") if story.of(self.seen.events, name)]
        watched = bool(watches) and not any(self.expects(name) for name in watches)
        if watched and faults.meant(self.seen.events):
            # What a fault does to a release is not the release's: it may stay or go, but not be left in between.
            found = faults.cutovers_decided(self.seen.events, window)
            self.check("fault.cutover", "the cutover under the fault comes to a decision", "at_least", 1, found)
            under = faults.cutovers_under(self.seen.events, window)
            self.check("fault.overlap", "the fault is there while the release is cut over", "at_least", 1, under)
        elif watched:
            found = story.rollbacks_decided(self.seen.events, window)
            self.check("release.watch", "the watched release is not sent back", "at_most", 0, found)
            self.doubts += story.undecided(self.seen.events)
        if watched and not faults.meant(self.seen.events) and story.of(self.seen.events, "readiness"):
            flapped = story.pods_that_flapped(self.seen.events, window)
            self.check("release.readiness", "no pod stops being ready while it is watched", "at_most", 0, flapped)

    def _starting_state(self) -> Observation:
        return starting_state.look(self.platform, self.seen.live, self.session.clock)
