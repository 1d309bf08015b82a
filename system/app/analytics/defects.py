"""What a bad release does wrong, on purpose, so that every check of the harness can be seen failing.

Health and readiness checks stay clean whatever is switched on (`DEFECT_READY_LIES` makes them cleaner than they should
be), but for `DEFECT_READY_FLAPS_MS`: only a look at real traffic finds the others.
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Defects:
    """Which defects are on; none by default.

    Attributes:
        error_share: Share of API requests answered 500 (`DEFECT_ERROR_SHARE`, 0 to 1).
        delay_ms: Milliseconds that each API request waits first (`DEFECT_DELAY_MS`).
        wrong_aggregates: Share of aggregates that are wrong (`DEFECT_WRONG_AGGREGATES`, 0 to 1).
        lose_writes: Share of new events acknowledged but not stored (`DEFECT_LOSE_WRITES`, 0 to 1).
        ready_lies: `/readyz` answers 200 whatever is true (`DEFECT_READY_LIES`, 1 for yes).
        ready_flaps_ms: Milliseconds for which `/readyz` answers 503, out of every three times as many, from as many
            after the start on (`DEFECT_READY_FLAPS_MS`).
        startup_ms: Milliseconds after the start in which the API answers 503 (`DEFECT_STARTUP_MS`).
        min_rps: The defects of answers show only while this process gets at least so many API requests a second
            (`DEFECT_MIN_RPS`): a fault of load, which a smoke check does not find.
    """

    error_share: float = 0.0
    delay_ms: float = 0.0
    wrong_aggregates: float = 0.0
    lose_writes: float = 0.0
    ready_lies: float = 0.0
    ready_flaps_ms: float = 0.0
    startup_ms: float = 0.0
    min_rps: float = 0.0

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Defects:
        """Read the switches.

        Raises:
            ValueError: When one is not a number of its range.
        """
        values: dict[str, float] = {}
        for switch in fields(cls):
            name = f"DEFECT_{switch.name.upper()}"
            text = environment.get(name, "").strip()
            if text:
                values[switch.name] = _value(name, text)
        return cls(**values)

    @property
    def of_answers(self) -> bool:
        """Whether any defect concerns the answers to API requests."""
        return any((self.error_share, self.delay_ms, self.wrong_aggregates, self.lose_writes))


def _value(name: str, text: str) -> float:
    highest = 600_000.0 if name.endswith(("_MS", "_RPS")) else 1.0
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= highest:
        message = f"The environment variable {name} is {text!r}; it has to be a number from 0 to {highest:g}."
        raise ValueError(message)
    return value


@dataclass(slots=True)
class Mischief:
    """Decides, request by request, whether a defect strikes."""

    defects: Defects
    _second: int = 0
    _count: int = 0
    _previous: int = 0
    _random: random.Random = field(default_factory=random.Random)
    _began_s: float = field(init=False)

    def __post_init__(self) -> None:
        # Not all of a release flap at the same time: users may be served all along, and only readiness tells.
        self._began_s = time.monotonic() - self._random.random() * self.defects.ready_flaps_ms / 1000

    def count_request(self) -> None:
        """Take note of one API request."""
        second = int(time.monotonic())
        if second != self._second:
            self._previous = self._count if second == self._second + 1 else 0
            self._second, self._count = second, 0
        self._count += 1

    def flaps(self) -> bool:
        """Whether readiness is denied now."""
        length_s = self.defects.ready_flaps_ms / 1000
        return length_s > 0 and (time.monotonic() - self._began_s) % (3 * length_s) >= 2 * length_s

    def _under_load(self) -> bool:
        return max(self._count, self._previous) >= self.defects.min_rps

    def _strikes(self, share: float) -> bool:
        return share > 0 and self._under_load() and self._random.random() < share

    def fails(self) -> bool:
        """Whether this request is to be answered 500."""
        return self._strikes(self.defects.error_share)

    def delay_s(self) -> float:
        """Seconds that this request is to wait."""
        return self.defects.delay_ms / 1000 if self._under_load() else 0.0

    def distorts(self) -> bool:
        """Whether this aggregate is to be wrong."""
        return self._strikes(self.defects.wrong_aggregates)

    def loses(self) -> bool:
        """Whether this event is to be acknowledged without being stored."""
        return self._strikes(self.defects.lose_writes)
