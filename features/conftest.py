"""A run of drills: one session for all of them, one drill for each scenario, verdicts and the exit code."""

from __future__ import annotations

import contextlib
import functools
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import pytest
from pytest_bdd.scenario import scenario_wrapper_template_registry

from drillbook import wiring
from drillbook.afterwards import signers
from drillbook.domain.titles import numbered
from drillbook.domain.verdict import Verdict, merge
from drillbook.drills import recovery
from drillbook.drills.drill import Drill, DrillFailed, DrillInconclusive
from drillbook.drills.inspection import Inspection
from drillbook.drills.seen import NotReady
from drillbook.drivers.live import LiveRecord
from drillbook.evidence import junit
from drillbook.evidence import report as html
from drillbook.evidence.text import printable
from drillbook.ports import LockHeld, LockLost, Unreachable
from drillbook.run import fault_guard, guard, planning, redaction, untouched
from drillbook.run.clock import SteadyClock
from drillbook.run.environment import EnvironmentFileError
from drillbook.run.folder import FolderError
from drillbook.run.monitor import Monitor, RunningRecord
from drillbook.run.planning import STATIC
from drillbook.run.resumption import NotResumable
from drillbook.run.session import Session
from drillbook.run.stopping import WAS_STOPPED, Stop, told
from drillbook.run.timeline import Timeline
from drillbook.terminal import Live
from features import scenarios, selection, unjudged

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence

    from pytest_bdd.parser import Step

    from drillbook.domain.environment import Environment
    from drillbook.domain.guard import Plan
    from drillbook.run.resumption import Earlier

FEATURES = scenarios.FEATURES
RUNS = FEATURES.parent / "reports" / "runs"
EXPECTED_S = 60.0
"""Of one scenario, for the guard."""
INSPECTED_WITHIN_S = 1.0
"""Of one that only looks at files."""

_Made = TypeVar("_Made", Drill, Inspection)
_RUN = pytest.StashKey["_Run"]()


class _Run:
    """What a pytest session of drills keeps."""

    def __init__(self, environment: Environment, allowed: Callable[[], float]) -> None:
        self.environment = environment
        self.allowed = allowed
        self.verdicts: list[Verdict] = []
        self.stop = Stop()
        self.drill: Drill | Inspection | None = None
        self.touches = True
        self.plan = ""
        self.resumed: Earlier | None = None
        self.names: set[str] = set()
        self.live: Live | None = None
        self.folder: Path | None = None
        self.running_record: RunningRecord | None = None

    def go_on_with(self, resumed: Earlier) -> None:
        """What is kept of an earlier run counts, and nothing new gets its name."""
        self.resumed = resumed
        self.verdicts += resumed.verdicts
        self.names |= resumed.ids

    def unique(self, name: str) -> str:
        """A drill's id."""
        chosen = numbered(name, self.names)
        self.names.add(chosen)
        return chosen


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep the scenarios of the features asked for; refuse before anything is touched."""
    if getattr(config.option, "numprocesses", None):
        raise pytest.UsageError("drills change one platform and run one after the other: leave out -n")
    only = {*planning.names(config.getoption("--only"))}
    selection.keep(items, only)
    if not any(selection.scenario_of(item) is not None for item in items) or config.option.collectonly:
        return
    if config.getoption("capture") == "no":
        redaction.guard_streams()
    try:
        environment = wiring.read_environment(config.getoption("--environment"))
        selection.leave_out_unasked(config, items, environment, only)
        selection.keep_not_passed(config, items)
        allowed = functools.partial(_allowed, config, environment, sorted(only), selection.collected(items))
        plan = _plan(environment, sorted(only)).sha256
        gone_on_with = selection.resumed(config, environment, items, plan)
        touches = any(not selection.is_static(item) for item in items)
        if touches:
            wiring.check_workload(environment)
            allowed()
    except (EnvironmentFileError, planning.PlanError, guard.Refused, NotResumable) as error:
        raise pytest.UsageError(str(error)) from error
    if touches:
        _refuse_what_cannot_be_decided(environment, sorted(only), selection.collected(items))
    run = config.stash[_RUN] = _Run(environment, allowed)
    run.touches, run.plan = touches, plan
    if gone_on_with is not None:
        run.go_on_with(gone_on_with)
    if config.getoption("capture") == "no":
        run.live = Live(sys.stdout, drills=len(items))


@pytest.fixture(scope="session")
def session(request: pytest.FixtureRequest) -> Session:
    """The run; where no scenario touches the platform, one that needs none."""
    if request.config.stash[_RUN].touches:
        return request.getfixturevalue("run")[0]
    return request.getfixturevalue("run_that_looks")


@pytest.fixture(scope="session")
def run_that_looks(request: pytest.FixtureRequest) -> Iterator[Session]:
    """The run's folder; nobody is locked out."""
    state = request.config.stash[_RUN]
    with state.stop.possible():
        session = _open_untouched(request, state)
        yield session
        with state.stop.put_off():
            doubts = _closed(session, interrupted=state.stop.told)
            state.verdicts += [Verdict.INCONCLUSIVE] * bool(doubts)
            sys.stderr.write("".join(f"{said}\n" for said in doubts))


