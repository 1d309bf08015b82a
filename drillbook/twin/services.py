"""What stands outside the regions: the image registry, the authoritative DNS and the resolver that users ask."""

from __future__ import annotations

import secrets
import shutil
import sqlite3
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import requests

from drillbook.twin import machines, notices
from drillbook.twin.errors import TwinError
from drillbook.twin.layout import (
    DNS_ADDRESS,
    DOMAIN,
    FABRIC_NETWORK,
    PROFILES,
    REGISTRY_ADDRESS,
    RESOLVER_ADDRESS,
    SERVICES,
)
from drillbook.twin.machines import Program

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

REGISTRY_URL = f"http://{REGISTRY_ADDRESS}:5000"
DNS_API_URL = f"http://{DNS_ADDRESS}:8081/api/v1/servers/localhost"
TTL_S = 30
HEALTH_INTERVAL_S = 2
"""How often a region's health is looked at, for the name that leads to a healthy one."""

_HEALTH_TIMEOUT_S = 5
_DNS_SCHEMA = Path("/usr/share/pdns-backend-sqlite3/schema/schema.sqlite3.sql")
_TIMEOUT_S = 5.0


class ServiceError(TwinError):
    """A service outside the regions did not do as asked."""


def start(registry_storage: Path) -> None:
    """Start the registry, the DNS, the resolver and the receiver of notices; what runs stays."""
    directory = SERVICES.directory
    directory.mkdir(parents=True, exist_ok=True)
    registry = directory / "registry.yaml"
    registry.write_text(_registry_configuration(registry_storage))
    _write_dns_configuration(directory)
    resolver = directory / "resolver.conf"
    resolver.write_text(_resolver_configuration())
    programs = [
        Program("registry", ("/usr/bin/docker-registry", "serve", str(registry)), {"OTEL_TRACES_EXPORTER": "none"}),
        Program("dns", ("/usr/sbin/pdns_server", f"--config-dir={directory}/dns", "--guardian=no", "--daemon=no")),
        Program("resolver", ("/usr/sbin/unbound", "-d", "-p", "-c", str(resolver))),
        notices.program(),
    ]
    machines.start(SERVICES, programs)


def wait_ready(*, deadline_s: float) -> None:
    """Wait until the registry, the DNS and the receiver of notices answer; must be called inside the twin's network.

    Raises:
        ServiceError: When one of them does not in time.
    """
    deadline = time.monotonic() + deadline_s
    for name, url, headers in (
        ("registry", f"{REGISTRY_URL}/v2/", {}),
        ("DNS", DNS_API_URL, {"X-API-Key": api_key()}),
        ("receiver of notices", f"{notices.URL}/messages", {}),
    ):
        while not _answers(url, headers):
            if time.monotonic() > deadline:
                msg = f"the {name} did not answer at {url} in {deadline_s:.0f} s; see {SERVICES.directory}/log"
                raise ServiceError(msg)
            time.sleep(0.05)


def set_addresses(records: Mapping[str, Sequence[str]]) -> None:
    """Let names of the twin's domain answer with these IPv4 addresses; made when missing, replaced when there."""
    _set([_records(name, "A", addresses) for name, addresses in {f"ns.{DOMAIN}": [DNS_ADDRESS], **records}.items()])


def set_failover(name: str, path: str, regions: Sequence[Sequence[str]]) -> None:
    """Let a name answer with the addresses of the first region that is healthy.

    An address is healthy when `http://NAME PATH` is answered there with 200. While none is known to be, as before the
    first look, any of them may be the answer. PowerDNS, Lua records, `ifurlup`.

    Args:
        name: In the twin's domain.
        path: What is asked; it has to say whether the region can really serve.
        regions: IPv4 addresses of each, the preferred first.
    """
    sets = ", ".join("{" + ", ".join(f"'{address}'" for address in addresses) + "}" for addresses in regions)
    options = f"{{selector='all', timeout='{_HEALTH_TIMEOUT_S}'}}"
    # A name has one kind of answer: an earlier one of fixed addresses goes.
    fixed = {"name": f"{name}.", "type": "A", "changetype": "DELETE"}
    _set([fixed, _records(name, "LUA", [f"A \"ifurlup('http://{name}{path}', {{{sets}}}, {options})\""])])


