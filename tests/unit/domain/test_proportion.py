from __future__ import annotations

import math

import pytest

from drillbook.domain.proportion import proportion


def at_least(good: int, total: int, share: float) -> float:
    """The binomial tail, summed term by term."""
    return sum(math.comb(total, k) * share**k * (1 - share) ** (total - k) for k in range(good, total + 1))


@pytest.mark.parametrize(("good", "total"), [(8, 10), (1, 10), (50, 100), (99, 100), (497, 500)])
def test_at_its_bounds_what_was_seen_has_a_chance_of_5_percent(good, total) -> None:
    interval = proportion(good, total)
    assert at_least(good, total, interval.low) == pytest.approx(0.05, abs=1e-9)
    assert 1 - at_least(good + 1, total, interval.high) == pytest.approx(0.05, abs=1e-9)


@pytest.mark.parametrize(("total", "low"), [(5990, 0.9995), (500, 0.05 ** (1 / 500))])
def test_none_bad_shows_what_the_number_can_show(total, low) -> None:
    interval = proportion(total, total)
    assert interval.low == pytest.approx(low, abs=1e-6)
    assert interval.high == 1.0
    assert proportion(0, total).low == 0.0


def test_a_million_is_computed() -> None:
    interval = proportion(999_000, 1_000_000)
    assert 0.9989 < interval.low < 0.999 < interval.high < 0.9991


@pytest.mark.parametrize(("good", "total"), [(0, 0), (2, 1), (-1, 5)])
def test_nonsense_is_refused(good, total) -> None:
    with pytest.raises(ValueError, match="needs 0 <= good <= total"):
        proportion(good, total)
