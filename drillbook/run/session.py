"""One run from its lock to its verdict."""

from __future__ import annotations

import getpass
import os
import socket
import sys
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from drillbook import __version__
from drillbook.domain.verdict import Verdict, merge
from drillbook.ports import LockLost, Unreachable
from drillbook.run import redaction
from drillbook.run.clock import SteadyClock
from drillbook.run.folder import ENVIRONMENT, FOLDER_VARIABLE, RunFolder, write_json, write_text
from drillbook.run.renewal import RENEW_EVERY_S
from drillbook.run.watchdog import BEAT_EVERY_S

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from drillbook.domain.environment import Environment
    from drillbook.ports import Holder, Lock
    from drillbook.run.resumption import Earlier
    from drillbook.run.watchdog import Watchdog

STOPS_UNRENEWED_AFTER_S = 10.0
"""Less than a lock lasts without renewal, counted from when the last one that was made was begun."""

_AGAIN_AFTER_S = 1.0
"""Before another renewal where one was not answered: one lost answer must not be what stops a run."""

_NOT_ENDED = "no renewal has come to its end"


@dataclass(slots=True)
class Session:
    """A run that is going on.

    Attributes:
        folder: Its folder.
        clock: Its clock.
        holder: Our holding of the environment's lock.
        lock: The lock, renewed by a thread of its own.
        watchdog: Undoes what the run has changed when this process dies or hangs.
        unkept: Why the lock may not have been the run's own to the end; empty when it was, or has not ended yet.
    """

    folder: RunFolder
    clock: SteadyClock
    holder: Holder
    lock: Lock
    watchdog: Watchdog
    _document: dict[str, Any]
    unkept: str = ""
    _renewed_s: float = 0.0
    _unanswered: str = _NOT_ENDED
    _lost: str = ""
    _ended: threading.Event = field(default_factory=threading.Event)
    _verdicts: list[Verdict] = field(default_factory=list[Verdict])
    _released: dict[str, set[str]] = field(default_factory=dict[str, set[str]])
    _mixed: set[str] = field(default_factory=set[str])
    _threads: list[threading.Thread] = field(default_factory=list[threading.Thread])

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
        watchdog: Callable[[RunFolder, SteadyClock], Watchdog],
        begun: Callable[[Path], None],
        left_out: Sequence[str] = (),
        resumed: Earlier | None = None,
        plan: str = "",
    ) -> Session:
        """Take the lock and make the folder.

        Args:
            environment: Where.
            runs: Parent of the run folders.
            lock: The environment's.
            wait_s: How long to wait for somebody else's run, in seconds.
            requested: Names of the drills.
            versions: Of everything involved, for the record.
            lost: Called from a thread when the lock is lost or cannot be renewed, with the reason; has to stop the run.
            watchdog: Makes the run's watchdog, which is started before anything can be changed.
            begun: Told the run's folder as soon as that says whose run it is.
            left_out: Names of the drills that another run has here, and this one not; who reads the verdict is told.
            resumed: The run that this one goes on with, if any; it began when that did.
            plan: Digest of what it means to do, by which another run can tell whether it would do the same.

        Raises:
            LockHeld: When somebody else is inside for longer than `wait_s`.
            FolderError: When the folder cannot be made; the lock is given back.
        """
        clock = SteadyClock.starting_now()
        identity = f"{getpass.getuser()}@{socket.gethostname()} process {os.getpid()}"
        holder = lock.acquire(identity, wait_s=wait_s)
        try:
            folder = RunFolder.create(runs, environment.name, clock.now())
            shown = redaction.text(environment.file.read_text(encoding="utf-8"))
            write_text(folder.path / ENVIRONMENT, shown)
            document = {
                "run_id": folder.run_id,
                "drillbook_version": __version__,
                "environment": {
                    "name": environment.name, "tier": environment.tier, "file": environment.file.name,
                    "sha256": environment.sha256,
                    "contexts": {region.name: region.context for region in environment.regions.values()},
                },
                "who": {"user": getpass.getuser(), "host": socket.gethostname()},
                "clock": clock.as_document(),
                "fencing": holder.fencing, "lock": {"identity": holder.identity, "kept_by": holder.kept_by},
                "started_s": clock.now(), "finished_s": None, "verdict": None, "exit_code": None,
                "requested": list(requested), "left_out": list(left_out), "plan": plan,
                "versions": {"python": sys.version.split()[0], **versions},
            }  # fmt: skip
            if resumed is not None:
                document |= {
                    "started_s": resumed.document["started_s"],
                    "continues": resumed.reference,
                }
            folder.write_run(document)
            begun(folder.path)
            if resumed is not None:
                resumed.copy_into(folder)
        except BaseException:
            lock.release()
            raise
        try:
            # Whatever this run starts inherits its mark, by which the watchdog finds it.
            os.environ[FOLDER_VARIABLE] = str(folder.path)
            guarding = watchdog(folder, clock)
            guarding.start()
        except BaseException:
            verdict = Verdict.INCONCLUSIVE
            ending = {"verdict": str(verdict), "exit_code": verdict.exit_code, "interrupted": True}
            folder.write_run({**document, "finished_s": clock.now(), **ending})
            lock.release()
            raise
        session = cls(folder, clock, holder, lock, guarding, document, _renewed_s=time.monotonic())
        for drill in resumed.kept if resumed is not None else ():
            session._count(drill, Verdict(str(drill["verdict"])))
        session._threads = [
            threading.Thread(target=session._renew, args=(lost,), name="lock renewal", daemon=True),
            threading.Thread(target=session._beat, args=(lost,), name="heartbeat", daemon=True),
        ]
        for thread in session._threads:
            thread.start()
        return session

    def finish_drill(self, drill_id: str, document: Mapping[str, Any], verdict: Verdict) -> None:
        """Write a drill's record and count its verdict; a release that a passed drill let stay was shown good.

        Unless it ran from other images in another drill: then its version is no one release.

        Raises:
            FolderError: When the record cannot be written; then nothing is counted.
        """
        write_json(self.folder.drill(drill_id) / "drill.json", {**document, "id": drill_id, "verdict": str(verdict)})
        self._count(document, verdict)

    def count_unrecorded(self, verdict: Verdict) -> None:
        """Count what was seen of a drill that could not be ended in good order; it let no release stay."""
        self._verdicts.append(verdict)

    def _count(self, document: Mapping[str, Any], verdict: Verdict) -> None:
        self._verdicts.append(verdict)
        if verdict is Verdict.PASS and document.get("let_stay"):
            version, images = str(document["let_stay"]), set(document.get("images", ()))
            known = self._released.setdefault(version, set())
            if known and images and known != images:
                self._mixed.add(version)
            known |= images

    def close(self, *, interrupted: bool = False, left_changed: bool = False) -> Verdict:
        """Give the lock back and write the run's verdict down; it passes only if all that was asked for was drilled.

        Nor does it where the lock may have lapsed by now, or turns out to be lost: somebody else may have been inside.

        Args:
            interrupted: Whether it was ended before its time; then it never passes.
            left_changed: Whether something could not be put back; then it fails.
        """
        verdict = merge([*self._verdicts, *([Verdict.FAIL] if left_changed else [])])
        lacking = len(self._verdicts) < len(self._document["requested"])
        lapsed = self._lapsed()
        self._ended.set()
        for thread in self._threads:
            thread.join(RENEW_EVERY_S * 2)
        self.unkept = self._lost or lapsed
        interrupted = interrupted or bool(self.unkept)
        if (interrupted or lacking) and verdict is Verdict.PASS:
            verdict = Verdict.INCONCLUSIVE
        try:
            self._document |= {
                "finished_s": self.clock.now(), "verdict": str(verdict), "exit_code": verdict.exit_code,
                "released": sorted({*self._released} - self._mixed), "drilled": len(self._verdicts),
                "interrupted": interrupted, "left_changed": left_changed, "unkept": self.unkept,
                "images": {version: sorted(images) for version, images in self._released.items()},
                "watchdog_restarts": self.watchdog.restarts,
            }  # fmt: skip
            self.folder.write_run(self._document)
        finally:
            os.environ.pop(FOLDER_VARIABLE, None)
            self.watchdog.dismiss()
            self.lock.release()
        return verdict

    def _renew(self, lost: Callable[[str], None]) -> None:
        """Renew until the run ends; an API server that is away for a moment is asked again, a lost lock is final.

        That a renewal does not come to its end is told by another thread: this one would wait with it.
        """
        pause_s = RENEW_EVERY_S
        while not self._ended.wait(pause_s):
            # The server may have written it at any moment from now on, and from then on it lasts.
            began_s = time.monotonic()
            try:
                self.lock.renew()
                self._renewed_s, self._unanswered, pause_s = began_s, _NOT_ENDED, RENEW_EVERY_S
            except LockLost as error:
                self._lost = str(error)
                if not self._ended.is_set():
                    lost(self._lost)
                return
            except Unreachable as error:
                self._unanswered, pause_s = str(error), _AGAIN_AFTER_S

    def _lapsed(self) -> str:
        """Why the lock may soon be somebody else's; empty while it cannot.

        A lock that is not renewed lapses, and somebody else may then come in: before that the run has to stop.
        """
        silent_s = time.monotonic() - self._renewed_s
        if silent_s <= STOPS_UNRENEWED_AFTER_S:
            return ""
        return f"the environment's lock could not be renewed for {silent_s:.0f} s: {self._unanswered}"

    def _beat(self, lost: Callable[[str], None]) -> None:
        """Tell the watchdog that the runner lives, without one nothing more is changed; stop before the lock lapses."""
        told = False
        while not self._ended.wait(BEAT_EVERY_S):
            lapsed = "" if self._lost else self._lapsed()
            if lapsed and not told:
                lost(lapsed)
            told = bool(lapsed)
            try:
                self.watchdog.beat()
            except OSError as error:
                lost(f"the watchdog is gone and cannot be started again: {error.strerror}")
                return
