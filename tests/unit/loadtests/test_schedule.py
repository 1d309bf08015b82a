from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drillbook.domain.shape import spike, steady
from drillbook.domain.traffic import Connection
from loadtests.schedule import Schedule, Share

SHAPE = spike(40, 120, for_s=2, around_s=3)


def due(schedule):
    found = []
    while (due_s := schedule.due_s(len(found))) is not None:
        found.append(due_s)
    return found


@given(workers=st.integers(1, 9))
def test_the_shares_of_all_workers_are_the_whole_schedule_and_nothing_twice(workers):
    whole = due(Schedule(SHAPE, 1000.0, Share()))
    shares = [due(Schedule(SHAPE, 1000.0, Share(worker, workers))) for worker in range(workers)]
    assert sorted(due_s for share in shares for due_s in share) == whole
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


@given(workers=st.integers(1, 9))
def test_every_worker_has_both_kinds_of_connection_and_all_together_as_many_of_each(workers):
    turns = 40
    kinds = Counter(Share(worker, workers).connection(turn) for worker in range(workers) for turn in range(turns))
    assert kinds == {Connection.NEW: workers * turns / 2, Connection.REUSED: workers * turns / 2}
    for worker in range(workers):
        assert {Share(worker, workers).connection(turn) for turn in (0, 1)} == set(Connection)


def test_one_meter_alone_takes_turns():
    schedule = Schedule(steady(100), 5.0, Share())
    assert [schedule.share.connection(turn) for turn in range(4)] == [Connection.NEW, Connection.REUSED] * 2
    assert schedule.due_s(0) == pytest.approx(5.005)


@pytest.mark.parametrize(("worker", "workers"), [(1, 1), (-1, 2), (0, 0)])
def test_a_worker_that_there_is_none_of_is_refused(worker, workers):
    with pytest.raises(ValueError, match="there is none"):
        Share(worker, workers)
