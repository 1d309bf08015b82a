"""A run of drills: one session for all of them, one drill for each scenario, verdicts and the exit code."""

from __future__ import annotations

import contextlib
import functools
import sys
from typing import TYPE_CHECKING, Any, TypeVar

import pytest
from pytest_bdd.scenario import scenario_wrapper_template_registry

from drillbook import wiring
from drillbook.afterwards import signers
from drillbook.domain.verdict import Verdict, merge
from drillbook.drills.drill import Drill, DrillFailed, DrillInconclusive
from drillbook.drills.inspection import Inspection
from drillbook.drills.seen import NotReady
from drillbook.evidence import junit
from drillbook.evidence import report as html
from drillbook.evidence.text import printable
from drillbook.run import fault_guard, guard, planning, redaction
from drillbook.run.environment import EnvironmentFileError
from drillbook.run.monitor import Monitor
from drillbook.run.planning import STATIC
from drillbook.run.resumption import NotResumable
from drillbook.run.stopping import WAS_STOPPED, told
from drillbook.run.timeline import Timeline
from drillbook.terminal import Live
from features import opening, permission, selection, unjudged
from features.running import Running

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

    from pytest_bdd.parser import Step

    from drillbook.run.session import Session

EXPECTED_S = 60.0
"""Of one scenario, for the guard."""
INSPECTED_WITHIN_S = 1.0
"""Of one that only looks at files."""

_Made = TypeVar("_Made", Drill, Inspection)
_RUN = pytest.StashKey[Running]()


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
        allowed = functools.partial(permission.allowed, config, environment, sorted(only), selection.collected(items))
        plan = permission.plan(environment, sorted(only)).sha256
        gone_on_with = selection.resumed(config, environment, items, plan)
        touches = any(not selection.is_static(item) for item in items)
        if touches:
            wiring.check_workload(environment)
            allowed()
    except (EnvironmentFileError, planning.PlanError, guard.Refused, NotResumable) as error:
        raise pytest.UsageError(str(error)) from error
    if touches:
        permission.refuse_what_cannot_be_decided(environment, sorted(only), selection.collected(items))
    run = config.stash[_RUN] = Running(environment, allowed)
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
        session = opening.open_untouched(request, state)
        yield session
        with state.stop.put_off():
            doubts = opening.closed(session, interrupted=state.stop.told)
            state.verdicts += [Verdict.INCONCLUSIVE] * bool(doubts)
            sys.stderr.write("".join(f"{said}\n" for said in doubts))


@pytest.fixture(scope="session")
def run(request: pytest.FixtureRequest) -> Iterator[tuple[Session, wiring.Platform]]:
    """The environment's lock, the run's folder, the ports."""
    state = request.config.stash[_RUN]
    if not state.touches:
        raise NotReady(f"a scenario with the tag @{STATIC} asks for the platform, which nobody has allowed: untag it")
    with state.stop.possible(), contextlib.ExitStack() as ends:
        session, ports = opening.open_run(request, state)
        ends.callback(opening.close, state, session, ports)
        looking_at = wiring.platform(state.environment, session.clock, looking_on=True)
        looking_on = Monitor(
            state.environment,
            serving=functools.partial(state.serving, looking_at),
            live=state.live_answers,
            now=session.clock.now,
            stop=state.stop_because,
            until_s=state.still_allowed(),
            faults=functools.partial(fault_guard.there, session.folder.path / "undo.jsonl"),
            taken_away=state.is_taken_away,
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


def _without_a_drill(state: Running, error: BaseException | None) -> None:
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


def _report(folder: Path) -> None:
    """Render what the run left; a report that cannot be made is said and changes no verdict."""
    try:
        page, cases = html.render(folder), junit.render(folder)
    except Exception as error:  # noqa: BLE001 - the verdict stands on the folder, not on its rendering
        sys.stdout.write(f"\nthe report could not be made from {folder}: {type(error).__name__}: {error}\n")
        return
    sys.stdout.write(f"\nreport: {page}\njunit:  {cases}\n")
