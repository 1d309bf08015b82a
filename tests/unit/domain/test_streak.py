"""What a row of passes shows."""

import pytest

from drillbook.domain.streak import needed, shown_share


@pytest.mark.parametrize(
    ("share", "confidence", "count"), [(0.95, 0.95, 59), (0.9, 0.95, 29), (0.99, 0.95, 299), (0.5, 0.5, 1)]
)
def test_the_numbers_of_the_textbooks(share, confidence, count):
    assert needed(share, confidence) == count
    assert shown_share(count, confidence) >= share > shown_share(count - 1, confidence)


def test_nothing_shows_nothing():
    assert shown_share(0) == 0.0


@pytest.mark.parametrize("nonsense", [0.0, 1.0, -0.1, 1.5])
def test_certainty_is_not_to_be_had(nonsense):
    with pytest.raises(ValueError, match="between 0 and 1"):
        needed(0.9, nonsense)
    with pytest.raises(ValueError, match="between 0 and 1"):
        needed(nonsense)
    with pytest.raises(ValueError, match="between 0 and 1"):
        shown_share(3, nonsense)
