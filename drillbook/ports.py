"""What Drillbook needs of the outside; `drillbook.drivers` implements it, `drillbook.wiring` chooses."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from drillbook.domain.wording import visible

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager

    from drillbook.domain.migration.locks import Look
    from drillbook.domain.traffic import Origin


class Unreachable(Exception):
    """An outside system did not answer, or refused; the text says which, where and what to do.

    What that system said is part of the text: whatever hides in it, such as a terminal's commands, is made visible.
    """

    def __init__(self, text: str) -> None:
        """A sentence."""
        super().__init__(visible(text))


class Conflict(Exception):
    """What is to be put back was changed by somebody else since, and is left as it is; the text says what was found."""


@dataclass(frozen=True, slots=True)
class Observation:
    """What an independent look at the system found.

    Attributes:
        holds: Whether what was expected is so.
        text: What was seen, in a sentence.
        at_s: When, in seconds since the epoch on the run's steady clock.
        data: The raw facts, JSON-compatible.
    """

    holds: bool
    text: str
    at_s: float
    data: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class SlotStatus:
    """What the cluster runs in one slot.

    Attributes:
        slot: `blue` or `green`.
        version: Release version that its pods declare; empty when the slot is empty.
        desired: Replicas asked for.
        ready: Replicas ready.
        pods: Names of its pods, those about to end included.
        addresses: IP addresses of its pods that are ready.
        images: What their containers run from, each once, as the node resolved it: `NAME@sha256:DIGEST`.
    """

    slot: str
    version: str
    desired: int
    ready: int
    pods: tuple[str, ...]
    addresses: tuple[str, ...] = ()
    images: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Sample:
    """One value of one series of an instant query.

    Attributes:
        labels: The series' labels.
        value: Its value; may be NaN.
        at_s: The evaluation time that the server gave, seconds since the epoch.
    """

    labels: Mapping[str, str]
    value: float
    at_s: float


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer, bounded in size.

    Attributes:
        status: HTTP status.
        headers: Names in lower case.
        body: At most 1 MiB.
        elapsed_s: From sending to the last byte.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    elapsed_s: float


class Clock(Protocol):
    """The run's steady clock."""

    def now(self) -> float:
        """Seconds since the epoch; never jumps."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait; only for pacing a poll, never in place of a condition."""
        ...


class Router(Protocol):
    """Shares of traffic at the load balancer."""

    def weights(self) -> dict[str, int]:
        """Slot to weight, as declared now."""
        ...

    def set_weights(self, weights: Mapping[str, int]) -> None:
        """Declare new weights; returns once they are accepted, not once they are in effect."""
        ...

    def backends(self) -> dict[str, str]:
        """Slot to the name of its backend."""
        ...


class Releaser(Protocol):
    """Puts releases into slots."""

    def revision(self, slot: str) -> int:
        """The slot's current revision; 0 when nothing was ever deployed there."""
        ...

    def deploy(self, slot: str, version: str, *, deadline_s: float) -> int:
        """Install or upgrade; answers the new revision; does not wait for readiness beyond the tool's own."""
        ...

    def restore(self, slot: str, revision: int, *, deadline_s: float) -> None:
        """Back to a revision; 0 removes the release. Idempotent."""
        ...


class Cluster(Protocol):
    """What really runs, from the cluster's own API."""

    def slot(self, slot: str) -> SlotStatus:
        """What runs in a slot."""
        ...

    def scale(self, slot: str, replicas: int) -> None:
        """Ask for a number of replicas."""
        ...


class Metrics(Protocol):
    """Prometheus."""

    def query(self, promql: str, *, at_s: float | None = None) -> Sequence[Sample]:
        """An instant query; the raw answer is kept in the run folder.

        Raises:
            Unreachable: When it does not answer in time, or not with a vector.
        """
        ...


class Client(Protocol):
    """One user at the public address."""

    def get(self, path: str, *, headers: Mapping[str, str] | None = None, timeout_s: float = 5.0) -> Answer:
        """A request on a connection of its own.

        Raises:
            Unreachable: When there is no HTTP answer.
        """
        ...

    def send(
        self,
        method: str,
        path: str,
        *,
        body: object = None,
        headers: Mapping[str, str] | None = None,
        timeout_s: float = 5.0,
    ) -> Answer:
        """Likewise with a method and a JSON body."""
        ...

    def origin(self, answer: Answer) -> Origin:
        """Who answered, by the workload's own rule."""
        ...


