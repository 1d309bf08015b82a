"""What an environment allows and asks where its performance is tested."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """Where workers of a distributed load run.

    Attributes:
        namespace: Kubernetes namespace in the primary region that has nothing else in it.
        image: With the load's program.
        start_within_s: So long after they are made the load begins; a worker that is later sends less than its share.
    """

    namespace: str
    image: str
    start_within_s: float = 45.0


@dataclass(frozen=True, slots=True)
class Performance:
    """How an environment's performance is tested.

    Attributes:
        most_hz: Metered requests a second, of both kinds of connection together, that no load goes beyond.
        longest_s: The longest that one load, or one search, may last.
        step_s: How long a search holds each rate at the least; longer where fewer requests would decide nothing.
        settle_s: How long each rate is held before it is judged.
        workers: Where load is made within the cluster; None when it is not.
    """

    most_hz: float
    longest_s: float = 900.0
    step_s: float = 15.0
    settle_s: float = 3.0
    workers: WorkerSettings | None = None


@dataclass(frozen=True, slots=True)
class Promise:
    """What a rate has to meet.

    Attributes:
        availability: Share of requests that are answered well.
        latency_s: Within which `latency_share` of them are answered, in seconds.
        latency_share: See there.
    """

    availability: float
    latency_s: float
    latency_share: float
