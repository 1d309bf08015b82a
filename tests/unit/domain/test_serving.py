from __future__ import annotations

import math

from drillbook.domain import serving
from drillbook.domain.interval import Interval
from drillbook.domain.measurement import Window
from tests.unit.domain.rows import requests


def answered(*versions):
    return requests(*[(n, n, n + 0.5, "ok") for n in range(len(versions))], versions=list(versions))


def test_exposure_runs_between_the_neighbours():
    rows = answered("1", "2", "1", "2", "1")
    assert serving.exposure(rows, rows.version == "2") == Interval(2, 4.5)
    assert serving.exposure(rows, rows.version == "3") == Interval(0, 0)


def test_exposure_without_neighbours_is_what_was_seen():
    rows = answered("2", "2")
    assert serving.exposure(rows, rows.version == "2") == Interval(1, 1.5)


def unnamed(*outcomes, versions):
    """Requests a second apart, of which some failed and nobody put a name to that."""
    rows = [(n, math.nan, math.nan, of) if of == "unsent" else (n, n, n + 0.5, of) for n, of in enumerate(outcomes)]
    made = requests(*rows, versions=list(versions))
    return made, made.version == "2", made.failed() & (made.version == "")


def test_a_failure_of_which_nobody_knows_whose_it_was_is_in_the_upper_bound_alone():
    made, bad, possible = unnamed("ok", "timeout", "ok", "reset", "ok", "ok", versions=("1", "", "2", "", "1", "1"))
    assert serving.exposure(made, bad, possible) == Interval(0, 4.5)
    assert serving.exposure(made, bad) == Interval(0, 4.5)


def test_failures_without_a_name_before_the_first_bad_answer_and_after_the_last_are_possible_ones():
    outcomes = ("ok", "reset", "ok", "ok", "ok", "server_error", "ok", "ok")
    made, bad, possible = unnamed(*outcomes, versions=("1", "", "1", "2", "1", "", "1", "1"))
    assert serving.exposure(made, bad) == Interval(0, 2.5)
    assert serving.exposure(made, bad, possible) == Interval(0, 6.5)


def test_what_went_unsent_or_has_no_good_answer_after_it_is_as_long_as_it_was_seen():
    made, bad, possible = unnamed("server_error", "unsent", "timeout", "unsent", versions=("2", "", "", ""))
    assert serving.exposure(made, bad, possible) == Interval(0, 3)


def test_nothing_but_failures_without_a_name_may_be_no_exposure_at_all():
    made, bad, possible = unnamed("ok", "timeout", "ok", versions=("1", "", "1"))
    assert serving.exposure(made, bad, possible) == Interval(0, 2.5)


def test_a_switch_is_over_with_the_first_new_answer_after_the_last_old_one():
    rows = answered("1", "2", "1", "2", "2")
    assert serving.switched_after(rows, rows.version == "2", Window(0.5, 5)) == Interval(1.5, 3)
    fresh = answered("2", "2")
    assert serving.switched_after(fresh, fresh.version == "2", Window(-1, 2)) == Interval(0, 1.5)


def test_a_switch_after_which_an_old_answer_is_the_last_took_longer_than_was_looked():
    rows = answered("1", "2", "1", "2", "1")
    assert serving.switched_after(rows, rows.version == "2", Window(0.5, 5)) == Interval(4.5, math.inf)


def test_nobody_knows_of_a_switch_that_nobody_asked_about():
    rows = answered()
    assert serving.switched_after(rows, rows.version == "2", Window(0, 5)) is None


def test_what_may_be_no_old_answer_is_in_the_upper_bound_of_a_switch_alone():
    rows = answered("1", "2", "", "2", "2")
    new, possible = rows.version == "2", rows.version == ""
    assert serving.switched_after(rows, new, Window(0, 5), possible) == Interval(0, 3.5)
    last = answered("1", "2", "")
    new, possible = last.version == "2", last.version == ""
    assert serving.switched_after(last, new, Window(0, 3), possible) == Interval(0, math.inf)
