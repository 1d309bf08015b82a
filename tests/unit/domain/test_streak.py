"""What a row of passes shows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drillbook.domain.streak import needed, shown_share, shown_share_of


@pytest.mark.parametrize(
    ("share", "confidence", "count"), [(0.95, 0.95, 59), (0.9, 0.95, 29), (0.99, 0.95, 299), (0.5, 0.5, 1)]
)
def test_the_numbers_of_the_textbooks(share, confidence, count):
    assert needed(share, confidence) == count
    assert shown_share(count, confidence) >= share > shown_share(count - 1, confidence)


def test_nothing_shows_nothing():
    assert shown_share(0) == 0.0
    assert shown_share_of(0, 0) == shown_share_of(0, 5) == 0.0


@pytest.mark.parametrize(
    ("passed", "drilled", "confidence", "share"),
    [
        (9, 10, 0.95, 0.6058), (19, 20, 0.95, 0.7839), (8, 10, 0.95, 0.4931),
        (7, 10, 0.975, 0.3475), (1, 10, 0.95, 0.0051),
    ],
)  # fmt: skip
def test_with_misses_it_is_the_bound_of_clopper_and_pearson(passed, drilled, confidence, share):
    """As in their tables, and as by the quantiles of the beta distribution."""
    assert shown_share_of(passed, drilled, confidence) == pytest.approx(share, abs=6e-5)


def test_one_miss_in_93_still_shows_95_percent():
    """Wilks' number of the second order."""
    assert shown_share_of(92, 93) >= 0.95 > shown_share_of(91, 92)


def test_years_of_nights_are_not_too_many():
    assert shown_share_of(2999, 3000) == pytest.approx(1 - 4.744 / 3000, abs=1e-5)


@given(st.integers(1, 400))
def test_without_a_miss_both_bounds_are_one(count):
    assert shown_share_of(count, count) == pytest.approx(shown_share(count), abs=1e-9)


@given(st.integers(1, 60), st.data())
def test_a_pass_more_shows_more_and_a_miss_more_shows_less(drilled, data):
    passed = data.draw(st.integers(0, drilled))

    assert shown_share_of(passed + 1, drilled + 1) > shown_share_of(passed, drilled)
    assert shown_share_of(passed, drilled + 1) <= shown_share_of(passed, drilled)


@pytest.mark.parametrize(("passed", "drilled"), [(2, 1), (-1, 3)])
def test_more_than_all_cannot_pass(passed, drilled):
    with pytest.raises(ValueError, match="can have passed"):
        shown_share_of(passed, drilled)


@pytest.mark.parametrize("nonsense", [0.0, 1.0, -0.1, 1.5])
def test_certainty_is_not_to_be_had(nonsense):
    with pytest.raises(ValueError, match="between 0 and 1"):
        needed(0.9, nonsense)
    with pytest.raises(ValueError, match="between 0 and 1"):
        needed(nonsense)
    with pytest.raises(ValueError, match="between 0 and 1"):
        shown_share(3, nonsense)
    with pytest.raises(ValueError, match="between 0 and 1"):
        shown_share_of(2, 3, nonsense)
