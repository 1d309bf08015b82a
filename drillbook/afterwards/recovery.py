"""`drillbook recover`: put back what an interrupted run has left, with nothing but the environment file."""

from __future__ import annotations

import getpass
import os
import socket
from dataclasses import replace
from typing import TYPE_CHECKING

from drillbook import wiring
from drillbook.domain.verdict import Verdict
from drillbook.evidence.text import printable
from drillbook.ports import LockHeld, LockLost, Observation, Unreachable
from drillbook.run import journal as journals
from drillbook.run.action import wait_for
from drillbook.run.clock import SteadyClock
from drillbook.run.environment import EnvironmentFileError
from drillbook.run.renewal import renewed

if TYPE_CHECKING:
    from collections.abc import Callable

    from drillbook.domain.environment import Environment
    from drillbook.domain.undo import Restoration
    from drillbook.platform import Platform

_WAITS_S = 30.0
"""Longer than a dead run's lock lasts."""

_SERVED_WITHIN_S = 120.0
"""What was put back may have been machines, and a node finds the ways to its new pods only after they run."""


def recover(environment: Environment, say: Callable[[str], None], *, unattended: bool = False) -> int:
    """Undo what any run has left open, under the environment's lock, and see each change undone and users served.

    Args:
        environment: Where.
        say: Told a sentence for each change.
        unattended: Whether a run that lives is nothing to complain about: it puts back itself what it changes. Whether
            users are served is not looked at then: who runs within the cluster does not come their way.

    Returns:
        0 when nothing is left changed, 1 when something could not be undone, 75 when that is unknown, as without the
        workload's adapter, or when all is undone and the public is not served for another reason.
    """
    clock = SteadyClock.starting_now()
    identity = f"recovery by {getpass.getuser()}@{socket.gethostname()} process {os.getpid()}"
    try:
        ports = wiring.platform(environment, clock)
        if unattended and not journals.is_anything_left(ports.left):
            say("recover: no run has left anything changed")
            return Verdict.PASS.exit_code
        ports = _locked(ports, environment, identity, wait_s=0.0 if unattended else _WAITS_S)
        try:
            with renewed(ports.lock):
                found = journals.recover(ports.left, ports.undo, ports.clock, ports.lock.check)
                whole = all(undone.restored for undone in found)
                served = _served(ports) if found and whole and not unattended else None
        finally:
            ports.lock.release()
    except (LockHeld, LockLost) as error:
        say(f"recover: {error}")
        return Verdict.PASS.exit_code if unattended else Verdict.INCONCLUSIVE.exit_code
    except Unreachable as error:
        say(f"recover: {error}")
        return Verdict.INCONCLUSIVE.exit_code
    for undone in found:
        say(_sentence(undone))
    if not found:
        say("recover: no run has left anything changed")
    if served is not None:
        say(printable(f"recover: {served.text}"))
    if not whole:
        return _not_whole(environment, say)
    return Verdict.PASS.exit_code if served is None or served.holds else Verdict.INCONCLUSIVE.exit_code


def _locked(ports: Platform, environment: Environment, identity: str, *, wait_s: float) -> Platform:
    """The ports whose lock is held; by the witness's where the primary region does not answer, as when it was lost.

    Raises:
        LockHeld: When a run goes on.
        Unreachable: When nobody keeps the lock who answers.
    """
    try:
        ports.lock.acquire(identity, wait_s=wait_s)
    except Unreachable:
        if environment.recovery is None or not environment.recovery.witness:
            raise
        ports = wiring.platform(environment, ports.clock, witnessed=True)
        ports.lock.acquire(identity, wait_s=wait_s)
    return ports


def _not_whole(environment: Environment, say: Callable[[str], None]) -> int:
    """The exit code where something was not seen undone: without the adapter it may be undone all the same."""
    try:
        wiring.check_workload(environment)
    except EnvironmentFileError as error:
        say(
            printable(
                "recover: without the workload's adapter nobody can tell who answers: put it where the environment "
                f"file names it, and recover again: {error}"
            )
        )
        return Verdict.INCONCLUSIVE.exit_code
    return Verdict.FAIL.exit_code


def _served(ports: Platform) -> Observation:
    """Whether users are served, which pods that are ready do not say."""

    def look() -> Observation:
        unserved = ports.unserved()
        return Observation(not unserved, unserved or "the public is served", ports.clock.now())

    seen = wait_for(look, ports.clock, deadline_s=_SERVED_WITHIN_S, pace_s=0.5)
    if seen.holds:
        return seen
    return replace(seen, text=f"all is put back, and {seen.text}, {_SERVED_WITHIN_S:g} s later: look at it yourself")


def _sentence(undone: Restoration) -> str:
    said = "put back" if undone.restored else "NOT put back"
    change = undone.change
    return printable(f"recover: {said}: {change.action} of {change.drill} in {change.run_id}: {undone.text}")
