"""The guard while a run goes on: a stop file, the longest duration, the blast radius, and users' bad answers."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from drillbook.ports import Unreachable
from drillbook.run import guard

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from drillbook.domain.environment import Environment

LOOK_EVERY_S = 0.5
BLIND_FOR_S = 10.0
"""A guard that could not look for this long stops the run."""


@dataclass(slots=True)
class Monitor:
    """Looks on in a thread of its own and stops the run, once, with the reason.

    Attributes:
        environment: Whose guard.
        serving: Ready and wanted pods of the slot that has the public's traffic; may raise Unreachable.
        live: New lines of the load's running record; empty while there is no load.
        now: The run's clock, in seconds since the epoch.
        stop: Told the reason; has to stop the run.
    """

    environment: Environment
    serving: Callable[[], tuple[int, int]]
    live: Callable[[], list[dict[str, Any]]]
    now: Callable[[], float]
    stop: Callable[[str], None]
    _answers: deque[tuple[float, int, int]] = field(default_factory=lambda: deque[tuple[float, int, int]](maxlen=4000))
    _ended: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """From now on."""
        self._thread = threading.Thread(target=self._watch, name="guard", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """No longer."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join(BLIND_FOR_S)

    def reason(self, began_s: float) -> str:
        """Why the run has to stop; empty while it may go on.

        Args:
            began_s: When it began, in seconds since the epoch on the run's clock.

        Raises:
            Unreachable: When that cannot be seen.
        """
        settings = self.environment.guard
        if guard.must_stop(self.environment):
            return f"the stop file {settings.stop_file} has appeared"
        if self.now() - began_s > settings.max_duration_s:
            return f"the run has lasted longer than guard.max_duration ({settings.max_duration_s:.0f} s)"
        if settings.burn is not None:
            self._answers.extend(_counted(line) for line in self.live())
            if settings.burn.exceeded(self._answers, self.now()):
                return (
                    f"users had more than {settings.burn.bad_share:.0%} bad answers for {settings.burn.for_s:g} s, "
                    "which guard.burn does not allow"
                )
        if settings.pods_share < 1.0:
            ready, wanted = self.serving()
            if ready < (1.0 - settings.pods_share) * wanted:
                return (
                    f"{ready} of {wanted} serving pods are ready: more than guard.pods_share "
                    f"({settings.pods_share:.0%}) are away"
                )
        return ""

    def _watch(self) -> None:
        began_s, seen_s = self.now(), time.monotonic()
        while not self._ended.wait(LOOK_EVERY_S):
            try:
                reason = self.reason(began_s)
                seen_s = time.monotonic()
            except Unreachable as error:
                blind_s = time.monotonic() - seen_s
                reason = f"the guard could not look for {blind_s:.0f} s: {error}" if blind_s > BLIND_FOR_S else ""
            except Exception as error:  # noqa: BLE001 - whatever keeps the guard from looking stops the run
                reason = f"the guard cannot be evaluated: {type(error).__name__}: {error}"
            if reason:
                self.stop(reason)
                return


def _counted(line: Mapping[str, Any]) -> tuple[float, int, int]:
    """One window of the load's running record: its end, its answers, and how many were bad."""
    versions = list(line["versions"].values())
    lost = sum(line["unanswered"].values()) + int(line["unsent"])
    bad = sum(sum(version["bad"].values()) for version in versions) + lost
    return float(line["end_s"]), sum(int(version["ok"]) for version in versions) + bad, bad
