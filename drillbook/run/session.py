"""One run from its lock to its verdict."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import sys
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from drillbook import __version__
from drillbook.domain.verdict import Verdict, merge
from drillbook.ports import LockLost, Unreachable
from drillbook.run.clock import SteadyClock
from drillbook.run.folder import RunFolder, write_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from drillbook.domain.environment import Environment
    from drillbook.ports import Holder, Lock

RENEW_EVERY_S = 3.0


@dataclass(slots=True)
class Session:
    """A run that is going on.

    Attributes:
        folder: Its folder.
        clock: Its clock.
        holder: Our holding of the environment's lock.
        lock: The lock, renewed by a thread of its own.
    """

    folder: RunFolder
    clock: SteadyClock
    holder: Holder
    lock: Lock
    _document: dict[str, Any]
    _ended: threading.Event = field(default_factory=threading.Event)
    _verdicts: list[Verdict] = field(default_factory=list[Verdict])
    _renewer: threading.Thread | None = None

    @classmethod
    def open(
        cls,
        environment: Environment,
        runs: Path,
        lock: Lock,
        *,
        wait_s: float,
        requested: Sequence[str],
        versions: Mapping[str, str],
        lost: Callable[[str], None],
    ) -> Session:
        """Take the lock and make the folder.

        Args:
            environment: Where.
            runs: Parent of the run folders.
            lock: The environment's.
            wait_s: How long to wait for somebody else's run, in seconds.
            requested: Names of the drills.
            versions: Of everything involved, for the record.
            lost: Called from the renewing thread when the lock is lost, with the reason; has to stop the run.

        Raises:
            LockHeld: When somebody else is inside for longer than `wait_s`.
            FolderError: When the folder cannot be made; the lock is given back.
        """
        clock = SteadyClock.starting_now()
        identity = f"{getpass.getuser()}@{socket.gethostname()} process {os.getpid()}"
        holder = lock.acquire(identity, wait_s=wait_s)
        try:
            folder = RunFolder.create(runs, environment.name, clock.now())
            shutil.copyfile(environment.file, folder.path / "environment.yaml")
            document = {
                "run_id": folder.run_id,
                "drillbook_version": __version__,
                "environment": {
                    "name": environment.name, "tier": environment.tier, "file": environment.file.name,
                    "sha256": environment.sha256,
                },
                "who": {"user": getpass.getuser(), "host": socket.gethostname()},
                "clock": {"wall_s": clock.wall_s, "monotonic_s": clock.monotonic_s},
                "fencing": holder.fencing,
                "started_s": clock.now(), "finished_s": None, "verdict": None, "exit_code": None,
                "requested": list(requested),
                "versions": {"python": sys.version.split()[0], **versions},
            }  # fmt: skip
            folder.write_run(document)
        except BaseException:
            lock.release()
            raise
        session = cls(folder, clock, holder, lock, document)
        session._renewer = threading.Thread(target=session._renew, args=(lost,), name="lock renewal", daemon=True)
        session._renewer.start()
        return session

    def finish_drill(self, drill_id: str, document: Mapping[str, Any], verdict: Verdict) -> None:
        """Write a drill's record and count its verdict."""
        self._verdicts.append(verdict)
        write_json(self.folder.drill(drill_id) / "drill.json", {**document, "id": drill_id, "verdict": str(verdict)})

    def close(self, *, interrupted: bool = False) -> Verdict:
        """Give the lock back and write the run's verdict down; an interrupted run never passes."""
        verdict = merge(self._verdicts)
        if interrupted and verdict is Verdict.PASS:
            verdict = Verdict.INCONCLUSIVE
        self._ended.set()
        if self._renewer is not None:
            self._renewer.join(RENEW_EVERY_S * 2)
        try:
            self._document |= {
                "finished_s": self.clock.now(), "verdict": str(verdict), "exit_code": verdict.exit_code,
                "interrupted": interrupted,
            }  # fmt: skip
            self.folder.write_run(self._document)
        finally:
            self.lock.release()
        return verdict

    def _renew(self, lost: Callable[[str], None]) -> None:
        """Renew until the run ends; an API server that is away for a moment is asked again, a lost lock is final."""
        while not self._ended.wait(RENEW_EVERY_S):
            try:
                self.lock.renew()
            except LockLost as error:
                lost(str(error))
                return
            except Unreachable:
                continue
