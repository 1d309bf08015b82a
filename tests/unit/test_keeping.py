"""Where the lock and the undo journal are, by what an environment says and what a run may lose."""

from __future__ import annotations

from dataclasses import replace

import pytest
from kubernetes.client import ApiClient

from drillbook.drivers.kubernetes_lease import KubernetesLease
from drillbook.drivers.kubernetes_state import ConfigMapStore
from drillbook.run.environment import find, load
from drillbook.run.two_regions import BothLocks, BothStores
from drillbook.wiring.keeping import keep

TWIN = load(find("twin"))


@pytest.fixture
def apis():
    return {"us-east-1": ApiClient(), "us-west-2": ApiClient()}


@pytest.mark.parametrize(
    ("witnessed", "keeper", "kept_by"), [(False, "us-east-1", ""), (True, "us-west-2", "us-west-2")]
)
def test_every_run_takes_both_locks_and_its_documents_are_where_it_cannot_lose_them(apis, witnessed, keeper, kept_by):
    kept = keep(TWIN, apis, witnessed=witnessed)
    assert isinstance(kept.lock, BothLocks)
    assert kept.lock.kept_by == kept_by
    assert isinstance(kept.store, ConfigMapStore)
    assert kept.store.api is apis[keeper]
    assert isinstance(kept.left, BothStores)
    assert kept.left.keeper is kept.store


def test_an_environment_without_a_witness_has_one_lock_and_one_place(apis):
    assert TWIN.recovery is not None
    kept = keep(replace(TWIN, recovery=replace(TWIN.recovery, witness="")), apis, witnessed=False)
    assert isinstance(kept.lock, KubernetesLease)
    assert kept.left is kept.store


def test_whoever_only_looks_on_is_connected_to_the_primary_region_alone(apis):
    kept = keep(TWIN, {"us-east-1": apis["us-east-1"]}, witnessed=False)
    assert isinstance(kept.lock, KubernetesLease)
