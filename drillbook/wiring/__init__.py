"""The only place that chooses drivers: an environment's file becomes the ports that everything else works with."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from dataclasses import dataclass, replace
from functools import cache, partial
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from drillbook.actions.load_workers import Workers
from drillbook.domain.promql import bucket, label_names
from drillbook.drivers import credentials
from drillbook.drivers.gateway_api import GatewayApiRouter
from drillbook.drivers.helm import HelmReleaser
from drillbook.drivers.http_client import HttpClient
from drillbook.drivers.kubernetes import KubernetesCluster, connect
from drillbook.drivers.kubernetes_load import KubernetesWorkers
from drillbook.drivers.prometheus import Prometheus
from drillbook.drivers.reach import Names, enter_network
from drillbook.drivers.smoke import GatewaySmoke
from drillbook.platform import Platform
from drillbook.ports import Holder, Unreachable
from drillbook.run import environment as environments
from drillbook.run import journal as journals
from drillbook.run import leash, redaction
from drillbook.run.clock import SteadyClock
from drillbook.run.environment import EnvironmentFileError
from drillbook.run.folder import DRILL_VARIABLE, FOLDER_VARIABLE, RunFolder
from drillbook.run.journal import Journal
from drillbook.run.timeline import Event, Timeline, events
from drillbook.run.watchdog import Watchdog
from drillbook.wiring import clusters, fault, keeping, migration, recovery, state
from loadtests import plan as loads
from loadtests.workload import Reply
from probes.slo import ServiceSeries

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kubernetes.client import ApiClient

    from drillbook.domain.environment import Environment, MetricsSettings, RegionAccess
    from drillbook.domain.traffic import Origin
    from drillbook.ports import Clock
    from loadtests.workload import Workload

ENVIRONMENT_VARIABLE = "DRILLBOOK_ENVIRONMENT"
"""Environment variable that tells an experiment's process which environment file is meant."""


@dataclass(frozen=True, slots=True)
class Experiment:
    """What the process of an experiment works with.

    Attributes:
        folder: The drill's folder.
        prefix: Of the keys that the drill writes.
        timeline: The run's timeline, under the drill's name.
        clock: The run's.
        journal: The run's undo journal.
        platform: The ports.
    """

    folder: Path
    prefix: str
    timeline: Timeline
    clock: Clock
    journal: Journal
    platform: Platform

    def events(self) -> list[Event]:
        """What the timeline has of this drill so far, in order."""
        return events(self.timeline.path, self.timeline.drill)


def read_environment(name: str, *, releases: bool = True) -> Environment:
    """The environment of a name or path, with the contexts that it leaves open settled.

    Args:
        name: Which one.
        releases: Whether what releases are made from has to be there: what was done is undone without it.

    Raises:
        EnvironmentFileError: When there is none, or it has faults; names them all.
    """
    return clusters.settled(environments.load(environments.find(name), releases=releases))


def check_workload(environment: Environment) -> None:
    """See that the environment's adapter can be made, before anything is touched.

    Raises:
        EnvironmentFileError: When it cannot.
    """
    try:
        _workload(environment)("check")
    except loads.PlanError as error:
        raise EnvironmentFileError(f"{environment.file}: workload: {error}") from error


def platform(
    environment: Environment,
    clock: Clock,
    *,
    queries: Path | None = None,
    looking_on: bool = False,
    witnessed: bool = False,
) -> Platform:
    """Connect an environment's ports; enters its network for good.

    Args:
        environment: Which one.
        clock: The run's.
        queries: Where Prometheus' raw answers are kept.
        looking_on: Whether nothing will be changed, so that an account that may only read is enough.
        witnessed: Whether the primary region may be lost, so that the other one keeps the lock and the undo journal.

    Raises:
        Unreachable: When the network or the clusters' credentials are not there; with `queries`, also when Prometheus'
            token is not.
    """
    if environment.reach.network_namespace:
        enter_network(environment.reach.network_namespace)
    environment = clusters.settled(environment)
    region = environment.primary
    access = clusters.access(region)
    api = _connected(region, looking_on=looking_on)
    elsewhere = {} if looking_on or environment.recovery is None else _connected_to_others(environment)
    kept = keeping.keep(environment, {region.name: api, **elsewhere}, witnessed=witnessed)
    releases, route = environment.releases, environment.router
    workload = _workload(environment)
    client = HttpClient(
        environment.public_url,
        _origin_rule(partial(workload, "origin")),
        Names(tuple(environment.reach.nameservers)),
        environment.public_ca_file,
    )
    router = GatewayApiRouter(api, route.namespace, route.route, route.backends)
    made = Platform(
        environment=environment,
        clock=clock,
        router=router,
        releaser=HelmReleaser(
            chart=releases.chart,
            namespace=releases.namespace,
            release=releases.release,
            deployment=releases.deployment,
            kubeconfig=region.kubeconfig,
            context=access.context,
            values=releases.values,
            settings=releases.settings,
            overrides=releases.overrides,
            program=releases.helm,
            leash=leash.before_a_program(os.getpid()),
            see_the_cluster=access.see,
        ),
        cluster=KubernetesCluster(api, releases.namespace, releases.deployment),
        metrics=_prometheus(environment, clock, queries),
        series=series_of(environment),
        client=client,
        store=kept.store,
        left=kept.left,
        lock=kept.lock,
        workload=workload,
        smoke=lambda prefix: GatewaySmoke(
            client, workload, prefix, route.slot_header, tuple(environment.workload.health_paths)
        ),
        recovery=recovery.recovery(environment, {region.name: api, **elsewhere}, client, clock) if elsewhere else None,
        migration=None if looking_on else migration.migrated(environment, clock),
        state=None if looking_on else state.state(environment, clock),
        workers=None if looking_on else workers(environment, api, clock),
    )
    return made if looking_on else replace(made, faults=fault.faults(environment, clock, made.live_slot))


