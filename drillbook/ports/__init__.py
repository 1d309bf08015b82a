"""What Drillbook needs of the outside; `drillbook.drivers` implements it, `drillbook.wiring` chooses."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

from drillbook.domain.wording import visible

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from drillbook.domain.backup import BackupSchedule
    from drillbook.domain.backup_report import BackupReport
    from drillbook.domain.slot_history import Revision
    from drillbook.domain.traffic import Origin


class Unreachable(Exception):
    """An outside system did not answer, or refused; the text says which, where and what to do.

    What that system said is part of the text: whatever hides in it, such as a terminal's commands, is made visible.
    """

    def __init__(self, text: str) -> None:
        """A sentence."""
        super().__init__(visible(text))


class Refused(Unreachable):
    """A system answered, and let nobody in: a credential lapsed, or every connection is taken. It is up."""


class NotAsked(Unreachable):
    """An outside system was not even asked: what that takes is missing here, which says nothing of the system."""


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
        ready: Pods of this version that are ready.
        pods: Names of its pods, those about to end included.
        addresses: IP addresses of its pods that are ready.
        images: What their containers run from, each once, as the node resolved it: `NAME@sha256:DIGEST`.
        ready_since: Of each pod that is ready, by name, since when, as the cluster writes it.
        bounds: Of each of their containers, also those that run before the others, as `POD/CONTAINER`, what it has of
            `requests.cpu`, `requests.memory`, `limits.cpu` and `limits.memory`.
        serving: Pods that are ready, of whatever version: while one replaces another both answer.
        rolled_out: Whether all of its pods are as is asked for now: those of a restart that was just asked for are not
            there yet, and nobody sees that by their version.
    """

    slot: str
    version: str
    desired: int
    ready: int
    pods: tuple[str, ...]
    addresses: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    ready_since: Mapping[str, str] = field(default_factory=dict[str, str])
    bounds: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    serving: int = 0
    rolled_out: bool = True


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

    def history(self, slot: str) -> Sequence[Revision]:
        """The slot's revisions, oldest first; none when nothing was ever deployed there."""
        ...

    def replicas(self, slot: str) -> int | None:
        """How many the slot's current revision asks for; None where it leaves that to others."""
        ...

    def deploy(self, slot: str, version: str, *, mark: str, deadline_s: float) -> None:
        """Install or upgrade; the finished revision carries the mark. Does not wait for readiness."""
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
        wrong: How many of them were answered, and wrongly.
    """

    tried: int
    writes: int
    problems: tuple[str, ...]
    versions: tuple[str, ...]
    wrong: int = 0


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
        kept_by: Region whose lock it is, where that is not the primary one's; empty otherwise.
    """

    identity: str
    since_s: float
    fencing: int
    kept_by: str = ""


class Lock(Protocol):
    """One run at a time in one environment: a Kubernetes Lease, or one in each of two regions."""

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


@dataclass(frozen=True, slots=True)
class DatabaseStatus:
    """What a region's database server says of itself.

    Attributes:
        primary: Whether it takes writes.
        timeline: Number of its timeline; grows by one with each promotion.
        system: Identifier of the database that it is a server of.
        position: Bytes of WAL: written by a primary, replayed by a standby.
        receiving: Whether, as a standby, it streams WAL from another server now.
        held: Whether new transactions are read-only, because it hands over; a standby may have kept that from being
            a primary.
    """

    primary: bool
    timeline: int
    system: str
    position: int
    receiving: bool = False
    held: bool = False


class Database(Protocol):
    """A region's database server, by its own protocol."""

    def status(self) -> DatabaseStatus:
        """What it is now; raises Unreachable when it does not answer."""
        ...

    def moment(self) -> str:
        """Its time now, as it reads times itself; raises Unreachable when it does not answer."""
        ...

    def archive_timeout_s(self) -> float:
        """After how long it ends a segment of WAL that is not full, 0 when never; raises Unreachable as `moment`."""
        ...

    def promote(self, *, wait_s: float) -> None:
        """Make a standby the primary; returns once it is, else raises Unreachable after `wait_s`. Idempotent."""
        ...

    def detach(self) -> None:
        """Let a standby stop receiving; what it has received it replays. Idempotent."""
        ...

    def attach(self) -> None:
        """Let a standby receive again from where it did before. Idempotent."""
        ...

    def hold_writes(self) -> None:
        """Make new transactions read-only and end the running ones of applications. Idempotent."""
        ...

    def release_writes(self) -> None:
        """Undo of `hold_writes`. Idempotent."""
        ...


ServerOrders = Literal[
    "", "fenced", "standby", "primary", "lost", "returned", "restore-1", "restore-2", "restore-3", "restore-4"
]
"""What a region's server may be when it starts: as its volume says, nothing, the other's standby, the primary; without
the data that it has, with those again, or what one repository alone brings back."""


class DatabaseHost(Protocol):
    """What starts and stops a region's database server."""

    def orders(self) -> ServerOrders:
        """Those that hold for its next start."""
        ...

    def order(self, orders: ServerOrders) -> None:
        """Give them. Idempotent."""
        ...

    def stop(self) -> None:
        """Ask for no server, shut down in order. Idempotent."""
        ...

    def lose(self) -> None:
        """End it at once, in no order, and ask for none. Idempotent."""
        ...

    def start(self) -> None:
        """Ask for one server. Idempotent."""
        ...

    def said(self) -> str:
        """What the server's start has printed to the last; empty while there is none."""
        ...

    def running(self) -> bool:
        """Whether a server may still run; one that is about to end, or whose machine is silent, may."""
        ...

    def wanted(self) -> bool:
        """Whether a server is asked for; one that is not may answer for a while."""
        ...


