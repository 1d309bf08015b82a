"""What is lost when both servers go: the recovery point allows what was before, and nothing may be lost since."""

from __future__ import annotations

import pytest

from drillbook.domain.measurement import Window
from drillbook.domain.undo import FAULT
from drillbook.domain.verdict import Verdict
from drillbook.drills import recovery as recovery_drill
from drillbook.drills.seen import NotReady
from features.sentences import say
from tests.unit.actions.recovery.test_judged_again import drill, leave_rows, users
from tests.unit.probes.test_of_recoveries import fail, ledger

__all__ = ["drill"]

SENTENCES = (
    "at most the last 1 h of what was acknowledged was lost with them",
    "nothing is missing that was acknowledged once the restored server took writes, and no event is there twice",
)
LOST_S, RESTORED_S, SEEN_S = 20.5, 60.0, 66.0
"""After the drill's begin: both servers are gone, one takes writes again, and is seen to."""


@pytest.mark.parametrize(
    ("lost", "since_restore"),
    [
        ((19.0, LOST_S), Verdict.PASS),
        ((RESTORED_S + 1.0, RESTORED_S + 3.0), Verdict.FAIL),
        ((SEEN_S + 1.0, SEEN_S + 3.0), Verdict.FAIL),
    ],
    ids=["with them", "before it was seen", "since it was seen"],
)
def test_what_the_restored_server_acknowledged_and_lost_counts_however_late_it_was_seen(
    drill, world, lost, since_restore
) -> None:
    begun_s = drill.started_s
    for after_s, kind, action in (
        (20.0, "intent", FAULT),
        (LOST_S, "observed", FAULT),
        (40.0, "intent", "restore-server"),
        (SEEN_S, "observed", "restore-server"),
    ):
        drill.timeline.record(kind, "", at_s=begun_s + after_s, action=action)
    world.sleep(100.0)
    drill.seen.window = Window(begun_s, world.now())
    table = users(drill.seen.window)
    fail(table, begun_s + LOST_S, begun_s + RESTORED_S)
    gone = (begun_s + lost[0], begun_s + lost[1])
    leave_rows(drill.folder / "load", table, ledger(table, lost=gone))
    for sentence in SENTENCES:
        say(drill, sentence)
    found = {it.objective.id: it.verdict for it in drill.judgements}
    assert found == {
        "recovery.point": Verdict.PASS,
        "recovery.lost_since_restore": since_restore,
        "data.duplicated": Verdict.PASS,
    }


def test_nothing_is_measured_from_a_restore_that_never_was(drill) -> None:
    with pytest.raises(NotReady, match="never came to restore-server"):
        recovery_drill.restored(drill)
