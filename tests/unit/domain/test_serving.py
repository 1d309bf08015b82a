from __future__ import annotations

from drillbook.domain import serving
from drillbook.domain.interval import Interval
from drillbook.domain.serving import Answers
from tests.unit.domain.rows import requests


def answered(*versions):
    return requests(*[(n, n, n + 0.5, "ok") for n in range(len(versions))], versions=list(versions))


def test_first_and_last_answer_of_a_version():
    rows = answered("1", "2", "2", "1")
    assert serving.answers(rows, rows.version == "2") == Answers(2, 1.5, 2.5)
    assert serving.answers(rows, rows.version == "3") == Answers(0, None, None)


def test_exposure_runs_between_the_neighbours():
    rows = answered("1", "2", "1", "2", "1")
    assert serving.exposure(rows, rows.version == "2") == Interval(2, 4.5)
    assert serving.exposure(rows, rows.version == "3") == Interval(0, 0)


def test_exposure_without_neighbours_is_what_was_seen():
    rows = answered("2", "2")
    assert serving.exposure(rows, rows.version == "2") == Interval(1, 1.5)


def test_a_switch_is_over_with_the_first_new_answer_after_the_last_old_one():
    rows = answered("1", "2", "1", "2", "2")
    assert serving.switched_after(rows, rows.version == "2", 0.5) == Interval(1.5, 3)
    assert serving.switched_after(rows, rows.version == "1", 0) is None
    fresh = answered("2", "2")
    assert serving.switched_after(fresh, fresh.version == "2", -1) == Interval(0, 1.5)
