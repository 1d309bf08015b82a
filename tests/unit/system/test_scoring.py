"""The scoring mock's scores are known beforehand."""

from __future__ import annotations

import pytest
from scoring import score


@pytest.mark.parametrize(("value", "expected"), [(0, 0.5), (100, 0.7310585786300049), (-1e300, 0.0), (1e300, 1.0)])
def test_a_score_depends_on_the_value_alone(value: float, expected: float) -> None:
    assert score(value) == pytest.approx(expected)