def _connected_to_others(environment: Environment) -> dict[str, ApiClient]:
    return {other.name: _connected(other) for other in environment.others}


def workers(environment: Environment, api: ApiClient, clock: Clock) -> Workers | None:
    """How load is made within the primary region's cluster; None where the environment does not say."""
    settings = environment.performance.workers if environment.performance is not None else None
    return None if settings is None else Workers(KubernetesWorkers(api, settings.namespace, settings.image), clock)


def _connected(region: RegionAccess, *, looking_on: bool = False) -> ApiClient:
    """One region's cluster, under the account that may only read where nothing will be changed."""
    access = clusters.access(region)
    if looking_on and region.verify_kubeconfig is not None:
        access = clusters.access_of_another_account(access, region.verify_kubeconfig)
    return connect(access.kubeconfig, access.context, redaction.learn)


@cache
def experiment() -> Experiment:
    """What the environment variables of an experiment's process say.

    Raises:
        KeyError: When this is no process of an experiment.
    """
    run = RunFolder(Path(os.environ[FOLDER_VARIABLE]))
    drill = os.environ[DRILL_VARIABLE]
    clock = SteadyClock.from_environment()
    folder = run.drill(drill)
    environment = read_environment(os.environ[ENVIRONMENT_VARIABLE])
    ports = platform(environment, clock, queries=folder / "queries", witnessed=is_witnessed(run))
    timeline = Timeline(run.path / "timeline.jsonl", drill, clock)
    return Experiment(folder, key_prefix(run.run_id, drill), timeline, clock, adopted(run, ports), ports)


def is_witnessed(run: RunFolder) -> bool:
    """Whether another region than the primary one keeps a run's lock and undo journal."""
    return bool(run.read_run()["lock"].get("kept_by"))


def journal(run: RunFolder, ports: Platform, fencing: int) -> Journal:
    """A run's undo journal, which lets nothing be changed without the environment's lock."""
    path, target = run.path / "undo.jsonl", ports.environment.target
    return Journal(path, ports.store, run.run_id, fencing, ports.lock.check, target=target)


def adopted(run: RunFolder, ports: Platform) -> Journal:
    """The same for another process of a run that is going on: it goes on with the run's own lock."""
    document = run.read_run()
    fencing = int(document["fencing"])
    ports.lock.adopt(Holder(str(document["lock"]["identity"]), float(document["started_s"]), fencing))
    return journal(run, ports, fencing)


def watchdog(environment: Environment, run: RunFolder, clock: SteadyClock) -> Watchdog:
    """The watchdog of a run that this process is the runner of; not started yet."""
    arguments = (str(environment.file), str(run.path), str(clock), str(os.getpid()))
    return Watchdog((sys.executable, "-m", "drillbook.beside.watchdog", *arguments), run.path / "watchdog.log")


def key_prefix(run_id: str, drill: str) -> str:
    """Prefix of the keys that a drill writes: no other drill ever has it, and it is short."""
    return f"drill-{hashlib.sha256(f'{run_id}/{drill}'.encode()).hexdigest()[:12]}"


def load_plan(environment: Environment, clock: SteadyClock, output: Path, namespace: str) -> dict[str, Any]:
    """The plan of a drill's load."""
    load, workload = environment.load, environment.workload
    return {
        "base_url": environment.public_url,
        "workload": workload.adapter,
        "workload_options": dict(workload.options),
        "meter": {"rate_hz": load.rate_hz, "max_in_flight": load.max_in_flight, "timeout_s": load.timeout_s},
        "analysts": load.analysts,
        "collectors": load.collectors,
        "max_duration_s": environment.guard.max_duration_s,
        "output": str(output),
        "clock": clock.as_document(),
        "nameservers": list(environment.reach.nameservers),
        "ca_file": str(environment.public_ca_file or ""),
        "namespace": namespace,
    }


