"""The environment's lock at an API server whose answers get lost: our own change is not taken for somebody else's."""

from __future__ import annotations

import json
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from drillbook.drivers import kubernetes_lease
from drillbook.drivers.kubernetes import TIMEOUT_S, connect
from drillbook.drivers.kubernetes_lease import KubernetesLease
from drillbook.ports import LockHeld, LockLost, Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable

ME, OTHER = "me@here process 7", "ann@build process 9"


class Api:
    """Keeps one Lease, and refuses a change of what it no longer is.

    Attributes:
        lease: As it is; None before it was ever made.
        lost: Of so many changes from now on the answer does not arrive, though each was made.
        meddle: Called before each change is looked at.
        changes: How many were asked for.
        renewed: Whether its holder renews it all the time.
    """

    def __init__(self) -> None:
        self.lease: dict[str, Any] | None = None
        self.lost = 0
        self.meddle: Callable[[], None] = lambda: None
        self.changes = 0
        self.renewed = False

    def taken_by(self, identity: str, *, acquired: str = "2026-01-01T00:00:00.000001Z") -> None:
        """Somebody takes it, whoever has it."""
        before = self.lease or {"spec": {"leaseTransitions": 0}}
        self._keep({
            "holderIdentity": identity, "leaseTransitions": before["spec"]["leaseTransitions"] + 1,
            "leaseDurationSeconds": 15, "acquireTime": acquired, "renewTime": acquired,
        })  # fmt: skip

    def answer(self, asked):
        if self.renewed and self.lease is not None:
            self._keep(self.lease["spec"])
        if asked.method != "GET":
            self.changes += 1
            self.meddle()
            read = asked.json["metadata"].get("resourceVersion", "")
            now = self.lease["metadata"]["resourceVersion"] if self.lease is not None else ""
            if read != now:
                return self._refuse(409)
            self._keep(asked.json["spec"])
            if self.lost > 0:
                self.lost -= 1
                raise ConnectionResetError
        return self._refuse(404) if self.lease is None else (200, {}, json.dumps(self.lease).encode())

    def _keep(self, spec: dict[str, Any]) -> None:
        version = int(self.lease["metadata"]["resourceVersion"]) + 1 if self.lease is not None else 1
        self.lease = {
            "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
            "metadata": {"name": "environment", "resourceVersion": str(version)}, "spec": spec,
        }  # fmt: skip

    @staticmethod
    def _refuse(status: int):
        return status, {}, json.dumps({"kind": "Status", "apiVersion": "v1", "code": status}).encode()


@pytest.fixture
def api(server) -> Api:
    made = Api()
    server.answer = made.answer
    return made


@pytest.fixture
def lock(server, tmp_path):
    file = tmp_path / "kubeconfig"
    file.write_text(json.dumps({
        "apiVersion": "v1", "kind": "Config", "current-context": "c", "users": [{"name": "u", "user": {"token": "t0"}}],
        "clusters": [{"name": "k", "cluster": {"server": server.url}}],
        "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
    }))  # fmt: skip
    return KubernetesLease(connect(file), sleep=lambda _: None)


def test_a_renewal_whose_answer_was_lost_is_no_loss_of_the_lock(api, lock):
    lock.acquire(ME, wait_s=0)
    api.lost, api.changes = 1, 0
    lock.renew()
    assert api.changes == 3, "it was made, sent again by the client in vain, and made once more"
    lock.check()


def test_a_renewal_that_is_not_answered_leaves_time_for_another(server, api, lock, monkeypatch):
    """Before the run is stopped for it, 10 s after the last one."""
    monkeypatch.setattr(kubernetes_lease, "RENEWED_WITHIN_S", (0.2, 0.2))
    lock.acquire(ME, wait_s=0)
    ended = threading.Event()

    def stay_silent(asked):
        ended.wait(TIMEOUT_S[1])
        return api.answer(asked)

    server.answer = stay_silent
    began_s = time.monotonic()
    with pytest.raises(Unreachable, match="no whole answer came in time"):
        lock.renew()
    assert time.monotonic() - began_s < 5.0
    server.answer = api.answer
    lock.renew()
    ended.set()


def test_a_renewal_that_somebody_else_comes_before_is_a_loss(api, lock):
    lock.acquire(ME, wait_s=0)
    api.meddle = lambda: api.taken_by(OTHER)
    with pytest.raises(LockLost, match=f"held by {OTHER} now"):
        lock.renew()
    assert api.lease["spec"]["holderIdentity"] == OTHER


def test_a_lock_that_changes_all_the_time_and_stays_ours_is_renewed_later(api, lock):
    lock.acquire(ME, wait_s=0)
    api.meddle = lambda: api._keep(api.lease["spec"])
    with pytest.raises(Unreachable, match="is this run's, and was changed by another process"):
        lock.renew()
    assert api.changes < 10


def test_a_taking_whose_answer_was_lost_is_ours(api, lock):
    api.taken_by("")
    api.lost = 1
    holder = lock.acquire(ME, wait_s=0)
    assert (holder.identity, holder.fencing, api.changes) == (ME, 2, 2)
    lock.renew()


def test_a_namesake_who_took_it_at_the_same_time_is_somebody_else(api, lock):
    """In two containers of one image user, host and process may well be the same."""
    api.taken_by("")

    def namesake() -> None:
        api.taken_by(ME)
        api.meddle, api.renewed = lambda: None, True

    api.meddle = namesake
    with pytest.raises(LockHeld, match=f"in use by {ME}"):
        lock.acquire(ME, wait_s=0)


def test_of_two_that_make_it_at_once_one_has_it(api, lock):
    def other() -> None:
        api.taken_by(OTHER)
        api.meddle, api.renewed = lambda: None, True

    api.meddle = other
    with pytest.raises(LockHeld, match=f"in use by {OTHER}"):
        lock.acquire(ME, wait_s=0)
