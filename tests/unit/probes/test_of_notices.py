"""Everybody of the plan was told, in time, and it arrived: each way of failing is seen."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from drillbook.domain.communication import Notice
from drillbook.domain.measurement import Window
from probes.communication import untold

PLAN = [
    ("switch-over", (Notice("writers", "it moves", before=True), Notice("writers", "it has moved"))),
    ("verify-writes", (Notice("incident", "kept"),)),
]


def event(t_s, kind, **data):
    return SimpleNamespace(t_s=t_s, kind=kind, text="", data=data)


def told(t_s, step, audience, *, before=False, due_s=0.0, accepted=True, arrived=True):
    return event(t_s, "note", activity="tell", step=step, audience=audience, before=before, accepted=accepted,
                 arrived=arrived, due_s=due_s)  # fmt: skip


def story():
    return [
        told(9.0, "switch-over", "writers", before=True, due_s=9.0),
        event(10.0, "intent", action="switch-over"),
        event(15.0, "observed", action="switch-over"),
        told(16.0, "switch-over", "writers", due_s=15.0),
        event(20.0, "recovered", activity="verify-writes"),
        told(21.0, "verify-writes", "incident", due_s=20.0),
    ]


def missing(events, plan=PLAN):
    return untold(events, plan, Window(0.0, 30.0), within_s=5.0)


def test_everybody_told_is_nobody_missing() -> None:
    found = missing(story())
    assert (found.interval.low, found.interval.high, found.samples, found.doubts) == (0, 0, 3, ())


@pytest.mark.parametrize(
    ("index", "instead"),
    [
        (0, None),
        (0, told(12.0, "switch-over", "writers", before=True, due_s=9.0)),
        (3, told(20.1, "switch-over", "writers", due_s=15.0)),
        (3, told(16.0, "switch-over", "writers", due_s=15.0, accepted=False)),
        (3, told(16.0, "switch-over", "writers", due_s=15.0, arrived=False)),
        (3, told(16.0, "switch-over", "status", due_s=15.0)),
        (5, told(21.0, "switch-over", "incident", due_s=20.0)),
    ],
    ids=["never", "after the change had begun", "too late", "not taken", "never arrived", "somebody else", "else step"],
)
def test_whoever_was_not_told_is_counted(index, instead) -> None:
    events = story()
    events[index : index + 1] = [] if instead is None else [instead]
    found = missing(events)
    assert (found.interval.low, found.interval.high) == (1, 1)


def test_where_nobody_can_be_asked_what_arrived_being_taken_is_enough() -> None:
    events = story()
    events[3] = told(16.0, "switch-over", "writers", due_s=15.0, arrived=None)
    assert missing(events).interval.high == 0


def test_a_step_that_is_taken_twice_is_told_twice() -> None:
    found = missing(story(), [*PLAN, PLAN[1]])
    assert found.interval.low == 1


def test_a_step_that_was_never_seen_done_proves_nothing() -> None:
    found = missing(story()[:4])
    assert found.interval is None
    assert "verify-writes was never seen done" in found.doubts[0]


def test_a_plan_without_a_notice_proves_nothing() -> None:
    assert missing(story(), [("switch-over", ())]).interval is None
