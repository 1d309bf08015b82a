from __future__ import annotations

import pytest

from drillbook.domain.proportion import proportion


@pytest.mark.parametrize(
    ("good", "total", "low", "high"),
    [
        # The rule of three, exactly: 0.05 ** (1 / n).
        (5990, 5990, 0.9995, 1.0),
        (500, 500, 0.994026, 1.0),
        (0, 10, 0.0, 0.258866),
        # Exact one-sided 95 % bounds, from R's binom.test(8, 10, alternative=...).
        (8, 10, 0.493099, 0.963229),
        (50, 100, 0.413730, 0.586270),
    ],
)
def test_bounds_are_clopper_and_pearsons(good, total, low, high) -> None:
    interval = proportion(good, total)
    assert interval.low == pytest.approx(low, abs=2e-6)
    assert interval.high == pytest.approx(high, abs=2e-6)


def test_more_requests_tell_more() -> None:
    assert proportion(99_000, 100_000).low > proportion(990, 1000).low
    assert proportion(99_000, 100_000).high < proportion(990, 1000).high


def test_a_million_is_computed() -> None:
    interval = proportion(999_000, 1_000_000)
    assert interval.low < 0.999 < interval.high


@pytest.mark.parametrize(("good", "total"), [(0, 0), (2, 1), (-1, 5)])
def test_nonsense_is_refused(good, total) -> None:
    with pytest.raises(ValueError, match="needs 0 <= good <= total"):
        proportion(good, total)
