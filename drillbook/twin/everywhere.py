"""The same work in every region at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from drillbook.twin.layout import Region


def in_each(regions: Sequence[Region], work: Callable[[Region], None]) -> None:
    """Do it in all regions at the same time; returns when all are done, raises the first error."""
    with ThreadPoolExecutor(len(regions)) as pool:
        for done in [pool.submit(work, region) for region in regions]:
            done.result()
