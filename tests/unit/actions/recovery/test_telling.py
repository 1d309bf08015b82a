"""A recovery tells whom its runbook names, and neither waits for that nor fails by it."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from drillbook.actions.recovery.tell import Teller
from drillbook.activities import recovery as recovery_activities
from drillbook.domain.communication import AUDIENCES, Notice
from drillbook.domain.interval import Interval
from drillbook.domain.measurement import Window
from drillbook.domain.runbook import STEPS, step
from drillbook.ports import Unreachable
from probes.communication import untold


class Channel:
    def __init__(self, audience, sent, error=""):
        self.audience, self.sent, self.error = audience, sent, error

    def send(self, text):
        if self.error:
            raise Unreachable(self.error)
        self.sent.append((self.audience, text))


def teller(world, sent, *, error="", received=None, audiences=tuple(AUDIENCES)):
    channels = {audience: (lambda audience=audience: Channel(audience, sent, error)) for audience in audiences}
    return Teller(channels, world, received)


def ended():
    for thread in threading.enumerate():
        if thread.name.startswith("tell of "):
            thread.join(10)


def take(drill, step):
    recovery_activities.take_step(step)
    ended()
    return [event for event in drill.events() if event.data.get("activity") == "tell"]


@pytest.fixture
def sent():
    return []


def test_a_step_tells_whom_its_runbook_names_once_it_is_done(drill, world, recovery, sent) -> None:
    drill.platform.recovery = replace(recovery, teller=teller(world, sent))
    told = take(drill, "fence-primary")
    assert [audience for audience, _ in sent] == ["incident"]
    assert "the database in east is fenced and takes no writes from now on" in sent[0][1]
    assert "fence-primary" in sent[0][1]
    done = next(event for event in drill.events() if event.kind == "observed")
    assert [(it.data["accepted"], it.data["arrived"], it.t_s >= done.t_s) for it in told] == [(True, None, True)]


def test_what_is_planned_is_told_before_it_begins(drill, world, recovery, sent) -> None:
    drill.platform.recovery = replace(recovery, teller=teller(world, sent))
    told = take(drill, "switch-over")
    assert [(audience, "moves" in text) for audience, text in sent] == [("writers", True), ("writers", False)]
    kinds = [it.data.get("activity") or it.kind for it in drill.events() if it.data.get("action") or it in told]
    assert kinds.index("tell") < kinds.index("intent")
    assert [it.data["before"] for it in told] == [True, False]


def test_who_writes_is_told_of_the_way_back_of_a_planned_switch_as_well(drill, world, recovery, sent) -> None:
    drill.platform.recovery = replace(recovery, teller=teller(world, sent))
    take(drill, "switch-over")
    recovery_activities.put_back()
    ended()
    assert [text.partition("] ")[2].partition(";")[0] for _, text in sent] == [
        "the database moves from east to west now",
        "the database has moved to west",
        "the database moves from west to east now",
        "the database has moved to east",
    ]
    plan = [(name, step(name, {"home": "east", "away": "west"}).tell) for name in ("switch-over", "switch-back")]
    measured = untold(drill.events(), plan, Window(1000.0, world.now()), within_s=60.0)
    assert (measured.interval, measured.samples, measured.doubts) == (Interval.exactly(0), 4, ())


def test_a_switch_that_could_not_be_taken_back_is_told_to_nobody_as_done(drill, world, recovery, east, sent) -> None:
    drill.platform.recovery = replace(recovery, teller=teller(world, sent))
    take(drill, "switch-over")
    east.host_reachable = False
    assert not recovery_activities.put_back()["all"]
    ended()
    assert "moved to east" not in sent[-1][1]


@pytest.mark.parametrize(
    ("error", "audiences", "words"),
    [("the channel is gone", tuple(AUDIENCES), "the channel is gone"), ("", ("status",), "nobody has said where")],
)
def test_whoever_cannot_be_told_is_written_down_and_the_step_is_taken(  # noqa: PLR0917 - fixtures and a table
    drill, world, recovery, error, audiences, words
) -> None:
    drill.platform.recovery = replace(recovery, teller=teller(world, [], error=error, audiences=audiences))
    (told,) = take(drill, "fence-primary")
    assert (told.data["accepted"], words in told.text) == (False, True)
    assert "fence-primary" in [it.data.get("action") for it in drill.events() if it.kind == "observed"]


def test_a_receiver_that_lost_it_is_seen(world, sent) -> None:
    notice = Notice("incident", "hear")
    assert teller(world, sent, received=lambda: frozenset({"hear this"})).tell(notice, "hear this").arrived is True
    lost = teller(world, sent, received=frozenset).tell(notice, "hear this")
    assert (lost.accepted, lost.arrived) == (True, False)


def test_without_channels_nobody_is_told(drill) -> None:
    assert take(drill, "fence-primary") == []


def test_only_planned_steps_wait_for_people() -> None:
    waiting = {name for name, step in STEPS.items() if any(notice.before for notice in step.tell)}
    assert waiting == {"switch-over"}
