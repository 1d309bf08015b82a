from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drillbook.domain.shape import Shape, Stretch, ramp, spike, steady, steps

RATES = st.floats(0, 60)
LENGTHS = st.floats(0.1, 5)
SHAPES = st.lists(st.builds(Stretch, LENGTHS, RATES, RATES), min_size=1, max_size=4).map(
    lambda stretches: Shape(tuple(stretches))
)


def due_times(shape):
    found = []
    while (due_s := shape.due_at(len(found))) is not None:
        found.append(due_s)
    return found


def rate_at(shape, time_s):
    begun_s = 0.0
    for stretch in shape.stretches:
        if begun_s <= time_s < begun_s + stretch.length_s:
            return stretch.from_hz + (stretch.to_hz - stretch.from_hz) * (time_s - begun_s) / stretch.length_s
        begun_s += stretch.length_s
    return 0.0


@given(shape=SHAPES, a=st.floats(0, 1), b=st.floats(0, 1))
def test_in_any_window_as_many_are_due_as_the_rate_sums_up_to_within_one(shape, a, b):
    start_s, end_s = sorted((a * shape.length_s, b * shape.length_s))
    due = sum(start_s <= due_s < end_s for due_s in due_times(shape))
    assert abs(due - (shape.due_by(end_s) - shape.due_by(start_s))) <= 1 + 1e-6


@given(shape=SHAPES)
def test_what_is_due_by_a_moment_is_the_integral_of_the_rate(shape):
    parts = 500
    step_s = shape.length_s / parts
    middles = (rate_at(shape, (n + 0.5) * step_s) * step_s for n in range(parts))
    # Of a rate that is straight the rule of middles is exact but where it leaps.
    leaps = len(shape.stretches) * shape.highest_hz * step_s
    assert shape.due_by(shape.length_s) == pytest.approx(sum(middles), abs=leaps + 1e-6)


@given(shape=SHAPES)
def test_due_times_never_go_back_and_stay_within_the_shape(shape):
    found = due_times(shape)
    assert found == sorted(found)
    assert all(0 <= due_s <= shape.length_s for due_s in found)
    assert abs(len(found) - shape.due_by(shape.length_s)) <= 0.5 + 1e-6


def test_a_steady_rate_is_due_at_equal_distances_for_ever():
    shape = steady(100)
    assert [shape.due_at(n) for n in (0, 1, 2)] == pytest.approx([0.005, 0.015, 0.025])
    assert shape.due_at(10**7) == pytest.approx(10**5 + 0.005)
    assert shape.length_s == math.inf
    assert shape.due_by(3600) == pytest.approx(360_000)


def test_a_spike_leaps_and_falls_at_once():
    shape = spike(100, 300, for_s=5, around_s=10)
    assert shape.length_s == 25
    assert shape.highest == (10, 15)
    assert shape.due_by(25) == pytest.approx(10 * 100 + 5 * 300 + 10 * 100)
    assert shape.due_by(12) - shape.due_by(11) == pytest.approx(300)


def test_a_ramp_has_half_of_its_rise_in_its_first_seventy_percent():
    shape = ramp(0, 100, within_s=10, hold_s=5)
    assert shape.due_by(10) == pytest.approx(500)
    assert shape.due_by(10 / math.sqrt(2)) == pytest.approx(250)
    assert shape.highest == (10, 15)


def test_steps_follow_one_another():
    shape = steps([50, 100, 200], each_s=2)
    assert [shape.due_by(time_s) for time_s in (2, 4, 6, 9)] == pytest.approx([100, 300, 700, 700])
    assert shape.highest == (4, 6)
    assert shape.due_by(-1) == 0


def test_a_rate_that_only_touches_its_highest_point_has_no_time_there():
    assert Shape((Stretch(5, 10, 20), Stretch(5, 20, 10))).highest == (10, 10)


@pytest.mark.parametrize(
    ("length_s", "from_hz", "to_hz"),
    [(0, 1, 1), (-1, 1, 1), (1, -1, 1), (1, 1, -1), (math.inf, 1, 2), (math.nan, 1, 1)],
)
def test_what_is_no_stretch_is_refused(length_s, from_hz, to_hz):
    with pytest.raises(ValueError, match=r"stretch|for ever"):
        Stretch(length_s, from_hz, to_hz)


@given(shape=SHAPES)
def test_a_shape_survives_its_document(shape):
    assert Shape.from_document(shape.as_document()) == shape


def test_an_endless_shape_survives_its_document_and_a_wrong_one_is_refused():
    assert Shape.from_document(steady(5).as_document()) == steady(5)
    with pytest.raises(ValueError, match="for_s, from_hz and to_hz"):
        Shape.from_document([{"for_s": 1, "from_hz": 2}])
    assert Shape(()).highest_hz == 0
    assert steady(0).due_at(0) is None