@pytest.fixture(scope="session")
def run(request: pytest.FixtureRequest) -> Iterator[tuple[Session, wiring.Platform]]:
    """The environment's lock, the run's folder, the ports."""
    state = request.config.stash[_RUN]
    if not state.touches:
        raise NotReady(f"a scenario with the tag @{STATIC} asks for the platform, which nobody has allowed: untag it")
    with state.stop.possible(), contextlib.ExitStack() as ends:
        session, ports = _open(request, state)
        ends.callback(_close, state, session, ports)
        looking_at = wiring.platform(state.environment, session.clock, looking_on=True)
        looking_on = Monitor(
            state.environment,
            serving=functools.partial(_serving, state, looking_at),
            live=functools.partial(_live, state),
            now=session.clock.now,
            stop=functools.partial(_stop, state),
            until_s=_still_allowed(state),
            faults=functools.partial(fault_guard.there, session.folder.path / "undo.jsonl"),
            taken_away=functools.partial(_is_taken_away, state),
        )
        looking_on.start()
        ends.callback(looking_on.end)
        yield session, ports


@pytest.fixture
def drill(request: pytest.FixtureRequest, run: tuple[Session, wiring.Platform]) -> Iterator[Drill]:
    """The drill of one scenario; put back and judged in `pytest_runtest_call`."""
    session, ports = run
    about = _about(request, session)
    made = Drill(
        **about,
        session=session,
        platform=wiring.keeping_queries(ports, session.folder.drill(about["id"]) / "queries"),
        journal=wiring.journal(session.folder, ports, session.holder.fencing),
    )
    yield from _going_on(request, made)


@pytest.fixture
def inspection(request: pytest.FixtureRequest, session: Session) -> Iterator[Inspection]:
    """The same for a scenario about files."""
    environment = request.config.stash[_RUN].environment
    yield from _going_on(request, Inspection(**_about(request, session), session=session, environment=environment))


def _about(request: pytest.FixtureRequest, session: Session) -> dict[str, Any]:
    """What a drill and an inspection have in common."""
    scenario = scenario_wrapper_template_registry[request.function]
    name = selection.title(request.node)
    id_ = request.config.stash[_RUN].unique(name)
    return {
        "id": id_,
        "feature": scenario.feature.name,
        "scenario": name,
        "description": scenario.feature.description,
        "tags": sorted(scenario.tags | scenario.feature.tags),
        "timeline": Timeline(session.folder.path / "timeline.jsonl", id_, session.clock),
        "started_s": session.clock.now(),
    }


def _going_on(request: pytest.FixtureRequest, made: _Made) -> Iterator[_Made]:
    state = request.config.stash[_RUN]
    state.drill = made
    if state.live is not None:
        expected_s = EXPECTED_S if isinstance(made, Drill) else INSPECTED_WITHIN_S
        state.live.drill_started(made.scenario, made.started_s, expected_s)
    yield made
    state.drill = None


