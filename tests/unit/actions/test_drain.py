"""When an old slot was without work, as a Prometheus can tell that looks every so many seconds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import SimpleNamespace

import pytest

from drillbook import activities
from drillbook.domain.environment import Strategy
from drillbook.domain.measurement import Window
from drillbook.domain.verdict import Objective, Verdict, judge
from drillbook.ports import Sample, Unreachable
from probes import story

WINDOW = Window(0.0, 10.0)
LIMIT_S = 30.0


@dataclass
class Scraped:
    """A slot that has work until some seconds after the switch, at 1000 s, as its scrapes show it."""

    world: object
    every_s: float
    works_for_s: float
    counts: bool = True
    phase_s: float = 0.7
    up: bool = True
    history: bool = True

    def query(self, promql, *, at_s=None):
        now_s = self.world.now_s
        if not self.up or (at_s is not None and not self.history):
            raise Unreachable("Prometheus did not answer")
        asked_s = now_s if at_s is None else at_s
        seen_s = (asked_s - self.phase_s) // self.every_s * self.every_s + self.phase_s
        works = seen_s < 1000.0 + self.works_for_s
        if "in_flight" in promql:
            return [Sample({}, float(works and not self.counts), seen_s)]
        answered = min(seen_s, 1000.0 + self.works_for_s) if self.counts else 5.0
        return [Sample({}, 10 * answered, seen_s)]


@pytest.fixture
def drained(world, drill):
    """Judges the drain of a slot after a watch, by scrapes of an interval."""

    def after(works_for_s, every_s, watch_s=20.0, **how):
        drill.platform.environment = SimpleNamespace(strategy=Strategy())
        drill.platform.series = replace(drill.platform.series, scrape_interval_s=every_s)
        world.weights = {"blue": 0, "green": 100}
        drill.timeline.record("injected", "switched", action="switch-traffic")
        world.sleep(watch_s)
        drill.platform.metrics = Scraped(world, every_s, works_for_s, **how)
        activities.drain_old_slot()
        found = story.drained_after(drill.events(), WINDOW)
        return judge(Objective("release.drain", "drained", "at_most", LIMIT_S, "s"), found)

    return after


@pytest.mark.parametrize("every_s", [1.0, 4.0, 5.0, 10.0, 15.0, 20.0])
@pytest.mark.parametrize("watch_s", [12.0, 20.0, 300.0])
def test_a_slot_that_is_drained_at_once_passes_however_long_it_is_watched_before_one_looks(drained, every_s, watch_s):
    found = drained(5.0, every_s, watch_s)
    assert found.verdict is Verdict.PASS
    assert found.measurement.interval.high <= 5.0 + every_s + 0.5


@pytest.mark.parametrize("every_s", [1.0, 5.0, 15.0, 30.0])
@pytest.mark.parametrize("counts", [True, False], ids=["answers", "holds a request"])
def test_a_slot_that_is_seen_at_work_beyond_the_limit_fails(drained, every_s, counts):
    found = drained(1e9, every_s, counts=counts)
    assert found.verdict is Verdict.FAIL
    assert found.measurement.interval.low > LIMIT_S


def test_a_slot_that_ended_its_work_after_the_limit_fails(drained):
    assert drained(45.0, 1.0).verdict is Verdict.FAIL


def test_scrapes_too_far_apart_to_tell_leave_it_open(drained):
    found = drained(25.0, 60.0)
    assert found.verdict is Verdict.INCONCLUSIVE
    assert "straddles the promised at most 30 s" in found.reason


def test_a_slot_that_nobody_saw_for_long_enough_is_no_slot_with_work_left(drained, drill):
    drained(0.0, 15.0)
    events = drill.events()
    del events[-1].data["since_s"]
    found = judge(Objective("release.drain", "drained", "at_most", LIMIT_S, "s"), story.drained_after(events, WINDOW))
    assert found.verdict is Verdict.INCONCLUSIVE
    assert found.reason.startswith(
        "nobody saw for 37.5 s in a row whether it has no work left, and none was seen: slot"
    )


def test_without_a_record_of_before_the_first_look_counts(drained):
    found = drained(5.0, 1.0, watch_s=12.0, history=False)
    assert found.measurement.interval.high == pytest.approx(14.5, abs=0.5)


def test_a_run_of_before_is_judged_as_it_was(drill):
    drill.timeline.record("injected", "switched", action="switch-traffic")
    data = {"in_flight": 0.0, "still_s": 30.0, "ready": 2, "desired": 2, "activity": "drain_old_slot", "holds": False}
    drill.timeline.record("observed", "slot blue", **data)
    assert story.drained_after(drill.events(), WINDOW).interval.low == float("inf")


def test_a_slot_that_is_drained_and_no_longer_warm_is_drained(drained, world, monkeypatch):
    monkeypatch.setattr(world, "slot", lambda _slot: SimpleNamespace(desired=2, ready=1))
    assert drained(0.0, 1.0).verdict is Verdict.PASS
