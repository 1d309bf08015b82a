"""Writes that the system acknowledged, held against what it has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from drillbook.domain.interval import Interval

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class Write:
    """One try of a write.

    Attributes:
        key: Its key; tries with the same key are the same write.
        acknowledged: The client holds a 2xx for it.
        refused: The client knows that it was not taken; neither leaves it indeterminate.
        sent_s: When it left the client; NaN when it was never sent.
        done_s: When the client knew; NaN when it was never sent.
    """

    key: str
    acknowledged: bool
    refused: bool
    sent_s: float
    done_s: float


@dataclass(frozen=True, slots=True)
class LookUp:
    """One key, looked up afterwards.

    Attributes:
        key: Which.
        copies: How often it is there.
        equal: Whether what is there is what was written.
        error: Why nothing is known of it; empty when it is.
    """

    key: str
    copies: int
    equal: bool
    error: str


@dataclass(frozen=True, slots=True)
class Integrity:
    """Keys by what became of them.

    Attributes:
        kept: Acknowledged, there once and right.
        lost: Acknowledged and not there.
        altered: Acknowledged, and something else is there.
        duplicated: There more than once.
        unknown: Acknowledged, and the look-up told nothing.
        late: Neither acknowledged nor refused, and there.
        vanished: Neither acknowledged nor refused, and not there, or not as it was written, which is allowed.
        unclear: Neither acknowledged nor refused, and the look-up told nothing.
        lost_since_s: When the oldest lost write was acknowledged; None when none was lost.
    """

    kept: tuple[str, ...]
    lost: tuple[str, ...]
    altered: tuple[str, ...]
    duplicated: tuple[str, ...]
    unknown: tuple[str, ...]
    late: tuple[str, ...]
    vanished: tuple[str, ...]
    unclear: tuple[str, ...]
    lost_since_s: float | None

    @property
    def acknowledged(self) -> int:
        """How many writes the client holds a 2xx for, the duplicated apart."""
        return len(self.kept) + len(self.lost) + len(self.altered) + len(self.unknown)

    @property
    def losses(self) -> Interval:
        """How many acknowledged writes are gone or altered; what is not known may be."""
        certain = len(self.lost) + len(self.altered)
        return Interval(certain, certain + len(self.unknown))


def integrity(writes: Iterable[Write], look_ups: Iterable[LookUp]) -> Integrity:
    """Classify every key that was not refused for good."""
    acknowledged_s: dict[str, float] = {}
    open_keys: dict[str, None] = {}
    for write in writes:
        if write.acknowledged:
            acknowledged_s[write.key] = min(write.done_s, acknowledged_s.get(write.key, write.done_s))
        elif not write.refused:
            open_keys[write.key] = None
    found = {look_up.key: look_up for look_up in look_ups}
    groups: dict[str, list[str]] = {name: [] for name in Integrity.__dataclass_fields__ if name != "lost_since_s"}
    for key in acknowledged_s:
        groups[_of_acknowledged(found.get(key))].append(key)
    for key in open_keys:
        if key not in acknowledged_s:
            groups[_of_indeterminate(found.get(key))].append(key)
    groups["duplicated"] = [key for key, look_up in found.items() if not look_up.error and look_up.copies > 1]
    lost_since_s = min((acknowledged_s[key] for key in groups["lost"]), default=None)
    return Integrity(**{name: tuple(keys) for name, keys in groups.items()}, lost_since_s=lost_since_s)


def _of_acknowledged(look_up: LookUp | None) -> str:
    if look_up is None or look_up.error:
        return "unknown"
    if look_up.copies == 0:
        return "lost"
    return "kept" if look_up.equal else "altered"


def _of_indeterminate(look_up: LookUp | None) -> str:
    if look_up is None or look_up.error:
        return "unclear"
    return "late" if look_up.copies and look_up.equal else "vanished"
