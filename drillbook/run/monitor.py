"""The guard while a run goes on: a stop file, its length, the allowed hours, the blast radius, users' bad answers."""

from __future__ import annotations

import json
import math
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from drillbook.domain import live_window
from drillbook.domain.fault import OpenFault, overdue
from drillbook.domain.guard import too_many_away
from drillbook.ports import Unreachable
from drillbook.run import guard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from drillbook.domain.environment import Environment

LOOK_EVERY_S = 0.5
BLIND_FOR_S = 10.0
"""A guard that could not look for this long stops the run."""
QUIET_FOR_S = 3.0
"""The load's running record has a line for each quarter of a second; without one for this long nothing is known."""
TELL_AGAIN_AFTER_S = 5.0
_KEPT = 4000
"""Lines of the running record: more than the longest `guard.burn` covers."""


@dataclass(slots=True)
class _Look:
    """One thing that is looked at, in a thread of its own: one that does not come back keeps no other from looking.

    Attributes:
        at: What.
        ask: Answers why the run has to stop, empty while it may go on; raises Unreachable when that cannot be seen.
        missed: Whether it is missed when it does not come back: not one at what a drill has taken away meanwhile.
        seen_s: When it was last seen, on the monotonic clock.
        found: The reason to stop.
        unseen: Why it could not be seen last time.
    """

    at: str
    ask: Callable[[], str]
    missed: Callable[[], bool] = lambda: True
    seen_s: float = field(default_factory=time.monotonic)
    found: str = ""
    unseen: str = ""

    def once(self) -> None:
        """Look."""
        try:
            self.found = self.ask()
            self.seen_s, self.unseen = time.monotonic(), ""
        except Unreachable as error:
            self.unseen = str(error)
        except Exception as error:  # noqa: BLE001 - whatever keeps the guard from looking stops the run
            self.found = f"the guard cannot be evaluated: {self.at}: {type(error).__name__}: {error}"

    def reason(self) -> str:
        """Why the run has to stop, a guard that is blind included."""
        blind_s = time.monotonic() - self.seen_s
        if self.found or blind_s <= BLIND_FOR_S or not self.missed():
            return self.found
        return f"the guard could not look at {self.at} for {blind_s:.0f} s: {self.unseen or 'nothing answers'}"


