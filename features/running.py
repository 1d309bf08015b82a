"""What a pytest session of drills keeps while it goes on, and what whoever looks on asks of it."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from drillbook import wiring
from drillbook.domain.titles import numbered
from drillbook.domain.verdict import Verdict
from drillbook.drills import recovery
from drillbook.drills.drill import Drill
from drillbook.drivers.live import LiveRecord
from drillbook.run import guard, planning
from drillbook.run.monitor import RunningRecord
from drillbook.run.stopping import Stop

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from drillbook.domain.environment import Environment
    from drillbook.drills.inspection import Inspection
    from drillbook.run.resumption import Earlier
    from drillbook.terminal import Live


class Running:
    """What a pytest session of drills keeps.

    Attributes:
        environment: Where it drills.
        allowed: Asks the guard; answers until when the run is approved, in seconds since the epoch.
        verdicts: Of the drills so far.
        stop: Why it has to end, and whether it may now.
        drill: That is going on.
        touches: Whether any drill needs the platform.
        plan: Digest of what is meant to be done.
        resumed: The run that it goes on with.
        names: Ids that drills have.
        live: What a terminal is shown.
        folder: Of the run, once there is one.
        running_record: What the users of the drill are answered.
    """

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

    def refuse(self, reason: str) -> NoReturn:
        """End the session before any drill; said here, since pytest's own reporter may be off."""
        if self.live is not None:
            sys.stderr.write(f"{reason}\n")
        pytest.exit(reason, returncode=Verdict.INCONCLUSIVE.exit_code)

    def still_allowed(self) -> float:
        """See `allowed`, once the environment is ours: somebody else's run may have been waited for, for long."""
        try:
            return self.allowed()
        except (planning.PlanError, guard.Refused) as error:
            self.stop.told = True
            self.refuse(str(error))

    def stop_because(self, reason: str) -> None:
        """The lock is someone else's, or the guard ends the run: stop as on Ctrl-C, which undoes."""
        if not self.stop.because(reason):
            return
        if self.drill is not None:
            self.drill.timeline.record_on_the_way_back("decided", f"stop: {reason}", activity="guard")
        with contextlib.suppress(OSError, ValueError):  # a terminal that is gone keeps nothing from ending
            sys.stderr.write(f"{reason}\n")

    def live_answers(self) -> list[dict[str, Any]]:
        """What the users of the drill that is going on have been answered since this was last asked."""
        drill = self.drill
        if not isinstance(drill, Drill):
            return []
        folder = drill.folder / "load"
        if self.running_record is None or self.running_record.folder != folder:
            self.running_record = RunningRecord(folder, LiveRecord(folder / "live.jsonl"))
        lines = self.running_record()
        return [] if recovery.suffers(drill) and not recovery.serves_again(drill) else lines

    def serving(self, looking_at: wiring.Platform) -> tuple[int, int]:
        """Ready and wanted pods; none is missed whose region or database is taken away on purpose."""
        return (1, 1) if self.is_taken_away() else wiring.serving(looking_at)

    def is_taken_away(self) -> bool:
        """Whether the drill that is going on has what serves the public taken away, or moved."""
        drill = self.drill
        return isinstance(drill, Drill) and (recovery.suffers(drill) or recovery.moves_database(drill))
