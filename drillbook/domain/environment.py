"""An environment: where a platform is, how it is reached, what it promises and what may be done to it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from drillbook.domain.canary import Plan

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from drillbook.domain.fault_settings import FaultSettings
    from drillbook.domain.guard import AllowedHours, Burn
    from drillbook.domain.migration.settings import Migrations
    from drillbook.domain.performance import Performance
    from drillbook.domain.probed_layers import ProbedLayers
    from drillbook.domain.state_settings import FilesSettings, SecretsSettings

Tier = Literal["development", "staging", "production"]


@dataclass(frozen=True, slots=True)
class Reach:
    """How this machine gets to the environment.

    Attributes:
        network_namespace: Network namespace to enter; empty for the machine's own network.
        nameservers: DNS servers to ask instead of the system's.
    """

    network_namespace: str = ""
    nameservers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RegionAccess:
    """One region's cluster.

    Attributes:
        name: For example `us-east-1`.
        kubeconfig: File with the credentials.
        context: Context in it; empty where the file names none and it is not settled yet which one is meant.
        role: Which region serves the public when all is well.
        verify_kubeconfig: File with credentials that may only read, for whatever looks on; None when there is none.
        resilience_kubeconfig: File with credentials that may make faults; None when there is none.
    """

    name: str
    kubeconfig: Path
    context: str
    role: Literal["primary", "secondary"]
    verify_kubeconfig: Path | None = None
    resilience_kubeconfig: Path | None = None


@dataclass(frozen=True, slots=True)
class WorkloadSettings:
    """How the platform's application is spoken to.

    Attributes:
        adapter: Import path `package.module:Class`, or `path.py:Class` relative to the environment file.
        options: What the adapter is given.
        probe_path: A cheap path that is always answered and says who answers.
        health_paths: Paths that answer 200 when the application is well.
    """

    adapter: str
    options: Mapping[str, object] = field(default_factory=dict[str, object])
    probe_path: str = "/healthz"
    health_paths: Sequence[str] = ("/healthz",)


@dataclass(frozen=True, slots=True)
class ReleaseSettings:
    """How releases are put into slots.

    Attributes:
        driver: `helm`.
        chart: Directory of the chart.
        namespace: Kubernetes namespace of the slots.
        release: Helm release of a slot, with `{slot}`.
        values: Values files, in order.
        settings: Values to set, with `{slot}` and `{version}` in them.
        overrides: Further values for some releases, by their name in the features; `version` is what they really are.
        helm: Path of the helm program.
        deployment: Deployment of a slot, with `{slot}`.
        deadline_s: For a release to be ready in its slot, in seconds.
    """

    driver: Literal["helm"]
    chart: Path
    namespace: str
    release: str
    values: tuple[Path, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict[str, str])
    overrides: Mapping[str, Mapping[str, str]] = field(default_factory=dict[str, dict[str, str]])
    helm: str = "helm"
    deployment: str = "{slot}"
    deadline_s: float = 120.0

    def offers(self, flaw: str) -> bool:
        """Whether there is a release with this flaw to be drilled with."""
        return flaw in self.overrides


@dataclass(frozen=True, slots=True)
class RouterSettings:
    """What shares out the traffic.

    Attributes:
        driver: `gateway-api`.
        namespace: Of the route.
        route: Name of the HTTPRoute; its last rule carries the weights.
        backends: Slot to the name of its backend.
        slot_header: Request header that names a slot past the weights, for validation.
    """

    driver: Literal["gateway-api"]
    namespace: str
    route: str
    backends: Mapping[str, str]
    slot_header: str = "X-Drillbook-Slot"


@dataclass(frozen=True, slots=True)
class MetricsSettings:
    """Where the platform's own metrics are.

    Attributes:
        driver: `prometheus`.
        url: Base URL.
        ca_file: Authorities that its certificate is verified against; the usual ones when there is none.
        token: Where its bearer token is: `file:`, `env:` or `vault:`; empty when it asks for none.
        scrape_interval_s: How often the slots are scraped, in seconds.
        requests: Counter of requests with the labels `code`, `version`, `slot`.
        duration: Histogram of their seconds, without `_bucket`.
        in_progress: Gauge of requests in flight.
        selector: Label matchers that pick the platform's series, for example `job="analytics"`.
        users: Further matchers that pick requests of users, not of probes.
        failures: Further matchers that pick those that the platform failed, by labels that every request has.
        writes: Further matchers that pick writes.
        target: Label of `up` that holds `address:port`.
    """

    driver: Literal["prometheus"]
    url: str
    scrape_interval_s: float
    requests: str = "http_requests_total"
    duration: str = "http_request_duration_seconds"
    in_progress: str = "http_requests_in_progress"
    selector: str = ""
    users: str = ""
    failures: str = 'code=~"5.."'
    writes: str = 'method="POST"'
    target: str = "instance"
    ca_file: Path | None = None
    token: str = ""


@dataclass(frozen=True, slots=True)
class Strategy:
    """How the platform's owner releases.

    Attributes:
        before_s: Undisturbed load before the release, in seconds.
        watch_s: How long a new release is watched by the rule that takes it back, in seconds.
        drain_s: Within which the old slot must have no request left after the switch, in seconds.
        keep_warm: Whether the old slot stays up, for the way back.
        bad_share: Share of bad answers of a release above which it is taken back.
        slow_s: Latency above which an answer counts as slow, in seconds.
        slow_share: Share of slow answers above which a release is taken back.
        least_answers: Answers without which a release is not let stay.
        validations: How often each smoke check is made before the switch.
        canary: How a release goes that is tried on a few users first.
    """

    before_s: float = 5.0
    watch_s: float = 20.0
    drain_s: float = 30.0
    keep_warm: bool = True
    bad_share: float = 0.01
    slow_s: float = 0.3
    slow_share: float = 0.05
    least_answers: int = 300
    validations: int = 10
    canary: Plan = field(default_factory=Plan)


@dataclass(frozen=True, slots=True)
class LoadSettings:
    """The users.

    Attributes:
        rate_hz: Metered requests per second of each kind of connection.
        analysts: Users who query.
        collectors: Users who ingest.
        timeout_s: A request's whole time.
        max_in_flight: Unanswered requests beyond which those due go unsent.
    """

    rate_hz: float = 50.0
    analysts: int = 2
    collectors: int = 2
    timeout_s: float = 5.0
    max_in_flight: int = 500


@dataclass(frozen=True, slots=True)
class Objectives:
    """What is promised; durations in seconds, shares between 0 and 1.

    Attributes:
        outage_s: Longest outage in a release.
        availability: Least share of good requests, as Prometheus counts them.
        latency_s: Latency that `latency_share` of requests keep.
        latency_share: See there.
        switch_s: From the switch to all traffic on the new release.
        rollback_s: From the first bad answer of a bad release to the last.
        agreement: Largest relative difference between the clients' counts and Prometheus'.
        switchover_s: For so long in all nothing may be written while the database is switched over as planned.
        recovery_time_s: From the loss of a region, or of its database, to sustained good service (RTO).
        recovery_point_s: Age, at the loss, of the oldest acknowledged write that is lost (RPO).
    """

    outage_s: float = 0.1
    availability: float = 0.999
    latency_s: float = 0.3
    latency_share: float = 0.99
    switch_s: float = 10.0
    rollback_s: float = 120.0
    agreement: float = 0.02
    switchover_s: float = 30.0
    recovery_time_s: float = 4 * 3600.0
    recovery_point_s: float = 3600.0


@dataclass(frozen=True, slots=True)
class GuardSettings:
    """What may be done here.

    Attributes:
        namespaces: Kubernetes namespaces that drills may change.
        max_duration_s: Longest run, in seconds.
        stop_file: A file whose appearance stops a run; empty for none.
        regions: That drills may change; all of the environment's when empty.
        pods_share: Largest share of the serving pods that may be away, 0 to 1; 1 is not watched.
        destructive: Destructive drills that production allows, by scenario or feature.
        approvers: Who may approve production drills: name to Ed25519 public key, raw, in base64.
        windows: When drills may run; always when empty, except in production.
        burn: How bad the clients' answers may be, or None.
        resilience_pods_share: In the place of pods_share while a fault is in the system; None when it counts as ever.
        resilience_burn: Likewise in the place of burn.
    """

    namespaces: tuple[str, ...] = ()
    max_duration_s: float = 3600.0
    stop_file: str = ""
    regions: tuple[str, ...] = ()
    pods_share: float = 1.0
    destructive: tuple[str, ...] = ()
    approvers: Mapping[str, str] = field(default_factory=dict[str, str])
    windows: tuple[AllowedHours, ...] = ()
    burn: Burn | None = None
    resilience_pods_share: float | None = None
    resilience_burn: Burn | None = None

    def share_of(self, *, resilience: bool) -> float:
        """Largest share of pods that may be away, in a drill of the class `resilience` or another."""
        allowed = self.resilience_pods_share
        return self.pods_share if allowed is None or not resilience else allowed

    def burn_of(self, *, resilience: bool) -> Burn | None:
        """How bad the clients' answers may be, likewise."""
        return self.resilience_burn if resilience and self.resilience_burn is not None else self.burn


