"""Defects strike the share that was asked for, and only under the load that was asked for."""

from __future__ import annotations

import pytest
from analytics import defects
from analytics.defects import Defects, Mischief


class _Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def monotonic(self) -> float:
        return self.now_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> _Clock:
    """A clock in the test's hand."""
    fake = _Clock()
    monkeypatch.setattr(defects, "time", fake)
    return fake


def test_a_good_release_has_none() -> None:
    assert not Defects.from_environment({}).of_answers
    mischief = Mischief(Defects())
    assert (mischief.fails(), mischief.loses(), mischief.distorts(), mischief.delay_s()) == (False, False, False, 0.0)


@pytest.mark.parametrize(("share", "low", "high"), [(0.02, 5, 45), (0.5, 400, 600), (1.0, 1000, 1000)])
def test_errors_strike_about_the_share(share: float, low: int, high: int) -> None:
    mischief = Mischief(Defects(error_share=share))
    assert low <= sum(mischief.fails() for _ in range(1000)) <= high


def test_a_defect_of_load_waits_for_load_and_ends_with_it(clock: _Clock) -> None:
    mischief = Mischief(Defects(error_share=1.0, delay_ms=500, min_rps=20))
    for _ in range(19):
        mischief.count_request()
    assert not mischief.fails()
    mischief.count_request()
    assert mischief.fails()
    assert mischief.delay_s() == 0.5
    clock.now_s += 1
    mischief.count_request()
    assert mischief.fails()
    clock.now_s += 2
    mischief.count_request()
    assert not mischief.fails()
    assert mischief.delay_s() == 0.0


def test_lying_about_readiness_is_no_defect_of_answers() -> None:
    assert not Defects(ready_lies=1, startup_ms=1000).of_answers
    assert Defects(lose_writes=0.1).of_answers


def test_readiness_that_flaps_is_denied_for_a_third_of_the_time_and_not_at_the_start(clock: _Clock) -> None:
    began_s = clock.now_s
    mischief = Mischief(Defects(ready_flaps_ms=4000))
    denied = []
    for step in range(1, 481):
        clock.now_s = began_s + step / 10
        denied.append(mischief.flaps())
    assert not any(denied[:40]), "it is ready when it starts"
    assert 140 <= sum(denied) <= 180
    assert not Mischief(Defects()).flaps()