@dataclass(frozen=True, slots=True)
class SmokeReport:
    """What a slot answered when it was tried before its traffic.

    Attributes:
        tried: Number of checks made.
        writes: How many of them wrote something, and were answered.
        problems: A sentence for each check that failed.
        versions: Versions that answered.
    """

    tried: int
    writes: int
    problems: tuple[str, ...]
    versions: tuple[str, ...]


class Smoke(Protocol):
    """Tries a slot as a user would, while the public is still elsewhere."""

    def run(self, slot: str, *, times: int) -> SmokeReport:
        """Health, a write, its read-back and a read with a known right answer, `times` over, at the public address."""
        ...


class StateStore(Protocol):
    """Small documents of Drillbook's own in the target environment; they survive the runner's machine."""

    def put(self, name: str, document: Mapping[str, Any]) -> None:
        """Create or replace."""
        ...

    def get(self, name: str) -> dict[str, Any] | None:
        """The document, or None."""
        ...

    def names(self, prefix: str = "") -> list[str]:
        """All names with a prefix, sorted."""
        ...

    def delete(self, name: str) -> None:
        """Idempotent."""
        ...


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds an environment's lock.

    Attributes:
        identity: user@host, process and run id.
        since_s: Seconds since the epoch.
        fencing: Grows with each taking.
    """

    identity: str
    since_s: float
    fencing: int


class Lock(Protocol):
    """One run at a time in one environment: a Kubernetes Lease."""

    def acquire(self, identity: str, *, wait_s: float) -> Holder:
        """Take it; answers our own holding.

        Raises:
            LockHeld: When someone else holds it for longer than `wait_s`.
        """
        ...

    def adopt(self, holder: Holder) -> None:
        """Go on with a holding that another process of the same run has taken."""
        ...

    def check(self) -> None:
        """See that it is still ours; raises LockLost when it is not, and Unreachable when that cannot be seen."""
        ...

    def renew(self) -> None:
        """Extend it; raises LockLost when it is someone else's."""
        ...

    def release(self) -> None:
        """Give it back; idempotent."""
        ...

    def holder(self) -> Holder | None:
        """Who holds it now."""
        ...


class MigratedTable(Protocol):
    """The table that a migration is proved on, by the database's own protocol; all raise Unreachable."""

    def revision(self) -> str:
        """At which revision the schema is; empty before the first."""
        ...

    def seed(self, rows: int) -> None:
        """Add rows until there are so many. Idempotent."""
        ...

    def remove_seed(self) -> None:
        """Take them away. Idempotent."""
        ...

    def contents(self) -> tuple[int, int]:
        """Number and checksum of those rows."""
        ...

    def invalid_indexes(self) -> Sequence[str]:
        """Names of the indexes that no query may use."""
        ...

    def backfilled(self) -> int:
        """How many rows a back-fill has gone over; 0 before the first."""
        ...

    def look(self, now: Callable[[], float]) -> Look:
        """Who waits for whom, over a connection that is kept."""
        ...

    def stop_looking(self) -> None:
        """Give that connection back. Idempotent."""
        ...

    def long_transaction(self) -> AbstractContextManager[None]:
        """A transaction that has read the table and stays open meanwhile."""
        ...


class Migrator(Protocol):
    """The platform's own way to migrate."""

    def run(self, way: str, to: str, *, deadline_s: float) -> str:
        """`upgrade` or `downgrade` to a revision; answers what it said last, raises Unreachable when it fails."""
        ...

    def start(self, way: str, to: str) -> RunningMigrator:
        """Likewise, without waiting for its end."""
        ...


class RunningMigrator(Protocol):
    """The platform's own way to migrate while it runs."""

    def finish(self, deadline_s: float) -> str:
        """Wait for its end; answers what it said last, raises Unreachable when it fails."""
        ...

    def kill(self) -> None:
        """End it with SIGKILL, wherever it is."""
        ...

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        ...


class LockHeld(Exception):
    """Someone else is inside; the text says who, and since when."""


class LockLost(Exception):
    """The lock was taken from us; everything must stop and be undone."""