@dataclass(frozen=True, slots=True)
class SigningSettings:
    """How the evidence of a run is signed when it ends.

    Attributes:
        key: Where the key is: `file:PATH`, `vault-transit:MOUNT/KEY` or `agent:SHA256:FINGERPRINT`.
        history: Folder in which every run's envelope is kept; None for the runs' own.
        timestamp_url: Who is asked when a run was signed (RFC 3161); empty for nobody.
        timestamp_ca_file: Authorities that its server's certificate is verified against; the usual ones when None.
    """

    key: str
    history: Path | None = None
    timestamp_url: str = ""
    timestamp_ca_file: Path | None = None


WHOLE_REGION = ("cut", "nodes", "partition")
"""Losses of the whole primary region: from the network, with all its machines, and parted from the other region."""


@dataclass(frozen=True, slots=True)
class TableSettings:
    """A table that may be destroyed on purpose.

    Attributes:
        name: With its schema, as in `public.events`.
        addresses: Region to its server for the table's owner, as libpq's keywords without a password.
        password: Where the owner's is: `file:`, `env:` or `vault:`.
    """

    name: str
    addresses: Mapping[str, str]
    password: str


@dataclass(frozen=True, slots=True)
class RecoverySettings:
    """How one region is recovered in the other: PostgreSQL in a StatefulSet of each, a name at PowerDNS.

    Attributes:
        namespace: Of the database, in both clusters.
        stateful_set: Its name.
        orders: ConfigMap that its start reads its orders from.
        addresses: Region to its server for the harness, as libpq's keywords without a password.
        password: Where that of `addresses` is: `file:`, `env:` or `vault:`.
        applications: Role whose sessions end when writes are held.
        silence_s: After so long without its standby a primary that nobody can reach has stopped; 0 when it would not.
        config_map: With the servers that the application tries, in its own namespace.
        hosts: Region to region to `host:port`: where the application of the first finds the database of the second.
        replicas: Pods of a slot with which one region carries everybody.
        dns_api: URL of the PowerDNS server, up to `/servers/NAME`.
        dns_key: Where its key is.
        zone: Of the public name.
        name_addresses: Region to the IPv4 addresses that the public name has there.
        losses: What may be lost on purpose: `server`, the primary's database server; `servers`, both with their data;
            `table`, that of `table`; or any of `WHOLE_REGION`.
        machines: All of the primary region's, of a twin on this machine, by which it is lost as a whole; or empty.
        witness: Region that keeps lock and undo journal of a run that may lose the primary one; empty for none.
        channels: Audience of the communication plan to where the URL of its webhook is; empty when nobody is told.
        backup_job: CronJob beside the home database after whose template pgBackRest is run; empty for none.
        stanza: What pgBackRest calls that database.
        repositories: Region to the endpoint of the object store that its repository is in; empty when nobody has said.
        written: Query for the key and a hash of what users wrote whose keys begin with `{prefix}`; empty for none.
        table: What may be destroyed where `losses` has `table`; None where nobody has said.
        files: The platform's, in both regions; None where nobody has said.
        secrets: Likewise.
        received: URL that says which notices have arrived, as a JSON list of objects with a `text`; empty for none.
        layers: Where each layer is asked by itself; None when nobody has said.
    """

    namespace: str
    stateful_set: str
    orders: str
    addresses: Mapping[str, str]
    password: str
    applications: str
    silence_s: float
    config_map: str
    hosts: Mapping[str, Mapping[str, str]]
    replicas: int
    dns_api: str
    dns_key: str
    zone: str
    name_addresses: Mapping[str, tuple[str, ...]]
    losses: tuple[str, ...] = ()
    machines: tuple[str, ...] = ()
    witness: str = ""
    channels: Mapping[str, str] = field(default_factory=dict[str, str])
    received: str = ""
    backup_job: str = ""
    stanza: str = ""
    repositories: Mapping[str, str] = field(default_factory=dict[str, str])
    written: str = ""
    table: TableSettings | None = None
    files: FilesSettings | None = None
    secrets: SecretsSettings | None = None
    layers: ProbedLayers | None = None