def pytest_bdd_before_step_call(request: pytest.FixtureRequest, step: Step) -> None:
    """Write down what is said: whoever judges the drill again says it once more."""
    state = request.config.stash.get(_RUN, None)
    if state is not None and state.drill is not None:
        state.drill.sentences.append(f"{step.type} {step.name}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """After the last step, or whatever ended them: put back, judge, and show pytest what is no pass."""
    state = item.config.stash.get(_RUN, None)
    if state is None or selection.scenario_of(item) is None:
        return (yield)
    error: BaseException | None = None
    result = None
    try:
        result = yield
    except BaseException as raised:  # noqa: BLE001 - also Ctrl-C: the platform is put back first
        error = raised
    drill = state.drill
    if drill is None:
        _without_a_drill(state, error)
        return result
    state.stop.heeded = isinstance(error, KeyboardInterrupt)
    with state.stop.put_off():
        drill.doubts += [f"{WAS_STOPPED}{reason}" for reason in state.stop.reasons]
        verdict, cause = _finished(drill, error)
    state.verdicts.append(verdict)
    if state.live is not None:
        state.live.drill_finished(str(verdict), drill.reasons(error))
    if isinstance(error, KeyboardInterrupt):
        raise error
    if state.stop.told:
        # It came while this drill was put back, which no signal ends; the next drill does not begin.
        state.stop.heeded = True
        raise KeyboardInterrupt from error
    if verdict is Verdict.PASS:
        return result
    text = "\n".join(drill.reasons(error)) or "nothing was judged"
    raised = DrillFailed(text) if verdict is Verdict.FAIL else DrillInconclusive(text)
    raise raised from cause


def _finished(drill: Drill | Inspection, error: BaseException | None) -> tuple[Verdict, BaseException | None]:
    """Its verdict, and what has caused it; where its own end fails, what it has judged by then counts and no more."""
    unjudged.judge(drill, error)
    try:
        return drill.finish(error), error
    except Exception as failure:  # noqa: BLE001 - a promise that was broken stays so, whatever a full disk does
        drill.doubts.append(f"it could not be ended in good order: {told(failure)}")
        verdict = merge([*(judgement.verdict for judgement in drill.judgements), Verdict.INCONCLUSIVE])
        drill.session.count_unrecorded(verdict)
        return verdict, error or failure


def _without_a_drill(state: _Run, error: BaseException | None) -> None:
    """What ended a scenario before its drill began; a refusal was said where it was made, and counts for no drill."""
    if isinstance(error, pytest.exit.Exception | KeyboardInterrupt):
        raise error
    state.verdicts.append(Verdict.INCONCLUSIVE)
    if error is not None:
        if state.live is not None:
            state.live.say(f"no drill: {type(error).__name__}: {error}")
        raise error


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """0 pass, 1 fail, 75 inconclusive, also when a drill was stopped; what pytest finds wrong keeps its own code."""
    state = session.config.stash.get(_RUN, None)
    if state is None:
        return
    state.stop.over()
    asked = session.testscollected + (len(state.resumed.kept) if state.resumed is not None else 0)
    lacking = len(state.verdicts) < asked
    if state.live is not None:
        state.live.close()
        verdict = merge([*state.verdicts, *([Verdict.INCONCLUSIVE] if lacking else [])])
        state.live.say(f"\nverdict: {verdict} ({len(state.verdicts)} of {asked} drills ran)")
    if state.folder is not None:
        _report(state.folder)
        sys.stdout.write("".join(f"{said}\n" for said in signers.sign_at_the_end(state.environment, state.folder)))
    if exitstatus not in {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.INTERRUPTED}:
        return
    if Verdict.FAIL in state.verdicts:
        session.exitstatus = Verdict.FAIL.exit_code
    elif exitstatus != pytest.ExitCode.OK or lacking or set(state.verdicts) != {Verdict.PASS}:
        session.exitstatus = Verdict.INCONCLUSIVE.exit_code


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """What goes wrong around a scenario is shown even where pytest's own reporter is off."""
    if report.failed and report.when != "call":
        sys.stderr.write(f"{printable(report.longreprtext)}\n")


def _refuse_what_cannot_be_decided(
    environment: Environment, only: Sequence[str], collected: Sequence[tuple[str, str]]
) -> None:
    """A load too thin to show what is promised would end INCONCLUSIVE after minutes; say so before it starts."""
    drills = planning.chosen(planning.drills(FEATURES), environment, only)
    meant = [drill for drill in drills if (drill.feature, drill.scenario) in collected]
    undecidable = [line for line in planning.feasibility(environment, meant) if not line.decidable]
    if undecidable:
        lines = [f"{line.objective}: has {line.has:g} {line.unit}, needs {line.needs:g}" for line in undecidable]
        todo = "; ".join(dict.fromkeys(line.remedy for line in undecidable))
        raise pytest.UsageError(f"the load of {environment.name} cannot decide {'; '.join(lines)}; {todo}")


def _refuse(state: _Run, reason: str) -> NoReturn:
    """End the session before any drill; said here, since pytest's own reporter may be off."""
    if state.live is not None:
        sys.stderr.write(f"{reason}\n")
    pytest.exit(reason, returncode=Verdict.INCONCLUSIVE.exit_code)


def _report(folder: Path) -> None:
    """Render what the run left; a report that cannot be made is said and changes no verdict."""
    try:
        page, cases = html.render(folder), junit.render(folder)
    except Exception as error:  # noqa: BLE001 - the verdict stands on the folder, not on its rendering
        sys.stdout.write(f"\nthe report could not be made from {folder}: {type(error).__name__}: {error}\n")
        return
    sys.stdout.write(f"\nreport: {page}\njunit:  {cases}\n")


def _plan(environment: Environment, only: Sequence[str]) -> Plan:
    return planning.run_plan(environment, planning.chosen(planning.drills(FEATURES), environment, only), FEATURES)


def _allowed(
    config: pytest.Config, environment: Environment, only: Sequence[str], collected: Sequence[tuple[str, str]]
) -> float:
    """Ask the guard; answers until when the run is approved, in seconds since the epoch.

    Raises:
        PlanError: When nobody can tell what would be done.
        Refused: When the guard does not allow it.
    """
    approval = config.getoption("--approval")
    drills = planning.chosen(planning.drills(FEATURES), environment, only)
    missing = planning.unplanned(drills, collected)
    if missing:
        raise guard.Refused(f"the plan lacks {'; '.join(missing)}, so nobody can tell whether that is allowed")
    return guard.check(
        environment,
        _plan(environment, only),
        now_s=time.time(),
        expected_s=planning.expected_s(drills, Path(config.getoption("--runs") or RUNS)),
        production_allowed=config.getoption("--production-allowed"),
        approval=Path(approval) if approval else None,
    )


def _still_allowed(state: _Run) -> float:
    """The same once the environment is ours: somebody else's run may have been waited for, for long."""
    try:
        return state.allowed()
    except (planning.PlanError, guard.Refused) as error:
        state.stop.told = True
        _refuse(state, str(error))


def _open(request: pytest.FixtureRequest, state: _Run) -> tuple[Session, wiring.Platform]:
    """Take the environment, and put back what runs that died have left in it."""
    environment, clock = state.environment, SteadyClock.starting_now()
    runs = Path(request.config.getoption("--runs") or RUNS)
    try:
        witnessed = any(selection.loses_region(item) for item in request.session.items)
        ports = wiring.platform(environment, clock, witnessed=witnessed)
        wiring.check_metrics(environment)
        session = Session.open(
            environment,
            runs,
            ports.lock,
            wait_s=request.config.getoption("--lock-wait"),
            requested=_requested(request, state),
            left_out=_left_out(request, state),
            resumed=state.resumed,
            plan=state.plan,
            versions={**wiring.versions(), scenarios.VERSION: scenarios.sha256()},
            lost=functools.partial(_stop, state),
            watchdog=functools.partial(wiring.watchdog, environment),
            begun=functools.partial(_begun, state, request.config.getoption("--begun")),
        )
    except (Unreachable, LockHeld, FolderError, OSError) as error:
        _refuse(state, str(error))
    try:
        if state.live is not None:
            state.live.follow(session.folder.path / "timeline.jsonl")
        left, doubts = _what_others_left(ports)
    except BaseException:  # Ctrl-C: nobody else closes it yet
        _closed(session, interrupted=True)
        raise
    if left or doubts:
        doubts += _closed(session, interrupted=True)
        _refuse(state, "; ".join([*left, *doubts]))
    return session, ports


def _open_untouched(request: pytest.FixtureRequest, state: _Run) -> Session:
    """A run that only looks at files."""
    clock = SteadyClock.starting_now()
    try:
        session = Session.open(
            state.environment,
            Path(request.config.getoption("--runs") or RUNS),
            untouched.NoLock(clock),
            wait_s=0.0,
            requested=_requested(request, state),
            left_out=_left_out(request, state),
            resumed=state.resumed,
            plan=state.plan,
            versions={**wiring.versions(), scenarios.VERSION: scenarios.sha256()},
            lost=functools.partial(_stop, state),
            watchdog=untouched.no_watchdog,
            begun=functools.partial(_begun, state, request.config.getoption("--begun")),
        )
    except (FolderError, OSError) as error:
        _refuse(state, str(error))
    if state.live is not None:
        state.live.follow(session.folder.path / "timeline.jsonl")
    return session


def _begun(state: _Run, descriptor: int, folder: Path) -> None:
    """Remember the run's folder, and tell whoever has started this process, if anybody wants to know."""
    state.folder = folder
    if descriptor >= 0:
        with contextlib.suppress(OSError):
            os.write(descriptor, os.fsencode(folder))


def _requested(request: pytest.FixtureRequest, state: _Run) -> list[str]:
    if state.resumed is not None:
        return list(state.resumed.document["requested"])
    return [selection.title(item) for item in request.session.items if selection.scenario_of(item) is not None]


def _left_out(request: pytest.FixtureRequest, state: _Run) -> list[str]:
    """What a gate says was not drilled."""
    only = planning.names(request.config.getoption("--only"))
    return planning.left_out(planning.drills(FEATURES), state.environment, only, _requested(request, state))


def _close(state: _Run, session: Session, ports: wiring.Platform) -> None:
    """Each drill has put back what it did, so nothing is expected to be left; what is in spite of all is told."""
    with state.stop.put_off():
        left, doubts = _what_others_left(ports)
        doubts += _closed(session, interrupted=state.stop.told or bool(doubts), left_changed=bool(left))
        state.verdicts += [Verdict.FAIL] * bool(left) + [Verdict.INCONCLUSIVE] * bool(doubts)
        sys.stderr.write("".join(f"{said}\n" for said in [*(f"left changed: {change}" for change in left), *doubts]))


def _what_others_left(ports: wiring.Platform) -> tuple[list[str], list[str]]:
    """Put it back; a sentence for each change that stays, and one when nobody can tell, or it is not ours to touch."""
    try:
        return wiring.put_back_what_others_left(ports), []
    except LockLost as error:
        return [], [f"nothing more is put back by this run: {error}"]
    except Unreachable as error:
        return [], [f"nobody can tell what is left changed: {error}"]


def _closed(session: Session, *, interrupted: bool, left_changed: bool = False) -> list[str]:
    """End the run; a sentence when its verdict cannot be written down, or its lock was lost or not be given back."""
    doubts: list[str] = []
    try:
        session.close(interrupted=interrupted, left_changed=left_changed)
    except (Unreachable, FolderError) as error:
        doubts.append(f"the run is not closed in good order: {error}")
    return [*doubts, session.unkept] if session.unkept else doubts


def _stop(state: _Run, reason: str) -> None:
    """The lock is someone else's, or the guard ends the run: stop as on Ctrl-C, which undoes."""
    if not state.stop.because(reason):
        return
    if state.drill is not None:
        state.drill.timeline.record_on_the_way_back("decided", f"stop: {reason}", activity="guard")
    with contextlib.suppress(OSError, ValueError):  # a terminal that is gone keeps nothing from ending
        sys.stderr.write(f"{reason}\n")


def _live(state: _Run) -> list[dict[str, Any]]:
    """What the users of the drill that is going on have been answered since this was last asked."""
    drill = state.drill
    if not isinstance(drill, Drill):
        return []
    folder = drill.folder / "load"
    if state.running_record is None or state.running_record.folder != folder:
        state.running_record = RunningRecord(folder, LiveRecord(folder / "live.jsonl"))
    lines = state.running_record()
    return [] if recovery.suffers(drill) and not recovery.serves_again(drill) else lines


def _serving(state: _Run, looking_at: wiring.Platform) -> tuple[int, int]:
    """Ready and wanted pods; none is missed whose region or database is taken away on purpose."""
    return (1, 1) if _is_taken_away(state) else wiring.serving(looking_at)


def _is_taken_away(state: _Run) -> bool:
    drill = state.drill
    return isinstance(drill, Drill) and (recovery.suffers(drill) or recovery.moves_database(drill))
