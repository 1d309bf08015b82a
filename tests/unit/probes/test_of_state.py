"""Files and secrets in both regions: what differs, what is left over, and how soon something arrives."""

from __future__ import annotations

import math

import pytest

from drillbook.domain.interval import Interval
from drillbook.run.timeline import Event
from probes import state
from probes.state import Compared


def look(first, home, away):
    return Compared(10.0, 12.0, first, home, away)


ALL = {"a": "1", "b": "2"}


@pytest.mark.parametrize(
    ("seen", "differ", "left"),
    [
        (look(ALL, ALL, ALL), 0, 0),
        (look(ALL, ALL, {"a": "1"}), 1, 0),
        (look(ALL, ALL, {"a": "1", "b": "other"}), 1, 0),
        (look(ALL, ALL, {}), 2, 0),
        (look(ALL, ALL, {**ALL, "gone": "3"}), 0, 1),
        # What was changed, made or removed while it was compared may be on its way.
        (look(ALL, {**ALL, "b": "new"}, ALL), 0, 0),
        (look(ALL, {**ALL, "c": "new"}, ALL), 0, 0),
        (look(ALL, {"a": "1"}, ALL), 0, 0),
        # Of one that was changed the other region has to have something.
        (look(ALL, {**ALL, "b": "new"}, {"a": "1"}), 1, 0),
        (look({"b": "2"}, {"b": "new"}, {}), 1, 0),
    ],
)
def test_what_differs_is_counted_among_what_the_primary_had_all_along(seen, differ, left):
    assert state.differing(seen, "file").interval == Interval.exactly(differ)
    if seen.away:
        assert state.left_over(seen, "file").interval == Interval.exactly(left)


def test_where_there_is_nothing_nothing_is_shown():
    assert state.differing(look({}, {}, {}), "secret").interval is None
    assert state.left_over(look(ALL, ALL, {}), "secret").interval is None


def test_what_differs_is_named_by_its_name_alone():
    assert state.differing(look(ALL, ALL, {"a": "1"}), "secret").name.endswith(" (b)")


def test_of_many_names_the_first_are_told():
    assert state.told([]) == ""
    assert state.told(["a", "b", "c", "d", "e"]) == " (a, b, c and 2 more)"


def arrived(how, sent, acknowledged, absent, came):
    data = {
        "activity": "arrival", "kind_of_state": "file", "how": how, "sent_s": sent, "acknowledged_s": acknowledged,
        "absent_s": absent, "arrived_s": came,
    }  # fmt: skip
    return Event(came or absent, "d", "observed", "", data)


def test_an_arrival_is_bounded_by_the_looks_around_it_and_the_longer_one_counts():
    events = [arrived("written", 10.0, 10.2, 11.0, 11.5), arrived("changed", 20.0, 20.1, 24.0, 24.5)]
    found = state.arrival(events, "file")
    assert found.interval.low == pytest.approx(3.9)
    assert found.interval.high == 4.5
    assert (found.samples, found.doubts) == (2, ())


def test_what_never_arrived_took_longer_than_it_was_waited_for():
    found = state.arrival([arrived("written", 10.0, 10.2, 100.2, None)], "file")
    assert found.interval == Interval(90.0, math.inf)
    assert not found.doubts


def test_a_change_that_was_not_tried_though_the_first_arrived_is_doubted():
    found = state.arrival([arrived("written", 10.0, 10.2, 11.0, 11.5)], "file")
    assert found.doubts == ("nobody saw a file that was changed",)


def test_nothing_is_shown_of_a_kind_that_was_not_tried():
    assert state.arrival([arrived("written", 10.0, 10.2, 11.0, 11.5)], "secret").interval is None