@dataclass(frozen=True, slots=True)
class Environment:
    """One environment, as its file says.

    Attributes:
        name: Its name, for commands.
        tier: How careful one has to be.
        file: The file it was read from.
        sha256: Digest of the file.
        reach: How this machine gets there.
        regions: Its clusters, by name.
        public_url: Where users go.
        public_ca_file: Authorities that its certificate is verified against; the usual ones when there is none.
        signing: How evidence is signed; None when it is not.
        own_namespace: Kubernetes namespace for Drillbook's own documents and lock.
        workload: How the application is spoken to.
        releases: How releases get into slots.
        router: What shares out the traffic.
        metrics: Where its metrics are.
        strategy: How its owner releases.
        load: The users.
        objectives: What is promised.
        guard: What may be done.
        pipeline: Its `.gitlab-ci.yml`; None when it names none.
        recovery: How one region is recovered in the other; None when it is not.
        faults: What faults may hit; None when there are to be none.
        migrations: Those of its database; None when it names none.
        performance: How its performance is tested; None when it is not.
    """

    name: str
    tier: Tier
    file: Path
    sha256: str
    reach: Reach
    regions: Mapping[str, RegionAccess]
    public_url: str
    own_namespace: str
    workload: WorkloadSettings
    releases: ReleaseSettings
    router: RouterSettings
    metrics: MetricsSettings
    strategy: Strategy
    load: LoadSettings
    objectives: Objectives
    guard: GuardSettings
    public_ca_file: Path | None = None
    signing: SigningSettings | None = None
    pipeline: Path | None = None
    recovery: RecoverySettings | None = None
    faults: FaultSettings | None = None
    migrations: Migrations | None = None
    performance: Performance | None = None

    @property
    def target(self) -> str:
        """What runs change: the slots' namespace and the route, whatever the file calls the environment."""
        return f"slots of {self.releases.namespace}, route {self.router.namespace}/{self.router.route}"

    @property
    def primary(self) -> RegionAccess:
        """The region that serves the public when all is well."""
        return next(region for region in self.regions.values() if region.role == "primary")

    @property
    def others(self) -> tuple[RegionAccess, ...]:
        """The other regions."""
        return tuple(region for region in self.regions.values() if region.role != "primary")
