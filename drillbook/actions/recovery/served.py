"""See users be served well without a break."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from drillbook.domain import live_window
from drillbook.ports import Observation

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from drillbook.ports import Clock


@dataclass(slots=True)
class Served:
    """Looks at the load's running record from now on.

    Attributes:
        lines: Gives its lines that are new since it was last asked; see `loadtests.state.Live`.
        clock: The run's.
        for_s: For so long every user was answered well, and somebody was, in seconds.
    """

    lines: Callable[[], Sequence[Mapping[str, Any]]]
    clock: Clock
    for_s: float
    _began_s: float = field(init=False)
    _good: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        self._began_s = self.clock.now()

    def describe(self) -> str:
        """In words."""
        return f"see users served well for {self.for_s:g} s without a break"

    def observe(self) -> Observation:
        """Read on."""
        for line in self.lines():
            if float(line["start_s"]) >= self._began_s:
                self._take(line)
        lasted_s = 0.0 if self._good is None else self._good[1] - self._good[0]
        text = f"users were served well for {lasted_s:.1f} s of {self.for_s:g} s"
        return Observation(lasted_s >= self.for_s, text, self.clock.now(), {"lasted_s": lasted_s})

    def _take(self, line: Mapping[str, Any]) -> None:
        versions = list(line["versions"].values())
        good = sum(int(version["ok"]) for version in versions)
        bad = sum(sum(version["bad"].values()) for version in versions)
        bad += live_window.lost(line)
        if bad or not good:
            self._good = None
        else:
            start_s = float(line["start_s"]) if self._good is None else self._good[0]
            self._good = (start_s, float(line["end_s"]))
