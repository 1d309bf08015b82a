"""The release watcher's rule, without a release."""

from __future__ import annotations

import random

import pytest

from drillbook.domain.sequential import Allowance, Tally, exceeds, log_evidence

ALLOWANCE = Allowance(share=0.001)
PER_WINDOW = 50  # 200 answers a second, looked at every quarter of a second


def looks_until_alarm(share: float, *, looks: int, seed: int, allowance: Allowance = ALLOWANCE) -> int | None:
    rng = random.Random(seed)  # noqa: S311 - the same numbers each time are the point
    tally = Tally()
    for look in range(1, looks + 1):
        tally = tally.plus(PER_WINDOW, sum(rng.random() < share for _ in range(PER_WINDOW)))
        if exceeds(tally, allowance):
            return look
    return None


def test_one_stray_error_raises_no_alarm() -> None:
    assert not exceeds(Tally(total=1, bad=1, windows=1), ALLOWANCE)
    assert not exceeds(Tally(total=200, bad=1, windows=1), ALLOWANCE)


def test_a_hiccup_that_spoils_one_window_raises_no_alarm() -> None:
    assert not exceeds(Tally(total=500, bad=20, windows=1), ALLOWANCE)


@pytest.mark.parametrize(("share", "within_s"), [(0.02, 15.0), (0.1, 3.0), (1.0, 1.0)])
def test_a_bad_release_is_found_in_time(share: float, within_s: float) -> None:
    for seed in range(50):
        look = looks_until_alarm(share, looks=int(within_s / 0.25), seed=seed)
        assert look is not None, f"seed {seed}"


def test_a_good_release_looked_at_all_the_time_raises_no_alarm() -> None:
    alarms = sum(looks_until_alarm(0.001, looks=400, seed=seed) is not None for seed in range(100))
    assert alarms <= 1


def test_evidence_grows_with_bad_answers_and_shrinks_with_good_ones() -> None:
    assert log_evidence(Tally(100, 3, 3), 0.001) > log_evidence(Tally(100, 2, 2), 0.001)
    assert log_evidence(Tally(1000, 3, 3), 0.001) < log_evidence(Tally(100, 3, 3), 0.001)
    assert log_evidence(Tally(), 0.001) == pytest.approx(0.0)


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1])
def test_an_allowance_is_a_share(share: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        Allowance(share=share)
