"""The watchdog's process: `python -m drillbook.beside.watchdog ENVIRONMENT RUN_FOLDER CLOCK RUNNER_PID PIPE`."""

from __future__ import annotations

import contextlib
import functools
import logging
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from drillbook import wiring
from drillbook.domain.verdict import Verdict
from drillbook.ports import LockLost, Unreachable
from drillbook.run import processes, redaction
from drillbook.run.clock import SteadyClock
from drillbook.run.environment import EnvironmentFileError
from drillbook.run.folder import FOLDER_VARIABLE, FolderError, RunFolder
from drillbook.run.journal import UNDO_WITHIN_S, persistently
from drillbook.run.renewal import renewed
from drillbook.run.timeline import Timeline
from drillbook.run.watchdog import end_of_runner

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from drillbook.domain.environment import Environment
    from drillbook.domain.undo import Restoration
    from drillbook.platform import Platform

_log = logging.getLogger("watchdog")


def main(arguments: Sequence[str]) -> int:
    """Wait for the runner's end; 0 when there was nothing to undo or all of it is undone, else 1."""
    name, folder, anchor, runner, pipe = arguments
    # What ends a terminal or a job is sent to every process: this one has still to put the platform back.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    redaction.learn_inherited()
    redaction.guard_streams()
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    environment = functools.cache(functools.partial(_environment, name))
    # As the run has read it: it may be edited meanwhile. One that has faults by now may be mended until it is needed.
    with contextlib.suppress(Unreachable):
        environment()
    reason = end_of_runner(int(pipe))
    if not reason:
        return 0
    _log.info("%s: its processes are ended and its changes undone", reason)
    run = RunFolder(Path(folder))
    processes.kill(int(runner))
    ended = processes.end({FOLDER_VARIABLE: str(run.path)})
    _log.info("ended the processes %s", ended)
    clock = SteadyClock.parse(anchor)
    timeline = Timeline(run.path / "timeline.jsonl", "", clock)
    timeline.record_on_the_way_back("detected", f"{reason}; the watchdog puts the platform back")
    try:
        found = _undo(run, _ports(run, environment, clock))
    except LockLost as error:
        timeline.record_on_the_way_back("note", f"left to the new holder of the lock: {error}")
        return 0
    except Exception as error:  # noqa: BLE001 -- nobody else is left who could say that nothing is put back
        _log.exception("nothing is put back")
        text = f"nothing is put back; call `drillbook recover`: {error}"
        timeline.record_on_the_way_back("note", text, by="watchdog", failed=True)
        _close(run, clock, reason)
        return 1
    for undone in found:
        kind = "recovered" if undone.restored else "note"
        timeline.record_on_the_way_back(kind, undone.text, at_s=undone.at_s, by="watchdog", failed=not undone.restored)
    _close(run, clock, reason)
    return 0 if all(undone.restored for undone in found) else 1


def _environment(name: str) -> Environment:
    """The run's environment; what releases are made from is not needed to take them back.

    Raises:
        Unreachable: When its file is away, or has faults.
    """
    try:
        return wiring.read_environment(name, releases=False)
    except EnvironmentFileError as error:
        _log.warning("%s", error)
        raise Unreachable(str(error)) from error


def _ports(run: RunFolder, environment: Callable[[], Environment], clock: SteadyClock) -> Platform:
    """Made as soon as they can be: a network, or a command that gives a credential, may be away like an API server.

    Raises:
        Unreachable: When they can not, for as long as an undo is tried.
    """
    return persistently(
        lambda: wiring.platform(environment(), clock, witnessed=wiring.is_witnessed(run)),
        clock,
        clock.now() + UNDO_WITHIN_S,
    )


def _undo(run: RunFolder, ports: Platform) -> list[Restoration]:
    """Under the dead run's own lock, so that nobody comes in between."""
    journal = wiring.adopted(run, ports)
    give_up_s = ports.clock.now() + UNDO_WITHIN_S
    persistently(ports.lock.renew, ports.clock, give_up_s)
    with renewed(ports.lock):
        found = journal.undo_all(ports.undo, ports.clock)
    try:
        persistently(ports.lock.release, ports.clock, give_up_s)
    except Unreachable as error:
        _log.warning("the lock is not given back, and lapses: %s", error)
    return found


def _close(run: RunFolder, clock: SteadyClock, reason: str) -> None:
    """The run's record says how it ended; it has proved nothing."""
    verdict = Verdict.INCONCLUSIVE
    ending = {"finished_s": clock.now(), "verdict": str(verdict), "exit_code": verdict.exit_code, "interrupted": True}
    try:
        run.write_run({**run.read_run(), **ending, "ended_by": f"watchdog: {reason}"})
    except FolderError as error:
        _log.warning("%s", error)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