def addresses(name: str) -> set[str]:
    """What the authoritative DNS answers for a name at this moment: IPv4 addresses.

    Raises:
        ServiceError: When it does not answer.
    """
    command = ["dig", "+short", "+tries=1", f"+time={_TIMEOUT_S:.0f}", f"@{DNS_ADDRESS}", name, "A"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S + 5, check=False)
    if done.returncode != 0:
        raise ServiceError(f"the DNS at {DNS_ADDRESS} does not answer for {name}: {done.stdout.strip()}")
    return set(done.stdout.split())


def _records(name: str, kind: str, contents: Sequence[str]) -> dict[str, object]:
    records = [{"content": content, "disabled": False} for content in contents]
    return {"name": f"{name}.", "type": kind, "ttl": TTL_S, "changetype": "REPLACE", "records": records}


def _set(sets: Sequence[Mapping[str, object]]) -> None:
    zone = f"{DOMAIN}."
    if (
        requests.get(f"{DNS_API_URL}/zones/{zone}", headers=_headers(), timeout=_TIMEOUT_S).status_code
        != requests.codes.ok
    ):
        body = {"name": zone, "kind": "Native", "nameservers": [f"ns.{zone}"]}
        _check(requests.post(f"{DNS_API_URL}/zones", json=body, headers=_headers(), timeout=_TIMEOUT_S))
    _check(
        requests.patch(
            f"{DNS_API_URL}/zones/{zone}", json={"rrsets": list(sets)}, headers=_headers(), timeout=_TIMEOUT_S
        )
    )


def _registry_configuration(storage: Path) -> str:
    return f"""\
version: 0.1
log: {{level: warn, accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: {storage}}}, delete: {{enabled: true}}}}
http: {{addr: "{REGISTRY_ADDRESS}:5000"}}
"""


def _resolver_configuration() -> str:
    """Keeps an answer for its time to live, and what is not there for a few seconds; knows the twin's domain only."""
    return f"""\
server:
  interface: {RESOLVER_ADDRESS}
  access-control: {FABRIC_NETWORK} allow
{_pods_may_ask()}
  module-config: "iterator"
  local-zone: "test." nodefault
  cache-max-negative-ttl: 5
  num-threads: 1
  do-daemonize: no
  username: "unbound"
  chroot: ""
  directory: "/run"
  use-syslog: no
  verbosity: 1
remote-control:
  control-enable: no
stub-zone:
  name: "{DOMAIN}"
  stub-addr: {DNS_ADDRESS}
"""


def _pods_may_ask() -> str:
    """Load can be made from within a region, and finds its way as users do."""
    networks = {region.pod_network for profile in PROFILES.values() for region in profile.regions}
    return "\n".join(f"  access-control: {network} allow" for network in sorted(networks))


def _write_dns_configuration(directory: Path) -> None:
    configuration = directory / "dns" / "pdns.conf"
    if configuration.is_file():
        return
    configuration.parent.mkdir(parents=True, exist_ok=True)
    database = configuration.parent / "zones.sqlite3"
    database.unlink(missing_ok=True)
    with sqlite3.connect(database) as connection:
        connection.executescript(_DNS_SCHEMA.read_text())
    key = secrets.token_urlsafe(24)
    key_path = configuration.parent / "api.key"
    key_path.touch(mode=0o600)
    key_path.write_text(key)
    for path in (configuration.parent, database):
        shutil.chown(path, "pdns", "pdns")
    pending = configuration.with_suffix(".new")
    pending.touch(mode=0o600)
    pending.write_text(f"""\
launch=gsqlite3
gsqlite3-database={database}
local-address={DNS_ADDRESS}
api=yes
api-key={key}
webserver=yes
webserver-address={DNS_ADDRESS}
webserver-port=8081
webserver-allow-from={FABRIC_NETWORK}
enable-lua-records=yes
lua-health-checks-interval={HEALTH_INTERVAL_S}
cache-ttl=0
query-cache-ttl=0
negquery-cache-ttl=0
zone-cache-refresh-interval=0
socket-dir=/run
setuid=pdns
setgid=pdns
loglevel=4
distributor-threads=1
receiver-threads=1
""")
    pending.replace(configuration)


def api_key() -> str:
    """Of the DNS server's API."""
    return (SERVICES.directory / "dns" / "api.key").read_text()


def _headers() -> dict[str, str]:
    return {"X-API-Key": api_key()}


def _answers(url: str, headers: Mapping[str, str]) -> bool:
    try:
        return requests.get(url, headers=dict(headers), timeout=1).ok
    except requests.RequestException:
        return False


def _check(answer: requests.Response) -> None:
    if not answer.ok:
        msg = f"the DNS at {DNS_API_URL} answered {answer.status_code}: {answer.text[:300]}"
        raise ServiceError(msg)
