"""What runs in a slot, asked from the cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drillbook.domain.interval import Interval
from drillbook.domain.measurement import Measurement, Window
from drillbook.ports import Unreachable

if TYPE_CHECKING:
    from drillbook.ports import Clock, Cluster, Router


def ready_share(cluster: Cluster, clock: Clock, *, slot: str, version: str) -> Measurement:
    """Share of a slot's desired pods that are ready with a version: 1 is healthy, or warm; 0 pods are a share of 0."""
    started_s = clock.now()
    name = f"share of slot {slot}'s pods that are ready with release {version}"
    try:
        status = cluster.slot(slot)
    except Unreachable as error:
        return _unknown(name, started_s, clock, "kubernetes", str(error))
    share = status.ready / status.desired if status.desired and status.version == version else 0.0
    window = Window(started_s, clock.now())
    return Measurement(name, Interval.exactly(share), "ratio", max(status.desired, 1), window, "kubernetes")


def pods(cluster: Cluster, clock: Clock, *, slot: str) -> Measurement:
    """Number of a slot's pods, those about to end included."""
    started_s = clock.now()
    name = f"pods in slot {slot}"
    try:
        count = len(cluster.slot(slot).pods)
    except Unreachable as error:
        return _unknown(name, started_s, clock, "kubernetes", str(error), unit="pods")
    return Measurement(name, Interval.exactly(count), "pods", 1, Window(started_s, clock.now()), "kubernetes")


def weight_share(router: Router, clock: Clock, *, slot: str) -> Measurement:
    """The slot's share of the declared weights."""
    started_s = clock.now()
    name = f"share of the public's traffic declared for slot {slot}"
    try:
        weights = router.weights()
    except Unreachable as error:
        return _unknown(name, started_s, clock, "gateway", str(error))
    total = sum(weights.values())
    window = Window(started_s, clock.now())
    if not total:
        return Measurement(name, None, "ratio", 0, window, "gateway", ("no slot has any weight",))
    return Measurement(name, Interval.exactly(weights.get(slot, 0) / total), "ratio", 1, window, "gateway")


def _unknown(name: str, started_s: float, clock: Clock, source: str, doubt: str, *, unit: str = "ratio") -> Measurement:
    return Measurement(name, None, unit, 0, Window(started_s, clock.now()), source, (doubt,))