class ApplicationDatabase(Protocol):
    """Which region's database a region's application works with."""

    def points_at(self) -> str:
        """The region."""
        ...

    def point_at(self, region: str) -> None:
        """Make it that one, and have the application take it up. Idempotent."""
        ...


@dataclass(frozen=True, slots=True)
class TableState:
    """What a server has of a table that may be destroyed on purpose.

    Attributes:
        live: Whether it is where its users look.
        aside: Whether one is kept aside.
        kept: Whether there is still a place for one aside.
        moment: Just before it was destroyed, as the database reads times; empty when it was not.
    """

    live: bool
    aside: bool
    kept: bool
    moment: str

    def said(self, table: str) -> str:
        """In words."""
        there = f"{table} is {'there' if self.live else 'gone'}"
        return f"{there}, and {'a destroyed one is' if self.kept else 'none is'} kept aside"


class LosableTable(Protocol):
    """A table of the home database that may be destroyed on purpose."""

    @property
    def name(self) -> str:
        """With its schema."""
        ...

    @property
    def aside(self) -> str:
        """Schema in which it is kept while it is destroyed."""
        ...

    def state(self, region: str) -> TableState:
        """What a region's server has of it; raises Unreachable."""
        ...

    def destroy(self) -> None:
        """Take it from its users in one transaction. Idempotent; raises Conflict when it could not be brought back."""
        ...

    def bring_back(self) -> int:
        """Undo of `destroy`; what was put back meanwhile stays, and gets the rows that it lacks: answers how many.

        Idempotent; raises Conflict when it cannot take them.
        """
        ...


class BackupHost(Protocol):
    """Where the backups of a database can be asked after."""

    def back_up(self, mark: str) -> tuple[float, float]:
        """Back up into every repository; answers when that began and ended by the host's clock, in seconds.

        Raises Unreachable when a repository has no new backup.
        """
        ...

    def report(self, mark: str) -> BackupReport:
        """What it says now; raises Unreachable when it does not. The mark makes the question one that no other is."""
        ...

    def schedules(self) -> tuple[BackupSchedule, ...]:
        """By what backups are made without anybody's doing; raises Unreachable when one is not there or not told."""
        ...

    def restore(self, mark: str, key: int, moment: str, written: str) -> str:
        """Restore one repository's backup to a moment, where nothing is and nobody comes; answers what was seen of it.

        Raises Unreachable when that did not come to its end. `written` asks for the key and a hash of what is compared.
        """
        ...

    def put_back(self, mark: str, key: int, moment: str, written: str, table: LosableTable) -> str:
        """Restore likewise, and put a table that is destroyed back into the primary; answers what was seen of it."""
        ...

    def abandon(self, mark: str) -> None:
        """Remove what puts a table back, as far as it is there; raises Unreachable. Idempotent."""
        ...

    def working(self, mark: str) -> bool:
        """Whether something that puts a table back is there; raises Unreachable."""
        ...


class PublicName(Protocol):
    """Where the public's name leads."""

    def order(self) -> tuple[str, ...]:
        """The regions that it may lead to, the preferred first."""
        ...

    def prefer(self, regions: Sequence[str]) -> None:
        """Declare another order. Idempotent."""
        ...

    def kept_for_s(self) -> float:
        """For how long whoever asks may keep the answer, in seconds, as declared or as answered: the longer of both."""
        ...

    def resolved(self) -> frozenset[str]:
        """The regions whose addresses a user is given now, by a resolver that keeps answers; raises Unreachable."""
        ...


class Fault(Protocol):
    """Something that can be made to go wrong."""

    def describe(self) -> str:
        """What it does, in a sentence without a full stop, for example `cut us-east-1 from the network`."""
        ...

    def inject(self) -> None:
        """Bring it about; returns once that was accepted. Idempotent."""
        ...

    def bit(self) -> Observation:
        """Whether it is in effect, by a look that does not come from what brought it about."""
        ...

    def undo(self) -> None:
        """End it, whether it was ever begun, by whatever process. Idempotent."""
        ...

    def undone(self) -> Observation:
        """Whether it has ended; what a step of the recovery has stopped meanwhile stays so, and is no sign of it."""
        ...


class LockHeld(Exception):
    """Someone else is inside; the text says who, and since when."""


class LockLost(Exception):
    """The lock was taken from us; everything must stop and be undone."""


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    """How one worker of a distributed load is.

    Attributes:
        worker: Its number, from 0.
        pod: Where it runs.
        phase: Of its pod, as Kubernetes has it: `Pending`, `Running`, `Succeeded`, `Failed`.
        node: That it runs on; empty before it has one.
        text: How it ended, or why it did not begin; empty when there is nothing to say.
    """

    worker: int
    pod: str
    phase: str
    node: str = ""
    text: str = ""

    @property
    def ended(self) -> bool:
        """Whether nothing more comes of it."""
        return self.phase in {"Succeeded", "Failed"}


class LoadWorkers(Protocol):
    """Makes load from more than one place; all methods may raise Unreachable."""

    def start(self, mark: str, plans: Sequence[Mapping[str, Any]], *, lives_s: float) -> None:
        """One worker for each plan, all under a mark that no other load has; each is ended after `lives_s`."""
        ...

    def status(self, mark: str) -> Sequence[WorkerStatus]:
        """How those that are there are, ended ones included."""
        ...

    def printed(self, status: WorkerStatus) -> str:
        """What one has said so far; empty when nothing can be read yet or any more."""
        ...

    def remove(self, mark: str) -> None:
        """End and delete them; those that are gone are fine."""
        ...
