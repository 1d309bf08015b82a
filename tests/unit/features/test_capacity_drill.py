"""A search for the highest rate, drilled on a platform that is made up: what it keeps, and when it gives a rate up."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from drillbook.domain.environment import LoadSettings, Objectives
from drillbook.domain.performance import Performance, Promise
from drillbook.domain.verdict import Verdict
from drillbook.drills import capacity as capacity_drill
from probes import capacity
from tests.unit.probes.test_of_performance import START_S, rows, slow, write

PROMISE = Promise(0.999, 0.3, 0.99)


class Clock:
    """Time passes when somebody waits."""

    def __init__(self):
        self.t_s = START_S

    def now(self):
        return self.t_s

    def sleep(self, seconds):
        self.t_s += seconds


class Load:
    """A load that has passed, or that goes on until it is told to end."""

    def __init__(self, output, phase):
        self.output, self.phase, self.told = output, phase, False

    def ask_to_stop(self):
        self.told, self.phase = True, "stopping"

    def wait_passed(self, *, deadline_s):
        assert self.phase != "running", f"it would last beyond {deadline_s} s"


class Platform:
    """Bears a rate, and is slow above it; or answers nothing well above it, so that a rate is given up."""

    def __init__(self, folder, bears_hz, *, breaks_down=False, performance=None):
        self.folder, self.bears_hz, self.breaks_down = folder, bears_hz, breaks_down
        environment = SimpleNamespace(
            name="here", load=LoadSettings(rate_hz=50),
            performance=performance or Performance(1200, longest_s=3600, step_s=1, settle_s=1),
        )  # fmt: skip
        self.platform = SimpleNamespace(environment=environment)
        self.session = SimpleNamespace(clock=Clock())
        self.objectives, self.read_back_s = Objectives(), 0.0
        self.told, self.marks, self.loads = [], [], []
        self.timeline = SimpleNamespace(record=lambda _kind, text, **_: self.told.append(text))

    def start_load(self, output, shape, *, mark):
        self.marks.append(mark)
        table = rows(shape)
        too_much = shape.highest_hz > self.bears_hz
        phase = "done"
        if too_much and self.breaks_down:
            table["outcome"][:] = "server_error"
            phase = "running"
        elif too_much:
            slow(table)
        write(output.parent, shape, table)
        if phase == "running":
            line = {"versions": {}, "unanswered": {"server_error": 50}, "unsent": 0}
            ends = (START_S - 2 + 0.25 * number for number in range(400))
            (output / "live.jsonl").write_text("".join(f"{json.dumps({**line, 'end_s': end_s})}\n" for end_s in ends))
        self.session.clock.t_s = START_S + 3
        self.loads.append(Load(output, phase))
        return self.loads[-1]

    def end_load(self):
        pass


def test_what_is_found_is_kept_and_computed_from_each_rate_s_own_rows(tmp_path):
    drill = Platform(tmp_path, bears_hz=240)
    capacity_drill.search(drill, PROMISE)
    found = capacity.highest_rate(tmp_path).interval
    assert found.low <= 240 < found.high <= 1.25 * found.low
    assert not capacity.closeness(tmp_path).doubts
    record = capacity.Record.of(tmp_path)
    assert len(record.steps) == len(drill.loads)
    assert len(set(drill.marks)) == len(drill.marks), "two rates would write the same keys"
    assert any(step.longer and step.rate_hz == found.low for step in record.steps)
    assert "did not; that is close enough" in drill.told[-1]
    assert [rate.folder for rate in capacity.rates(tmp_path)] == [step.folder for step in record.steps]


def test_each_rate_is_held_until_a_platform_without_a_failure_has_shown_it(tmp_path):
    drill = Platform(tmp_path, bears_hz=240)
    capacity_drill.search(drill, PROMISE)
    for step in capacity.Record.of(tmp_path).steps:
        judged = capacity.judgements(tmp_path, step, PROMISE)
        assert capacity.tried(step, judged).verdict is not Verdict.INCONCLUSIVE
        assert judged[1].measurement.samples >= 3688


def test_a_rate_that_nobody_is_answered_at_is_given_up_at_once_and_has_failed(tmp_path):
    drill = Platform(tmp_path, bears_hz=240, breaks_down=True)
    capacity_drill.search(drill, PROMISE)
    given_up = [step for step in capacity.Record.of(tmp_path).steps if step.given_up]
    assert given_up
    assert all(load.told for load in drill.loads if load.phase == "stopping")
    for step in given_up:
        assert step.window.length_s < 5
        assert capacity.tried(step, capacity.judgements(tmp_path, step, PROMISE)).verdict is Verdict.FAIL
    assert capacity.highest_rate(tmp_path).interval.low <= 240


def test_a_search_that_may_last_no_longer_keeps_what_it_has_and_says_so(tmp_path):
    drill = Platform(tmp_path, bears_hz=240, performance=Performance(1200, longest_s=45, step_s=1, settle_s=1))
    capacity_drill.search(drill, PROMISE)
    record = capacity.Record.of(tmp_path)
    assert record.ended == "performance.longest (45 s) ended the search"
    assert record.ended in capacity.closeness(tmp_path).doubts


def test_a_rate_whose_load_was_never_planned_has_no_writes_to_be_judged(tmp_path):
    drill = Platform(tmp_path, bears_hz=240)

    def nobody(*_, **__):
        raise capacity_drill.NotReady("nothing to read is there")

    drill.start_load = nobody
    with pytest.raises(capacity_drill.NotReady):
        capacity_drill.search(drill, PROMISE)
    assert capacity.rates(tmp_path) == []


def test_a_load_that_never_said_when_it_began_decides_nothing(tmp_path):
    drill = Platform(tmp_path, bears_hz=240)
    start = drill.start_load

    def without_a_beginning(output, shape, *, mark):
        made = start(output, shape, mark=mark)
        (output / "schedule.json").unlink()
        return made

    drill.start_load = without_a_beginning
    with pytest.raises(capacity_drill.NotReady, match="never said when it began"):
        capacity_drill.search(drill, PROMISE)
    record = capacity.Record.of(tmp_path)
    assert record.steps == ()
    assert [rate.folder for rate in capacity.rates(tmp_path)] == ["steps/01"], (
        "what was acknowledged there is judged all the same"
    )
