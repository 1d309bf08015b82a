"""Chooses the drivers of a recovery: the section `recovery` of an environment's file becomes ports."""

from __future__ import annotations

import functools
import os
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from drillbook.actions.recovery.both_lost import LostServers
from drillbook.actions.recovery.destroyed import DestroyedTable
from drillbook.actions.recovery.loss import LostServer
from drillbook.actions.recovery.plan import Recovery
from drillbook.actions.recovery.site import Site
from drillbook.actions.recovery.tell import Teller
from drillbook.domain.fencing import DirectAddress
from drillbook.drivers import credentials, received
from drillbook.drivers.aside_table import AsideTable
from drillbook.drivers.backup_host import PgBackRest
from drillbook.drivers.kubernetes import KubernetesCluster
from drillbook.drivers.kubernetes_application import ConfigMapHosts
from drillbook.drivers.kubernetes_database import StatefulSetDatabase
from drillbook.drivers.kubernetes_job import TemplateJob
from drillbook.drivers.postgresql import PostgreSQL
from drillbook.drivers.powerdns import PowerDnsName
from drillbook.drivers.reach import Names
from drillbook.drivers.webhook import Webhook
from drillbook.run import redaction
from drillbook.twin import lost_region

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kubernetes.client import ApiClient

    from drillbook.domain.environment import Environment, RecoverySettings
    from drillbook.ports import Client, Clock, Fault


def recovery(environment: Environment, apis: Mapping[str, ApiClient], client: Client, clock: Clock) -> Recovery | None:
    """How one region is recovered in the other; None where the environment does not say.

    Args:
        environment: Whose.
        apis: Region to its cluster's client.
        client: A user at the public address.
        clock: The run's.
    """
    settings = environment.recovery
    if settings is None:
        return None
    releases, host = environment.releases, urlsplit(environment.public_url).hostname or ""
    names = Names(tuple(environment.reach.nameservers))
    deployments = tuple(releases.deployment.format(slot=slot) for slot in environment.router.backends)
    sites = {region: _site(settings, region, api) for region, api in apis.items()}
    home, away = environment.primary.name, environment.others[0].name
    table = _table(settings, home)
    faults: dict[str, Fault] = {
        "server": LostServer(sites[home], clock),
        "servers": LostServers(sites[home], sites[away], clock),
    }
    if table is not None:
        faults["table"] = DestroyedTable(table, home, away, clock)
    if settings.machines:
        faults |= lost_region.losses(settings.machines, sites[home].host.orders, clock)
    return Recovery(
        sites=sites,
        home=home,
        away=away,
        direct=DirectAddress(settings.addresses[home], settings.password),
        application={
            region: ConfigMapHosts(api, releases.namespace, settings.config_map, settings.hosts[region], deployments)
            for region, api in apis.items()
        },
        clusters={
            region: KubernetesCluster(api, releases.namespace, releases.deployment) for region, api in apis.items()
        },
        public=PowerDnsName(
            settings.dns_api,
            functools.partial(_credential, settings.dns_key),
            settings.zone,
            host,
            settings.name_addresses,
            lambda: frozenset(names.addresses(host, 0)),
            lambda: names.ttl_s(host),
        ),
        client=client,
        clock=clock,
        slots=tuple(environment.router.backends),
        path=environment.workload.probe_path,
        replicas=settings.replicas,
        silence_s=settings.silence_s,
        teller=_teller(settings, clock),
        backups=_backups(settings, apis[home], clock),
        stanza=settings.stanza,
        written=settings.written,
        table=table,
        faults={how: faults[how] for how in settings.losses},
    )


def _site(settings: RecoverySettings, region: str, api: ApiClient) -> Site:
    password = functools.partial(_credential, settings.password)
    return Site(
        region,
        PostgreSQL(region, settings.addresses[region], password, settings.applications),
        StatefulSetDatabase(api, settings.namespace, settings.stateful_set, settings.orders),
    )


def _teller(settings: RecoverySettings, clock: Clock) -> Teller | None:
    """Who tells people; channels are reached when there is something to tell, and not before."""
    if not settings.channels:
        return None

    def reach(reference: str) -> Webhook:
        return Webhook(_credential(reference))

    return Teller(
        {audience: functools.partial(reach, reference) for audience, reference in settings.channels.items()},
        clock,
        functools.partial(received.texts, settings.received) if settings.received else None,
    )


def _backups(settings: RecoverySettings, api: ApiClient, clock: Clock) -> PgBackRest | None:
    if not settings.backup_job:
        return None
    return PgBackRest(TemplateJob(api, settings.namespace, settings.backup_job, clock.now, clock.sleep))


def _table(settings: RecoverySettings, home: str) -> AsideTable | None:
    found = settings.table
    if found is None:
        return None
    return AsideTable(found.name, home, found.addresses, functools.partial(_credential, found.password))


def _credential(reference: str) -> str:
    found = credentials.read(reference, os.environ)
    redaction.learn([found])
    return found
