"""The environment's lock: a Kubernetes Lease, with a fencing number that grows with each taking.

Every write carries the resource version that was read, so of two that take it at once the API server lets one through.
One whose connection breaks before its answer is sent again by the client, and refused: who has changed the lock is then
read, not guessed. One that gets no answer in time is not: the lock would not last for a second time-out.
A holder that does not renew is stale once its Lease was seen unchanged for its duration, by the looker's own monotonic
clock: as in Kubernetes' own leader election no clock is compared with another machine's, so none that jumps does harm.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import urllib3
from kubernetes import client
from kubernetes.client.exceptions import ApiException

from drillbook.drivers.kubernetes import TIMEOUT_S, asking, bound
from drillbook.ports import Holder, LockHeld, LockLost, Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self

DURATION_S = 15
"""Without a renewal for this long, a holder is taken for dead."""

RENEWED_WITHIN_S = (2.0, 3.0)
"""To connect, and for a whole answer, while it is renewed: after one that is lost another has to come in time."""

_PACE_S = 0.5
_TRIES = 5
"""Of a renewal, as long as the lock is seen to be ours in between."""


class _BrokenOnly(urllib3.Retry):
    """One more try where the connection broke; none where time has passed in vain."""

    def increment(
        self,
        method: str | None = None,
        url: str | None = None,
        response: urllib3.BaseHTTPResponse | None = None,
        error: Exception | None = None,
        _pool: urllib3.connectionpool.ConnectionPool | None = None,
        _stacktrace: TracebackType | None = None,
    ) -> Self:
        """As in urllib3.

        Raises:
            urllib3.exceptions.HTTPError: When nothing is tried again.
        """
        if isinstance(error, urllib3.exceptions.TimeoutError):
            raise error
        return super().increment(method, url, response, error, _pool, _stacktrace)


class KubernetesLease:
    """One Lease, for one environment."""

    def __init__(
        self,
        api: client.ApiClient,
        *,
        namespace: str = "drillbook",
        name: str = "environment",
        sleep: Callable[[float], None] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
        timeout_s: tuple[float, float] = TIMEOUT_S,
    ) -> None:
        """Nothing is asked yet; `timeout_s` is to connect, and for a whole answer."""
        self._api = api
        # With the same credentials, which are renewed for both.
        own = client.ApiClient(api.configuration)
        bound(own, _BrokenOnly(total=1, redirect=False, backoff_factor=0.2))
        self._leases = client.CoordinationV1Api(own)
        self._namespace = namespace
        self._name = name
        self._sleep = sleep
        self._monotonic = monotonic
        self._timeout_s = timeout_s
        self._ours: Holder | None = None

    def acquire(self, identity: str, *, wait_s: float) -> Holder:
        """Take it; answers our own holding.

        A lock that is held is looked at until its holder is seen to renew it, which one that lives does every few
        seconds, or until it has lapsed.

        Raises:
            LockHeld: When someone else is seen to live in it for longer than `wait_s`.
            Unreachable: When the cluster does not answer.
        """
        began = self._monotonic()
        seen: tuple[str, float] | None = None
        alive = False
        while True:
            lease = self._read()
            version = lease.metadata.resource_version if lease is not None else ""
            if seen is None or version != seen[0]:
                alive, seen = seen is not None, (version, self._monotonic())
            if lease is None or _is_free(lease, unchanged_s=self._monotonic() - seen[1]):
                taken = self._take(lease, identity)
                if taken is not None:
                    self._ours = taken
                    return taken
                continue
            if alive and self._monotonic() - began >= wait_s:
                held = _holder(lease)
                since = datetime.fromtimestamp(held.since_s, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
                raise LockHeld(
                    f"the environment is in use by {held.identity} since {since}; wait for that run to end, or say "
                    "with --wait how many seconds to wait for it"
                )
            self._sleep(_PACE_S)

    def adopt(self, holder: Holder) -> None:
        """Go on with a holding that another process of the same run has taken; nothing is asked yet."""
        self._ours = holder

    def check(self) -> None:
        """See that the lock is still ours.

        Raises:
            LockLost: When it is not.
            Unreachable: When the cluster does not answer.
        """
        self._own()

    def renew(self) -> None:
        """Extend it.

        Raises:
            LockLost: When it is someone else's.
            Unreachable: When the cluster does not answer, or it is changed each time before it can be, and stays ours.
        """
        connect_s, answer_s = self._timeout_s
        within_s = min(connect_s, RENEWED_WITHIN_S[0]), min(answer_s, RENEWED_WITHIN_S[1])
        for _ in range(_TRIES):
            lease = self._own(within_s)
            lease.spec.renew_time = datetime.now(UTC)
            if self._replace(lease, within_s):
                return
        raise Unreachable(
            f"the Lease {self._namespace}/{self._name} is this run's, and was changed by another process of it each of "
            f"the {_TRIES} times that it was to be renewed; see what else writes it"
        )

    def release(self) -> None:
        """Give it back; idempotent."""
        ours, self._ours = self._ours, None
        lease = self._read() if ours is not None else None
        if ours is None or lease is None or not _is(lease, ours):
            return
        lease.spec.holder_identity = ""
        lease.spec.renew_time = datetime.now(UTC)
        self._replace(lease)

    def holder(self) -> Holder | None:
        """Who holds it now."""
        lease = self._read()
        return _holder(lease) if lease is not None and lease.spec.holder_identity else None

    def _read(self, within_s: tuple[float, float] | None = None) -> Any:
        with asking(self._api, f"read the Lease {self._namespace}/{self._name}"):
            try:
                lease: Any = self._leases.read_namespaced_lease(
                    self._name, self._namespace, _request_timeout=within_s or self._timeout_s
                )
            except ApiException as error:
                if error.status == 404:  # noqa: PLR2004 - HTTP's own number
                    return None
                raise
            if lease is None or lease.metadata is None or lease.spec is None:
                raise ValueError("it is no Lease")
            return lease

    def _own(self, within_s: tuple[float, float] | None = None) -> Any:
        """The Lease, which is ours."""
        lease, ours = self._read(within_s), self._ours
        if ours is None or lease is None or not _is(lease, ours):
            held = _holder(lease).identity if lease is not None else ""
            raise LockLost(
                f"the environment's lock is held by {held or 'nobody'} now, who undoes what this run has changed"
            )
        return lease

    def _take(self, lease: Any, identity: str) -> Holder | None:
        """Our holding, or None when someone else was faster."""
        now = datetime.now(UTC)
        before = int(lease.spec.lease_transitions or 0) if lease is not None else 0
        spec = client.V1LeaseSpec(
            holder_identity=identity,
            lease_duration_seconds=DURATION_S,
            acquire_time=now,
            renew_time=now,
            lease_transitions=before + 1,
        )
        taken = Holder(identity, now.timestamp(), before + 1)
        if lease is None:
            body = client.V1Lease(metadata=client.V1ObjectMeta(name=self._name), spec=spec)
            return taken if self._create(body) or self._has_taken(taken, now) else None
        lease.spec = spec
        return taken if self._replace(lease) or self._has_taken(taken, now) else None

    def _has_taken(self, taken: Holder, acquired: datetime) -> bool:
        """Whether a taking that was refused is in effect; a namesake on another machine took it at another moment."""
        lease = self._read()
        return lease is not None and _is(lease, taken) and lease.spec.acquire_time == acquired

    def _create(self, lease: client.V1Lease) -> bool:
        """Whether it was not there yet."""
        with asking(self._api, f"create the Lease {self._namespace}/{self._name}"):
            try:
                self._leases.create_namespaced_lease(self._namespace, lease, _request_timeout=self._timeout_s)
            except ApiException as error:
                if error.status == 409:  # noqa: PLR2004 - somebody created it meanwhile
                    return False
                raise
        return True

    def _replace(self, lease: Any, within_s: tuple[float, float] | None = None) -> bool:
        """Whether ours was the first change since it was read."""
        with asking(self._api, f"change the Lease {self._namespace}/{self._name}"):
            try:
                self._leases.replace_namespaced_lease(
                    self._name, self._namespace, lease, _request_timeout=within_s or self._timeout_s
                )
            except ApiException as error:
                if error.status == 409:  # noqa: PLR2004 - somebody changed it meanwhile
                    return False
                raise
        return True


def _is_free(lease: Any, *, unchanged_s: float) -> bool:
    return not lease.spec.holder_identity or unchanged_s > (lease.spec.lease_duration_seconds or DURATION_S)


def _holder(lease: Any) -> Holder:
    acquired = lease.spec.acquire_time
    return Holder(
        lease.spec.holder_identity or "", acquired.timestamp() if acquired else 0.0, lease.spec.lease_transitions or 0
    )


def _is(lease: Any, ours: Holder) -> bool:
    return lease.spec.holder_identity == ours.identity and int(lease.spec.lease_transitions or 0) == ours.fencing
