"""Chooses what carries out an environment's faults; a part of `drillbook.wiring`."""

from __future__ import annotations

import functools
import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from drillbook.actions.faults.plan import Faults, Offered
from drillbook.domain.fault import CATALOGUE, Reach
from drillbook.domain.traffic import Origin
from drillbook.drivers import credentials
from drillbook.drivers.held_connections import HeldConnections
from drillbook.drivers.http_client import HttpClient
from drillbook.drivers.kubernetes import connect
from drillbook.drivers.kubernetes_disk import FilledVolume
from drillbook.drivers.kubernetes_faults import KubernetesNodes, KubernetesPods
from drillbook.drivers.kubernetes_helper import Helper
from drillbook.drivers.kubernetes_pressure import Pressure
from drillbook.drivers.kubernetes_stopped import StoppedDeployment
from drillbook.drivers.vault_seal import SealedVault
from drillbook.run import redaction, secrets_in
from drillbook.twin import link, lost_machine, slow_store
from drillbook.wiring import clusters

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kubernetes.client import ApiClient

    from drillbook.domain.environment import Environment, RegionAccess
    from drillbook.domain.fault_settings import FaultSettings, ObjectStorePart
    from drillbook.ports import Clock
    from drillbook.ports.fault import Nodes, Pods

HELPER = "drillbook-fault"
"""Name of the pod that does harm from within; the account's right to end it is bound to this name."""

_LOSS_SEEN_WITHIN_S = 90.0
"""A control plane waits before it takes a silent node for lost: 40 s by default, 20 s on the twin."""


def faults(environment: Environment, clock: Clock, live_slot: Callable[[], str]) -> Faults | None:
    """What may be made to go wrong; None when the environment names nothing, or no account for it."""
    settings, region = environment.faults, environment.primary
    if settings is None or region.resilience_kubeconfig is None:
        return None
    # Connected when it is first needed, which it is in few runs.
    api = cache(functools.partial(_connected, region, region.resilience_kubeconfig))
    nodes, pods = KubernetesNodes(api, settings.nodes), KubernetesPods(api)
    service = environment.recovery.applications if environment.recovery is not None else ""
    beside = _beside_it(settings, region.name, service)
    return Faults(
        settings=settings,
        region=region.name,
        namespace=environment.releases.namespace,
        deployment=environment.releases.deployment,
        live_slot=live_slot,
        clock=clock,
        pods=pods,
        nodes=nodes,
        pairs=dict([*_in_the_cluster(settings, region.name, api, clock), *beside]),
        machines=dict(_machines(settings, region.name, nodes, pods)),
    )


def _connected(region: RegionAccess, path: Path) -> ApiClient:
    access = clusters.access_of_another_account(clusters.access(region), path)
    return connect(access.kubeconfig, access.context, redaction.learn)


def _in_the_cluster(
    settings: FaultSettings, region: str, api: Callable[[], ApiClient], clock: Clock
) -> Iterator[tuple[str, Offered]]:
    dns, pressure, disk = settings.dns, settings.pressure, settings.disk
    if dns is not None:
        stopped = StoppedDeployment(api, dns.namespace, dns.deployment, dns.selector)
        yield "stop-dns", Offered(stopped, Reach((region,), (dns.namespace,)))
    if pressure is not None:
        reach = Reach((region,), (pressure.namespace,))
        helper = Helper(api, pressure.namespace, HELPER, pressure.image, CATALOGUE["press-cpu"].longest_s)
        limits = (pressure.beside, pressure.cpu, pressure.memory)
        yield "press-cpu", Offered(Pressure(helper, "cpu", *limits), reach)
        yield "press-memory", Offered(Pressure(helper, "memory", *limits), reach)
    if disk is not None:
        helper = Helper(api, disk.namespace, HELPER, disk.image, CATALOGUE["fill-disk"].longest_s)
        filled = FilledVolume(
            helper, KubernetesPods(api), disk.claim, disk.user, disk.reserve_mib, disk.most_mib, clock.sleep,
            group=disk.group,
        )  # fmt: skip
        yield "fill-disk", Offered(filled, Reach((region,), (disk.namespace,), taken=1, of=1))


def _beside_it(settings: FaultSettings, region: str, service: str) -> Iterator[tuple[str, Offered]]:
    connections, vault = settings.connections, settings.vault
    if connections is not None:
        url = functools.partial(_secret, connections.url)
        name = "exhaust-connections"
        held = HeldConnections(url, connections.most, CATALOGUE[name].longest_s, service)
        yield name, Offered(held, Reach((region,), (), taken=1, of=1), 30.0)
    if vault is not None:
        sealed = SealedVault(
            vault.url, functools.partial(_secret, vault.token), functools.partial(_secret, vault.unseal_key)
        )
        yield "seal-vault", Offered(sealed, Reach((region,), ()), 30.0)
    if settings.objectstore is not None:
        reach = Reach((region,), ())
        yield "slow-object-store", Offered(_slow_store(settings.objectstore), reach, 30.0)
    if settings.link is not None:
        for name, kib_s in (("cut-link", 0), ("slow-link", settings.link.slow_kib_s)):
            here, there = map(link.end, settings.link.regions)
            yield name, Offered(link.Link(here, there, kib_s), Reach(settings.link.regions, ()), 30.0)


def _machines(settings: FaultSettings, region: str, nodes: Nodes, pods: Pods) -> Iterator[tuple[str, Offered]]:
    for name in settings.machines:
        lost = lost_machine.lost(name, nodes, pods, settings.evict)
        yield name, Offered(lost, Reach((region,), ()), _LOSS_SEEN_WITHIN_S)


def _slow_store(part: ObjectStorePart) -> slow_store.SlowStore:
    place = urlsplit(part.url)
    client = HttpClient(
        f"{place.scheme}://{place.netloc}", lambda _: Origin(), ca_file=Path(part.ca_file) if part.ca_file else None
    )
    machines = tuple(lost_machine.worker(name).namespace for name in part.machines)
    return slow_store.SlowStore(machines, part.port, part.slow_kib_s, functools.partial(client.get, place.path or "/"))


def _secret(reference: str) -> str:
    found = credentials.read(reference, os.environ)
    # Of a URL, what stands before the host is secret: were host and port taken for a piece of one, no change of theirs
    # could be read in the journal again.
    redaction.learn(list(secrets_in.of_url(found)) or [found])
    return found
