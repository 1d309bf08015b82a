"""What an adapter reads out of an answer, also where it breaks on it: a wrong answer may have any form."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

_Read = TypeVar("_Read")


def read(how: Callable[[], _Read], instead: _Read) -> tuple[_Read, str]:
    """What an adapter reads, and nothing more; or what stands for it, and a sentence that says how it broke."""
    try:
        return how(), ""
    except Exception as error:  # noqa: BLE001 - a greenlet that ends here would take its request out of the record
        return instead, f"the adapter could not read it: {type(error).__name__}: {error}"
