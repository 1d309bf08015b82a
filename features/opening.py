"""How a run begins and ends: the environment is taken, what others left in it is put back, and it is given back."""

from __future__ import annotations

import contextlib
import functools
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from drillbook import wiring
from drillbook.domain.verdict import Verdict
from drillbook.ports import LockHeld, LockLost, Unreachable
from drillbook.run import planning, untouched
from drillbook.run.clock import SteadyClock
from drillbook.run.folder import FolderError
from drillbook.run.session import Session
from features import scenarios, selection

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from drillbook.ports import Lock
    from drillbook.run.folder import RunFolder
    from drillbook.run.watchdog import Watchdog
    from features.running import Running

RUNS = scenarios.FEATURES.parent / "reports" / "runs"
"""Where run folders are made when nothing else is said."""


def open_run(request: pytest.FixtureRequest, state: Running) -> tuple[Session, wiring.Platform]:
    """Take the environment, and put back what runs that died have left in it."""
    environment, clock = state.environment, SteadyClock.starting_now()
    try:
        witnessed = any(selection.loses_region(item) for item in request.session.items)
        ports = wiring.platform(environment, clock, witnessed=witnessed)
        wiring.check_metrics(environment)
        session = _begin(
            request,
            state,
            ports.lock,
            wait_s=request.config.getoption("--lock-wait"),
            watchdog=functools.partial(wiring.watchdog, environment),
        )
    except (Unreachable, LockHeld, FolderError, OSError) as error:
        state.refuse(str(error))
    try:
        if state.live is not None:
            state.live.follow(session.folder.path / "timeline.jsonl")
        left, doubts = _what_others_left(ports)
    except BaseException:  # Ctrl-C: nobody else closes it yet
        closed(session, interrupted=True)
        raise
    if left or doubts:
        doubts += closed(session, interrupted=True)
        state.refuse("; ".join([*left, *doubts]))
    return session, ports


def open_untouched(request: pytest.FixtureRequest, state: Running) -> Session:
    """A run that only looks at files."""
    clock = SteadyClock.starting_now()
    try:
        session = _begin(request, state, untouched.NoLock(clock), wait_s=0.0, watchdog=untouched.no_watchdog)
    except (FolderError, OSError) as error:
        state.refuse(str(error))
    if state.live is not None:
        state.live.follow(session.folder.path / "timeline.jsonl")
    return session


def close(state: Running, session: Session, ports: wiring.Platform) -> None:
    """Each drill has put back what it did, so nothing is expected to be left; what is in spite of all is told."""
    with state.stop.put_off():
        left, doubts = _what_others_left(ports)
        doubts += closed(session, interrupted=state.stop.told or bool(doubts), left_changed=bool(left))
        state.verdicts += [Verdict.FAIL] * bool(left) + [Verdict.INCONCLUSIVE] * bool(doubts)
        sys.stderr.write("".join(f"{said}\n" for said in [*(f"left changed: {change}" for change in left), *doubts]))


def closed(session: Session, *, interrupted: bool, left_changed: bool = False) -> list[str]:
    """End the run; a sentence when its verdict cannot be written down, or its lock was lost or not be given back."""
    doubts: list[str] = []
    try:
        session.close(interrupted=interrupted, left_changed=left_changed)
    except (Unreachable, FolderError) as error:
        doubts.append(f"the run is not closed in good order: {error}")
    return [*doubts, session.unkept] if session.unkept else doubts


def _begin(
    request: pytest.FixtureRequest,
    state: Running,
    lock: Lock,
    *,
    wait_s: float,
    watchdog: Callable[[RunFolder, SteadyClock], Watchdog],
) -> Session:
    """The run's folder and its lock.

    Raises:
        LockHeld: When somebody else is inside for longer.
        FolderError: When the folder cannot be made.
    """
    return Session.open(
        state.environment,
        Path(request.config.getoption("--runs") or RUNS),
        lock,
        wait_s=wait_s,
        requested=_requested(request, state),
        left_out=_left_out(request, state),
        resumed=state.resumed,
        plan=state.plan,
        versions={**wiring.versions(), scenarios.VERSION: scenarios.sha256()},
        lost=state.stop_because,
        watchdog=watchdog,
        begun=functools.partial(_begun, state, request.config.getoption("--begun")),
    )


def _begun(state: Running, descriptor: int, folder: Path) -> None:
    """Remember the run's folder, and tell whoever has started this process, if anybody wants to know."""
    state.folder = folder
    if descriptor >= 0:
        with contextlib.suppress(OSError):
            os.write(descriptor, os.fsencode(folder))


def _requested(request: pytest.FixtureRequest, state: Running) -> list[str]:
    if state.resumed is not None:
        return list(state.resumed.document["requested"])
    return [selection.title(item) for item in request.session.items if selection.scenario_of(item) is not None]


def _left_out(request: pytest.FixtureRequest, state: Running) -> list[str]:
    """What a gate says was not drilled."""
    only = planning.names(request.config.getoption("--only"))
    return planning.left_out(planning.drills(scenarios.FEATURES), state.environment, only, _requested(request, state))


def _what_others_left(ports: wiring.Platform) -> tuple[list[str], list[str]]:
    """Put it back; a sentence for each change that stays, and one when nobody can tell, or it is not ours to touch."""
    try:
        return wiring.put_back_what_others_left(ports), []
    except LockLost as error:
        return [], [f"nothing more is put back by this run: {error}"]
    except Unreachable as error:
        return [], [f"nobody can tell what is left changed: {error}"]
