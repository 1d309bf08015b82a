"""What faults may hit in an environment, beside the slots; what is not named is not hit."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PodsPart:
    """Some pods of the primary region.

    Attributes:
        namespace: Theirs.
        selector: Their labels.
    """

    namespace: str
    selector: str


@dataclass(frozen=True, slots=True)
class DeploymentPart:
    """A deployment of the primary region.

    Attributes:
        namespace: Its namespace.
        deployment: Its name.
        selector: Labels of its pods.
    """

    namespace: str
    deployment: str
    selector: str


@dataclass(frozen=True, slots=True)
class ConnectionsPart:
    """A database whose connections may be used up.

    Attributes:
        url: Where its libpq URI is: `file:`, `env:` or `vault:`; of a role that may do nothing but connect, and that as
            often as the server has room.
        most: Connections that are held at most.
    """

    url: str
    most: int = 200


@dataclass(frozen=True, slots=True)
class VaultPart:
    """A vault that may be sealed.

    Attributes:
        url: Base URL.
        token: Where a token is that may seal it, and that alone: `file:`, `env:` or `vault:`.
        unseal_key: Where the key is that opens it again.
    """

    url: str
    token: str
    unseal_key: str


@dataclass(frozen=True, slots=True)
class PressurePart:
    """Where a pod that wants too much may run.

    Attributes:
        namespace: Its namespace.
        image: With Python and coreutils.
        beside: Labels of the pods on whose node it runs.
        cpu: Its limit, as Kubernetes writes it; empty for none, which is a defect to be found.
        memory: Likewise, and never none: it would take the machine's.
    """

    namespace: str
    image: str
    beside: str
    cpu: str = "500m"
    memory: str = "128Mi"


@dataclass(frozen=True, slots=True)
class DiskPart:
    """A volume that may be filled.

    Attributes:
        namespace: Of its claim.
        claim: Its persistent volume claim.
        image: With Python; runs as the user that owns the volume.
        user: Numeric id of that user.
        reserve_mib: What is left free, in MiB.
        most_mib: The largest file that is written, in MiB.
        group: Numeric id of the group by which that user may write into it; None for that of the same number.
    """

    namespace: str
    claim: str
    image: str
    user: int
    reserve_mib: int = 64
    most_mib: int = 2048
    group: int | None = None


@dataclass(frozen=True, slots=True)
class LinkPart:
    """The link between two regions of a twin on this machine.

    Attributes:
        regions: Their names; the first is where it is cut.
        slow_kib_s: What a slow link lets through, in KiB a second.
    """

    regions: tuple[str, str]
    slow_kib_s: int = 64


@dataclass(frozen=True, slots=True)
class ObjectStorePart:
    """An object store of a twin on this machine.

    Attributes:
        url: What it answers to anybody; the whole URL.
        machines: Workers that it may run on.
        port: TCP port of its pod.
        ca_file: Authorities that its certificate is verified against; the usual ones when empty.
        slow_kib_s: What is let through while it is slow, in KiB a second.
    """

    url: str
    machines: tuple[str, ...]
    port: int
    ca_file: str = ""
    slow_kib_s: int = 1


@dataclass(frozen=True, slots=True)
class FaultSettings:
    """The parts that may be hit.

    Attributes:
        nodes: That may be drained.
        evict: Namespaces whose pods are evicted from a node that is drained.
        machines: Nodes that may be killed: machines of a twin on this machine.
        gateway: Its pods.
        database: Pods of its primary.
        dns: The cluster's.
        connections: The database's.
        vault: The primary region's.
        pressure: Where something may press on its neighbours.
        disk: A volume.
        link: Between the regions.
        objectstore: The primary region's.
    """

    nodes: tuple[str, ...] = ()
    evict: tuple[str, ...] = ()
    machines: tuple[str, ...] = ()
    gateway: PodsPart | None = None
    database: PodsPart | None = None
    dns: DeploymentPart | None = None
    connections: ConnectionsPart | None = None
    vault: VaultPart | None = None
    pressure: PressurePart | None = None
    disk: DiskPart | None = None
    link: LinkPart | None = None
    objectstore: ObjectStorePart | None = None
