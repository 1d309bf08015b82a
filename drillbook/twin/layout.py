"""What the twin consists of, as values: profiles, regions, machines, addresses and paths."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

PREFIX = "drillbook"
"""Names everything that the twin makes on this machine: namespaces, cgroups, state."""

DOMAIN = "drillbook.test"
PUBLIC_NAME = f"analytics.{DOMAIN}"
REGISTRY_NAME = f"registry.{DOMAIN}:5000"

FABRIC_NETWORK = "10.77.0.0/16"
CLIENT_ADDRESS = "10.77.0.2"
REGISTRY_ADDRESS = "10.77.0.5"
DNS_ADDRESS = "10.77.0.53"
"""Of the authoritative DNS."""

RESOLVER_ADDRESS = "10.77.0.54"
"""Of the resolver that users ask; it keeps answers for as long as they say, as an internet provider's does."""

DATABASE_VOLUME = "postgres"
"""Volume of the database, on each region's first worker."""

Role = Literal["client", "services", "control-plane", "node"]
ProfileName = Literal["staging", "development"]


@dataclass(frozen=True, slots=True)
class Machine:
    """One machine of the twin: a network, mount, PID and host name of its own.

    Attributes:
        name: Host name, for example `use1-n1`.
        role: What runs on it.
        addresses: IPv4 addresses on the fabric, the first is the machine's own.
        pod_network: CIDR of its pods; empty on machines that run none.
    """

    name: str
    role: Role
    addresses: tuple[str, ...]
    pod_network: str = ""

    @property
    def namespace(self) -> str:
        """Name of its network namespace."""
        return f"{PREFIX}-{self.name}"

    @property
    def address(self) -> str:
        """Its own IPv4 address."""
        return self.addresses[0]

    @property
    def directory(self) -> Path:
        """Where its state and logs are kept."""
        return state_directory() / "machines" / self.name

    def volume(self, name: str) -> Path:
        """Directory of a volume of its own, which outlives its pods and is lost with the machine."""
        return self.directory / "volumes" / name


@dataclass(frozen=True, slots=True)
class Region:
    """One region: a Kubernetes cluster.

    Attributes:
        name: AWS name, for example `us-east-1`.
        short: Prefix of its machines' names.
        index: 1 or 2; part of every address.
        role: Whether it holds the database's primary.
        nodes: Number of worker nodes.
    """

    name: str
    short: str
    index: int
    role: Literal["primary", "secondary"]
    nodes: int

    @property
    def control_plane(self) -> Machine:
        """The machine of etcd, API server, scheduler and controllers."""
        return Machine(f"{self.short}-cp", "control-plane", (f"10.77.{self.index}.10",))

    @property
    def workers(self) -> tuple[Machine, ...]:
        """The machines that run pods."""
        return tuple(
            Machine(
                f"{self.short}-n{number}",
                "node",
                (f"10.77.{self.index}.{10 + number}",),
                f"10.{100 + self.index}.{number}.0/24",
            )
            for number in range(1, self.nodes + 1)
        )

    @property
    def pod_network(self) -> str:
        """CIDR of all pods of the region."""
        return f"10.{100 + self.index}.0.0/16"

    @property
    def service_network(self) -> str:
        """CIDR of the region's cluster addresses."""
        return f"10.{110 + self.index}.0.0/16"

    @property
    def service_dns(self) -> str:
        """Cluster address of CoreDNS."""
        return f"10.{110 + self.index}.0.10"

    @property
    def api_service(self) -> str:
        """Cluster address of the API server."""
        return f"10.{110 + self.index}.0.1"

    @property
    def api_url(self) -> str:
        """Where the API server is reached on the fabric."""
        return f"https://{self.control_plane.address}:6443"

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return state_directory() / "kubeconfig" / f"{self.name}.yaml"

    def account_kubeconfig(self, account: str) -> Path:
        """The kubeconfig of one of the harness' accounts, for example `release`."""
        return state_directory() / "kubeconfig" / f"{self.name}-{account}.yaml"


@dataclass(frozen=True, slots=True)
class Profile:
    """Which regions a twin has."""

    name: ProfileName
    regions: tuple[Region, ...]

    @property
    def machines(self) -> tuple[Machine, ...]:
        """All machines, those that others need first."""
        kubernetes = [m for region in self.regions for m in (region.control_plane, *region.workers)]
        return (CLIENT, SERVICES, *kubernetes)


CLIENT = Machine("client", "client", (CLIENT_ADDRESS,))
SERVICES = Machine("services", "services", (REGISTRY_ADDRESS, DNS_ADDRESS, RESOLVER_ADDRESS))

PROFILES: dict[ProfileName, Profile] = {
    "staging": Profile(
        "staging",
        (
            Region("us-east-1", "use1", 1, "primary", nodes=2),
            Region("us-west-2", "usw2", 2, "secondary", nodes=2),
        ),
    ),
    "development": Profile("development", (Region("us-east-1", "use1", 1, "primary", nodes=3),)),
}


def state_directory() -> Path:
    """Where the machine's one twin keeps its state; `DRILLBOOK_STATE` moves it."""
    return Path(os.environ.get("DRILLBOOK_STATE", "/var/lib/drillbook")) / "twin"
