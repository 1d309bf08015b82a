"""A fault whose victim has been chosen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from drillbook.domain.fault import Reach
    from drillbook.run.action import Action


@dataclass(frozen=True, slots=True)
class Chosen:
    """What would be done, and how far it would reach; nothing is done yet.

    Attributes:
        action: The change. Its `capture` notes under `since_s` when it was meant.
        reach: For the guard.
    """

    action: Action
    reach: Reach
