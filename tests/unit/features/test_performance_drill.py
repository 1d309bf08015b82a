"""What a load of a certain shape asks of the environment before anything is sent."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from drillbook.domain.environment import LoadSettings, Objectives
from drillbook.domain.measurement import Window
from drillbook.domain.performance import Performance, Promise
from drillbook.domain.shape import spike, steady
from drillbook.drills import capacity
from drillbook.drills import performance as performance_drill
from drillbook.drills.seen import NotReady


def drill(performance=None, **more):
    environment = SimpleNamespace(name="here", performance=performance, load=LoadSettings(rate_hz=50))
    return SimpleNamespace(
        platform=SimpleNamespace(environment=environment), objectives=Objectives(),
        session=SimpleNamespace(clock=None), **more,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("allowed", "shape", "said"),
    [
        (None, steady(100, 60), "here does not say how much load it may be given"),
        (Performance(150), spike(100, 200, 20, 10), "comes to 200 requests a second, and performance.most allows 150"),
        (Performance(500, longest_s=60), steady(100, 61), "lasts 61 s, and performance.longest allows 60 s"),
        (
            Performance(500),
            spike(100, 200, 1, 10),
            "200 requests are due while the load is highest, and 368",
        ),
    ],
)
def test_what_may_not_be_sent_or_would_decide_nothing_is_refused(allowed, shape, said):
    with pytest.raises(NotReady, match=said):
        performance_drill.bear(drill(allowed), shape)


def test_a_search_is_refused_where_the_usual_load_is_too_much_already():
    with pytest.raises(NotReady, match="the usual load is 100 requests a second"):
        capacity.search(drill(Performance(80)), Promise(0.999, 0.3, 0.99))


def test_the_stricter_of_sentence_and_environment_is_promised():
    assert performance_drill.promised(drill(), 95, 1.0) == (0.99, 0.3)
    assert performance_drill.promised(drill(), 99.5, 0.1) == (0.995, 0.1)
    assert capacity.promised(drill(), 0.99, 0.999, 0.5) == Promise(0.999, 0.3, 0.999)


def test_the_ends_of_a_load_that_is_too_short_are_not_compared():
    made = drill(seen=SimpleNamespace(window=Window(10.0, 70.0)))
    assert performance_drill.first_and_last(made, 30.0) == (Window(10.0, 40.0), Window(40.0, 70.0))
    with pytest.raises(NotReady, match="lasted 60 s, too short"):
        performance_drill.first_and_last(made, 31.0)
