"""Chooses what keeps an environment's lock and Drillbook's own documents; a part of `drillbook.wiring`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from drillbook.drivers.kubernetes import TIMEOUT_S
from drillbook.drivers.kubernetes_lease import KubernetesLease
from drillbook.drivers.kubernetes_state import ConfigMapStore
from drillbook.run import redaction
from drillbook.run.two_regions import BothLocks, BothStores

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kubernetes.client import ApiClient

    from drillbook.domain.environment import Environment
    from drillbook.ports import Lock, StateStore

_AWAY_S = (1.0, 3.0)
"""To connect to a region that may be away, and for its answer: the lock of the other one is renewed in between."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept.

    Attributes:
        lock: One run at a time.
        store: Where a run puts its documents.
        left: Where any run may have left some.
    """

    lock: Lock
    store: StateStore
    left: StateStore


def keep(environment: Environment, apis: Mapping[str, ApiClient], *, witnessed: bool) -> Kept:
    """By the primary region, and by the witness where the environment names one.

    Args:
        environment: Whose.
        apis: Region to its cluster's client; the witness's may be missing for those who only look on.
        witnessed: Whether the witness is gone by, and not the primary region.
    """
    home, recovery = environment.primary.name, environment.recovery
    witness = recovery.witness if recovery is not None else ""
    if witness not in apis:
        store = _store(environment, apis[home])
        return Kept(_lock(environment, apis[home]), store, store)
    kept_by = witness if witnessed else ""
    keeper, other = (witness, home) if witnessed else (home, witness)
    locks = {
        region: _lock(environment, apis[region], _AWAY_S if region == other else TIMEOUT_S)
        for region in (home, witness)
    }
    store = _store(environment, apis[keeper])
    left = BothStores(store, _store(environment, apis[other]))
    return Kept(BothLocks(locks[home], locks[witness], kept_by), store, left)


def _lock(environment: Environment, api: ApiClient, timeout_s: tuple[float, float] = TIMEOUT_S) -> KubernetesLease:
    return KubernetesLease(api, namespace=environment.own_namespace, timeout_s=timeout_s)


def _store(environment: Environment, api: ApiClient) -> ConfigMapStore:
    return ConfigMapStore(api, environment.own_namespace, redaction.document)