@dataclass(slots=True)
class Monitor:
    """Looks on beside a run and stops it with the reason.

    Attributes:
        environment: Whose guard.
        serving: Ready and wanted pods of the slots that have the public's traffic; may raise Unreachable.
        live: New lines of the load's running record; empty while there is no load; may raise Unreachable.
        now: The run's clock, in seconds since the epoch.
        stop: Told the reason, and again every 5 s until `end`; has to stop the run.
        until_s: When the run's approval ends, in seconds since the epoch.
        faults: Those that are in the system now.
        taken_away: Whether the serving pods are away on purpose, with what says whether they are.
    """

    environment: Environment
    serving: Callable[[], tuple[int, int]]
    live: Callable[[], Iterable[Mapping[str, Any]]]
    now: Callable[[], float]
    stop: Callable[[str], None]
    until_s: float = math.inf
    faults: Callable[[], Sequence[OpenFault]] = tuple[OpenFault, ...]
    taken_away: Callable[[], bool] = lambda: False
    _began_s: float = field(init=False)
    _answers: deque[tuple[float, int, int]] = field(default_factory=lambda: deque[tuple[float, int, int]](maxlen=_KEPT))
    _fault: bool = False
    _looks: list[_Look] = field(default_factory=list[_Look])
    _ended: threading.Event = field(default_factory=threading.Event)
    _news: threading.Event = field(default_factory=threading.Event)
    _judge: threading.Thread | None = None

    def __post_init__(self) -> None:
        self._began_s = self.now()

    def start(self) -> None:
        """From now on."""
        self._looks = [
            _Look("the stop file", self.stop_file), _Look("the clock", self.hours), _Look("the faults", self.lives),
        ]  # fmt: skip
        if self.environment.guard.burn is not None or self.environment.guard.resilience_burn is not None:
            self._looks.append(_Look("users' answers", self.burn))
        if self.environment.guard.pods_share < 1.0:
            self._looks.append(_Look("the serving pods", self.pods, missed=lambda: not self.taken_away()))
        for look in self._looks:
            threading.Thread(target=self._keep_looking, args=(look,), name=f"guard: {look.at}", daemon=True).start()
        self._judge = threading.Thread(target=self._keep_judging, name="guard", daemon=True)
        self._judge.start()

    def end(self) -> None:
        """No longer; a look that hangs is not waited for."""
        self._ended.set()
        self._news.set()
        if self._judge is not None:
            self._judge.join(BLIND_FOR_S)

    def stop_file(self) -> str:
        """Whether it is there."""
        there = guard.must_stop(self.environment)
        return f"the stop file {self.environment.guard.stop_file} has appeared" if there else ""

    def hours(self) -> str:
        """Whether the run has used up its time."""
        settings, now_s = self.environment.guard, self.now()
        if now_s - self._began_s > settings.max_duration_s:
            return f"the run has lasted longer than guard.max_duration ({settings.max_duration_s:.0f} s)"
        if settings.windows and not any(hours.hold(now_s, now_s) for hours in settings.windows):
            return f"guard.windows ({'; '.join(str(hours) for hours in settings.windows)}) have ended"
        return "the run's approval has ended" if now_s > self.until_s else ""

    def lives(self) -> str:
        """Whether a fault has been in the system for longer than it may."""
        return overdue(self.faults(), self.now())

    def burn(self) -> str:
        """Whether users were answered worse than allowed, for longer than allowed."""
        # A database that changes places answers nobody meanwhile, as during a fault: for how long is what is drilled.
        fault = bool(self.faults()) or self.taken_away()
        allowed = self.environment.guard.burn_of(resilience=fault)
        self._answers.extend(counted(line) for line in self.live())
        if self._fault and not fault:
            # What users had of the fault was allowed for that, and counts no more.
            self._answers.clear()
        self._fault = fault
        if allowed is None or not allowed.exceeded(self._answers, self.now()):
            return ""
        return (
            f"users had more than {allowed.bad_share:.0%} bad answers for {allowed.for_s:g} s, which guard.burn does "
            "not allow"
        )

    def pods(self) -> str:
        """Whether too many pods are away."""
        share = self.environment.guard.share_of(resilience=bool(self.faults()))
        ready, wanted = self.serving()
        if not too_many_away(ready, wanted, share):
            return ""
        return f"{ready} of {wanted} serving pods are ready: more than guard.pods_share ({share:.0%}) are away"

    def _keep_looking(self, look: _Look) -> None:
        while not self._ended.wait(LOOK_EVERY_S):
            look.once()
            if look.found:
                self._news.set()
                return

    def _keep_judging(self) -> None:
        """Stop the run for the first reason; again later, as whatever the main thread was at may have swallowed it."""
        reason = ""
        while not reason:
            self._news.wait(LOOK_EVERY_S)
            if self._ended.is_set():
                return
            reason = next(filter(None, (look.reason() for look in self._looks)), "")
        self.stop(reason)
        while not self._ended.wait(TELL_AGAIN_AFTER_S):
            self.stop(reason)


@dataclass(slots=True)
class RunningRecord:
    """What the users of a drill are answered, line by line, and whether anybody still writes it down.

    Attributes:
        folder: The load's.
        lines: Gives the lines that were written since it was last asked.
    """

    folder: Path
    lines: Callable[[], list[dict[str, Any]]]
    _heard_s: float = field(default_factory=time.monotonic)

    def __call__(self) -> list[dict[str, Any]]:
        """New lines, oldest first.

        Raises:
            Unreachable: When the load says that it runs, and tells nothing.
        """
        new, quiet_s = self.lines(), time.monotonic() - self._heard_s
        if new or not self._is_due():
            self._heard_s = time.monotonic()
        elif quiet_s > QUIET_FOR_S:
            raise Unreachable(f"the load tells nothing about users' answers for {quiet_s:.0f} s; see {self.folder}")
        return new

    def _is_due(self) -> bool:
        """Whether the load runs, by its own word."""
        try:
            state: dict[str, Any] = json.loads((self.folder / "state.json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            return False
        return state.get("phase") == "running"


def counted(line: Mapping[str, Any]) -> tuple[float, int, int]:
    """One window of the load's running record: its end, its answers, and how many were bad."""
    versions = list(line["versions"].values())
    bad = sum(sum(version["bad"].values()) for version in versions) + live_window.lost(line)
    return float(line["end_s"]), sum(int(version["ok"]) for version in versions) + bad, bad
