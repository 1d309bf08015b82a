"""Notices of a drill's recovery: sent as its steps go on, and written down with what became of each."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from drillbook.domain import runbook
from drillbook.run import redaction

if TYPE_CHECKING:
    from drillbook.actions.recovery.plan import Recovery
    from drillbook.actions.recovery.tell import Teller
    from drillbook.domain.communication import Notice
    from drillbook.wiring import Experiment

ACTIVITY = "tell"


def before(drill: Experiment, recovery: Recovery, step: str) -> None:
    """Tell what is to be known before a step; it waits for that, since only planned steps have such notices."""
    for teller, notice in _notices(recovery, step, before=True):
        _tell(drill, teller, step, notice, drill.clock.now())


def after(drill: Experiment, recovery: Recovery, step: str) -> None:
    """Tell of a step that is done, while the recovery goes on: it must not take longer for that."""
    done_s = drill.clock.now()
    for teller, notice in _notices(recovery, step, before=False):
        # No daemon: the experiment's process ends once everybody was told, or could not be.
        threading.Thread(target=_tell, args=(drill, teller, step, notice, done_s), name=f"tell of {step}").start()


def _notices(recovery: Recovery, step: str, *, before: bool) -> list[tuple[Teller, Notice]]:
    teller = recovery.teller
    if teller is None:
        return []
    told = runbook.step(step, {"home": recovery.home, "away": recovery.away}).tell
    return [(teller, notice) for notice in told if notice.before == before]


def _tell(drill: Experiment, teller: Teller, step: str, notice: Notice, due_s: float) -> None:
    run = drill.folder.parents[1].name
    sent = teller.tell(notice, redaction.text(f"[drill {run}, {step} at {due_s:.3f}] {notice.text}"))
    drill.timeline.record_on_the_way_back(
        "note", redaction.text(sent.text), at_s=sent.at_s, activity=ACTIVITY, step=step, audience=notice.audience,
        before=notice.before, accepted=sent.accepted, arrived=sent.arrived, due_s=due_s,
    )  # fmt: skip
