"""What one load of one tool came to, and what is asked of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

NAMES = ("p50", "p99", "p99.9")
"""Of `known.QUANTILES`."""
KEPT = 0.99
"""Share of what is due that has to be in time for a rate to be reached."""
OFF, OFF_S = 0.05, 0.002
"""A quantile is right within 5 % or 2 ms of the truth, whichever is more."""
SERVER_LATE_S = 0.005


@dataclass(frozen=True, slots=True)
class Trial:
    """One load of one tool.

    Attributes:
        tool: Which.
        rate_hz: Requests a second that were asked of it.
        on_time: Share of what was due for which a request reached the server in time; None without a schedule.
        came_hz: Requests a second that reached the server.
        unsent: Requests that the tool says it did not send.
        cores: Processor time of the tool's process per second.
        quantiles_s: Latencies of `known.QUANTILES`, as the tool tells.
        truth_s: The same, as users had who come at that rate.
        server_late_s: 99.9 % of the server's answers were given within this of what was promised.
    """

    tool: str
    rate_hz: float
    on_time: float | None
    came_hz: float
    unsent: int
    cores: float
    quantiles_s: tuple[float, ...]
    truth_s: tuple[float, ...]
    server_late_s: float


def reached(trials: Sequence[Trial]) -> Trial | None:
    """Of loads at rising rates the last that was kept before the first that was not."""
    best = None
    for trial in trials:
        if trial.on_time is None or trial.on_time < KEPT:
            return best
        best = trial
    return best


def off(told_s: float, true_s: float) -> bool:
    """Whether a quantile is not right."""
    return not abs(told_s - true_s) <= max(OFF * true_s, OFF_S)


def shortfall(trial: Trial) -> str:
    """What keeps a tool's figures from being right, in a sentence; empty when they are."""
    if trial.server_late_s > SERVER_LATE_S:
        return f"the server itself was {trial.server_late_s * 1000:.1f} ms late, so that the truth is not known"
    if trial.on_time is None:
        return "it has no schedule"
    if trial.on_time < KEPT:
        return f"{trial.on_time:.2%} of {trial.rate_hz:g} requests a second were in time"
    for name, told_s, true_s in zip(NAMES, trial.quantiles_s, trial.truth_s, strict=True):
        if off(told_s, true_s):
            return f"{name} was told as {told_s * 1000:.1f} ms where users had {true_s * 1000:.1f} ms"
    return ""
