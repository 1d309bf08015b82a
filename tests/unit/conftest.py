"""What holds for every unit test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from drillbook.run import redaction

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def secrets_of_other_tests() -> Iterator[None]:
    """A process keeps the secrets that it knows: those of one test would be cut out of another's timeline."""
    yield
    redaction.forget()