def serving(ports: Platform) -> tuple[int, int]:
    """Ready and wanted pods of every slot that has some of the public's traffic.

    Raises:
        Unreachable: When that cannot be seen.
    """
    slots = ports.serving_slots()
    found = [ports.cluster.slot(slot) for slot in sorted(slots)]
    if ports.serving_slots() != slots:
        raise Unreachable(f"the traffic was led elsewhere than to {', '.join(sorted(slots))} while it was looked at")
    # While a slot's pods are replaced it has more for a moment, which stand in for those of no other slot.
    return sum(min(status.serving, status.desired) for status in found), sum(status.desired for status in found)


def keeping_queries(ports: Platform, queries: Path) -> Platform:
    """The same ports, with Prometheus' raw answers kept in a folder."""
    return replace(ports, metrics=_prometheus(ports.environment, ports.clock, queries))


def versions() -> dict[str, str]:
    """Of the libraries that a verdict rests on."""
    names = ("chaostoolkit-lib", "pytest-bdd", "locust", "kubernetes", "prometheus-api-client")
    return {name: metadata.version(name) for name in names}


def put_back_what_others_left(ports: Platform) -> list[str]:
    """Undo what runs that died have left open; answers a sentence for each change that could not be undone.

    Raises:
        LockLost: When the environment is someone else's; then what is left is his to undo.
        Unreachable: When it cannot be asked what there is.
    """
    found = journals.recover(ports.left, ports.undo, ports.clock, ports.lock.check)
    return [f"{undone.change.action} is not undone: {undone.text}" for undone in found if not undone.restored]


def check_metrics(environment: Environment) -> None:
    """See that Prometheus' token is there, before anything is touched.

    Raises:
        Unreachable: When it is not.
    """
    _authorization(environment.metrics.token)


def _prometheus(environment: Environment, clock: Clock, queries: Path | None) -> Prometheus:
    """Whoever only puts back asks it nothing, and needs no token."""
    metrics = environment.metrics
    headers = cache(partial(_authorization, metrics.token))
    if queries is not None:
        # A drill may seal the vault that has it.
        headers()
    return Prometheus(
        metrics.url,
        now=clock.now,
        queries=queries,
        headers=headers,
        ca_file=metrics.ca_file,
        redact=redaction.text,
    )


def _authorization(reference: str) -> dict[str, str]:
    if not reference:
        return {}
    token = credentials.read(reference, os.environ)
    redaction.learn([token])
    return {"Authorization": f"Bearer {token}"}


def series_of(environment: Environment) -> ServiceSeries:
    """Where an environment's Prometheus keeps what the service counts, with the buckets that it is judged by."""
    return series(environment.metrics, environment.objectives.latency_s, environment.strategy.slow_s)


def series(metrics: MetricsSettings, latency_s: float, slow_s: float) -> ServiceSeries:
    """Where an environment's Prometheus keeps what the service counts.

    Args:
        metrics: What its series are called.
        latency_s: At which the bucket of answers within the objective ends, in seconds.
        slow_s: At which that of answers ends which are not slow to a watch.
    """

    def selector(name: str, *matchers: str) -> str:
        return f"{name}{{{','.join(part for part in matchers if part)}}}"

    users = (metrics.selector, metrics.users)
    buckets = selector(f"{metrics.duration}_bucket", *users)
    return ServiceSeries(
        requests=selector(metrics.requests, *users),
        failures=selector(metrics.requests, *users, metrics.failures),
        in_time=bucket(buckets, latency_s),
        fast=bucket(buckets, slow_s),
        timed=selector(f"{metrics.duration}_count", *users),
        in_flight=selector(metrics.in_progress, metrics.selector),
        up=selector("up", metrics.selector),
        writes=selector(metrics.requests, metrics.selector, metrics.writes),
        target_label=metrics.target,
        scrape_interval_s=metrics.scrape_interval_s,
        failure_labels=label_names(metrics.failures),
    )


def _workload(environment: Environment) -> Callable[[str], Workload]:
    """Makes the environment's workload for a prefix of keys."""
    clock = SteadyClock.starting_now()

    def make(prefix: str) -> Workload:
        return loads.parse(json.loads(json.dumps(load_plan(environment, clock, Path(), prefix)))).adapter()

    return make


def _origin_rule(make: Callable[[], Workload]) -> Callable[[Mapping[str, str]], Origin]:
    """Whoever only puts back what is seen without it needs no adapter, which may be a file that is elsewhere."""
    workload = cache(make)

    def origin(headers: Mapping[str, str]) -> Origin:
        return workload().origin(Reply(0, headers, b""))

    return origin
