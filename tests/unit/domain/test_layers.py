"""Time is put down to the deepest layer that was down, and never to one that was well."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drillbook.domain import layers
from drillbook.domain.interval import Interval
from drillbook.domain.layers import ELSEWHERE, View
from drillbook.domain.measurement import Window
from tests.unit.domain.rows import requests

WINDOW = Window(0.0, 10.0)
WELL = View((), ())
A, B, NEITHER = frozenset({"a"}), frozenset({"b"}), frozenset[str]()

times = st.floats(-5.0, 15.0)


def down(start_s, end_s, by=0.0):
    """Certainly from `start_s` to `end_s`, possibly for `by` longer on either side."""
    return View((Window(start_s, end_s),), (Window(start_s - by, end_s + by),))


def probed(*bad, step_s=0.2, took_s=0.01):
    """A probe every 0.2 s, of which those that were due within a stretch failed."""
    rows = [(float(t), float(t), float(t) + took_s) for t in np.arange(-10, 60) * step_s]
    told = [(*row, "refused" if any(start <= row[0] < end for start, end in bad) else "ok") for row in rows]
    found = requests(*told)
    return found, found.failed()


def seen(*bad):
    found, failed = probed(*bad)
    return layers.view(found, failed, np.zeros(len(found), dtype=bool), WINDOW, 1.0)


def test_a_probe_says_when_its_layer_was_down_for_certain_and_when_possibly():
    found = seen((3.0, 5.0))
    # A long outage is a long silence as well, and is told twice.
    (certain,), (possible,) = found.certain, set(found.possible)
    assert (certain.start_s, certain.end_s) == pytest.approx((3.01, 4.8))
    assert (possible.start_s, possible.end_s) == pytest.approx((2.8, 5.01))


def test_what_the_probe_may_have_failed_itself_is_not_certain():
    found, failed = probed((3.0, 5.0))
    seen_of = layers.view(found, failed, failed, WINDOW, 1.0)
    assert not seen_of.certain
    assert seen_of.possible


def test_a_probe_that_was_silent_may_have_missed_an_outage():
    found, failed = probed()
    spoke = (found.due_s < 4.0) | (found.due_s > 7.0)
    seen_of = layers.view(found.chosen(spoke), failed[spoke], failed[spoke], WINDOW, 1.0)
    assert [(it.start_s, it.end_s) for it in seen_of.possible] == [pytest.approx((3.8, 7.21), abs=0.01)]
    assert not layers.view(found, failed, failed, WINDOW, 1.0).possible


def test_what_was_outside_of_the_window_is_not_seen():
    found, failed = probed((3.0, 5.0))
    seen_of = layers.view(found, failed, failed & False, Window(6.0, 9.0), 1.0)
    assert seen_of == WELL


@pytest.mark.parametrize(
    ("views", "blamed"),
    [
        ({"database": down(2, 6), "gateway": down(2, 6)}, "database"),
        ({"database": WELL, "gateway": down(2, 6)}, "gateway"),
        ({"database": WELL, "gateway": WELL}, ELSEWHERE),
    ],
)
def test_the_deepest_layer_that_was_down_is_put_to_blame(views, blamed):
    found = layers.attribution(down(3, 5), views, WINDOW)
    assert {name: it for name, it in found.items() if it.high} == {blamed: Interval.exactly(2.0)}


def test_a_layer_that_was_down_while_users_were_served_is_not_put_to_blame():
    found = layers.attribution(WELL, {"database": down(2, 6)}, WINDOW)
    assert all(it == Interval.exactly(0.0) for it in found.values())


def test_where_two_may_have_been_it_neither_is_certain():
    views = {"database": View((), (Window(2, 6),)), "gateway": down(2, 6)}
    found = layers.attribution(down(3, 5), views, WINDOW)
    assert found == {
        "database": Interval(0.0, 2.0), "gateway": Interval(0.0, 2.0), ELSEWHERE: Interval.exactly(0.0)
    }  # fmt: skip


def test_one_after_the_other_each_gets_its_part():
    views = {"database": down(2, 4), "application a": down(3.5, 5)}
    found = layers.attribution(down(2, 6), views, WINDOW)
    assert {name: it.low for name, it in found.items()} == {"database": 2.0, "application a": 1.0, ELSEWHERE: 1.0}


WINDOWS = st.tuples(st.floats(0, 9), st.floats(0.01, 3), st.floats(0, 1)).map(
    lambda it: (Window(it[0], min(10.0, it[0] + it[1])), it[2])
)


@st.composite
def views(draw):
    drawn = draw(st.lists(WINDOWS, max_size=4))
    certain = tuple(window for window, _ in drawn)
    return View(certain, tuple(Window(max(0.0, w.start_s - by), min(10.0, w.end_s + by)) for w, by in drawn))


@given(users=views(), database=views(), gateway=views())
def test_the_layers_account_for_all_of_the_users_outage(users, database, gateway):
    found = layers.attribution(users, {"database": database, "gateway": gateway}, WINDOW)
    whole = layers.unserved(users, WINDOW)
    assert sum(it.low for it in found.values()) <= whole.low + 1e-9
    assert sum(it.high for it in found.values()) >= whole.high - 1e-9
    shares = [layers.share(found, kind) for kind in ("database", "gateway")]
    if None not in shares:
        assert all(-1e-9 <= it.low <= it.high <= 1 + 1e-9 for it in shares)
        assert sum(it.low for it in shares) <= 1 + 1e-9 <= sum(it.high for it in shares) + 2e-9


def test_how_long_users_waited_counts_overlaps_once_and_ends_with_the_window():
    users = View((Window(1, 3), Window(2, 4), Window(9, 12)), (Window(0, 5), Window(9, 12)))
    assert layers.unserved(users, WINDOW) == Interval(4.0, 6.0)


@pytest.mark.parametrize(
    ("found", "kind", "wanted"),
    [
        ({"database": Interval(6, 8), "dns": Interval(1, 2), ELSEWHERE: Interval(0, 1)}, "database", (6 / 8, 8 / 9)),
        ({"gateway a": Interval(3, 3), "gateway b": Interval(1, 1), ELSEWHERE: Interval(0, 0)}, "gateway", (1, 1)),
        # A connection that is held on to for long is no layer's, and hides none of them.
        ({"database": Interval(6, 8), "dns": Interval(1, 2), ELSEWHERE: Interval(0, 30)}, "database", (6 / 8, 8 / 9)),
        ({"database": Interval(0, 0), "dns": Interval(2, 2), ELSEWHERE: Interval(1, 1)}, "database", (0, 0)),
    ],
)  # fmt: skip
def test_a_share_is_what_a_kind_of_layer_has_of_what_layers_explain(found, kind, wanted):
    share = layers.share(found, kind)
    assert (share.low, share.high) == pytest.approx(wanted)


def test_there_is_no_share_of_nothing():
    assert layers.share({"database": Interval(0, 0), ELSEWHERE: Interval(0, 2)}, "database") is None


def test_a_region_counts_while_the_name_leads_there():
    answers = [(0.0, 0.1, A), (3.0, 3.1, A), (4.0, 4.1, B), (9.0, 9.1, B)]
    there = layers.led(answers, "a", off_by_s=0.5)
    assert [(it.start_s, it.end_s) for it in there.certain] == [(-math.inf, pytest.approx(2.6))]
    assert [(it.start_s, it.end_s) for it in there.possible] == [(-math.inf, 4.6)]
    away = layers.led(answers, "b", off_by_s=0.5)
    assert [(it.start_s, it.end_s) for it in away.certain] == [(4.6, math.inf)]
    assert [(it.start_s, it.end_s) for it in away.possible] == [(2.5, math.inf)]
    lost = layers.while_led(down(1, 8, by=1), there)
    assert (lost.certain, lost.possible) == ((Window(1, 2.6),), (Window(0, 4.6),))


def test_where_the_name_did_not_answer_users_may_have_gone_anywhere():
    there = layers.led([(0.0, 0.1, A), (3.0, 8.0, NEITHER), (9.0, 9.1, A)], "a", off_by_s=0.5)
    assert [(it.start_s, it.end_s) for it in there.certain] == [(-math.inf, -0.4), (9.6, math.inf)]
    assert [(it.start_s, it.end_s) for it in there.possible] == [(-math.inf, math.inf)]
    assert layers.led([], "a", off_by_s=0.5) == View((), (Window(-math.inf, math.inf),))


def test_a_name_that_leads_to_both_leads_to_neither_for_certain():
    there = layers.led([(0.0, 0.1, A | B), (9.0, 9.1, A | B)], "a", off_by_s=0.5)
    assert not there.certain
    assert there.possible


@pytest.mark.parametrize(
    ("layer", "below", "low", "high"),
    [
        (WELL, down(2.0, 6.0), 4.0, 4.0),
        (down(2.0, 6.0), down(2.0, 6.0), 0.0, 0.0),
        (down(3.0, 6.0), down(2.0, 6.0), 1.0, 1.0),
        (down(3.0, 4.0), down(2.0, 6.0), 3.0, 3.0),
        (down(3.0, 5.0, by=0.5), down(2.0, 6.0, by=1.0), 1.0, 4.0),
        (down(2.0, 6.0), WELL, 0.0, 0.0),
        (WELL, down(-5.0, 1.0), 1.0, 1.0),
    ],
)
def test_how_long_a_layer_was_well_without_what_it_rests_on(layer, below, low, high):
    assert layers.well_meanwhile(layer, below, WINDOW) == Interval(low, high)


@given(st.lists(st.tuples(times, times)), st.lists(st.tuples(times, times)))
def test_a_layer_is_well_without_another_for_no_longer_than_that_is_down(some, others):
    made = [View(tuple(Window(min(it), max(it)) for it in them), ()) for them in (some, others)]
    layer, below = (View(it.certain, it.certain) for it in made)
    found = layers.well_meanwhile(layer, below, WINDOW)
    assert 0.0 <= found.low == found.high <= layers.unserved(below, WINDOW).high + 1e-9
