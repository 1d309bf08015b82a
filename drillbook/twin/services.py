"""What stands outside the regions: the image registry and the authoritative DNS."""

from __future__ import annotations

import secrets
import shutil
import sqlite3
import time
from pathlib import Path
from typing import TYPE_CHECKING

import requests

from drillbook.twin import machines
from drillbook.twin.layout import DNS_ADDRESS, DOMAIN, FABRIC_NETWORK, REGISTRY_ADDRESS, SERVICES
from drillbook.twin.machines import Program

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

REGISTRY_URL = f"http://{REGISTRY_ADDRESS}:5000"
DNS_API_URL = f"http://{DNS_ADDRESS}:8081/api/v1/servers/localhost"
TTL_S = 30
_DNS_SCHEMA = Path("/usr/share/pdns-backend-sqlite3/schema/schema.sqlite3.sql")
_TIMEOUT_S = 5.0


class ServiceError(Exception):
    """A service outside the regions did not do as asked."""


def start(registry_storage: Path) -> None:
    """Start the registry and the DNS; what runs stays."""
    directory = SERVICES.directory
    directory.mkdir(parents=True, exist_ok=True)
    registry = directory / "registry.yaml"
    registry.write_text(_registry_configuration(registry_storage))
    _write_dns_configuration(directory)
    programs = [
        Program("registry", ("/usr/bin/docker-registry", "serve", str(registry)), {"OTEL_TRACES_EXPORTER": "none"}),
        Program("dns", ("/usr/sbin/pdns_server", f"--config-dir={directory}/dns", "--guardian=no", "--daemon=no")),
    ]
    machines.start(SERVICES, programs)


def wait_ready(*, deadline_s: float) -> None:
    """Wait until the registry and the DNS answer; must be called inside the twin's network.

    Raises:
        ServiceError: When one of them does not in time.
    """
    deadline = time.monotonic() + deadline_s
    for name, url, headers in (
        ("registry", f"{REGISTRY_URL}/v2/", {}),
        ("DNS", DNS_API_URL, {"X-API-Key": _api_key()}),
    ):
        while not _answers(url, headers):
            if time.monotonic() > deadline:
                msg = f"the {name} did not answer at {url} in {deadline_s:.0f} s; see {SERVICES.directory}/log"
                raise ServiceError(msg)
            time.sleep(0.05)


def set_addresses(records: Mapping[str, Sequence[str]]) -> None:
    """Let names of the twin's domain answer with these IPv4 addresses; made when missing, replaced when there."""
    zone = f"{DOMAIN}."
    if (
        requests.get(f"{DNS_API_URL}/zones/{zone}", headers=_headers(), timeout=_TIMEOUT_S).status_code
        != requests.codes.ok
    ):
        body = {"name": zone, "kind": "Native", "nameservers": [f"ns.{zone}"]}
        _check(requests.post(f"{DNS_API_URL}/zones", json=body, headers=_headers(), timeout=_TIMEOUT_S))
    sets = [
        {
            "name": f"{name}.", "type": "A", "ttl": TTL_S, "changetype": "REPLACE",
            "records": [{"content": address, "disabled": False} for address in addresses],
        }
        for name, addresses in {f"ns.{DOMAIN}": [DNS_ADDRESS], **records}.items()
    ]  # fmt: skip
    _check(requests.patch(f"{DNS_API_URL}/zones/{zone}", json={"rrsets": sets}, headers=_headers(), timeout=_TIMEOUT_S))


def _registry_configuration(storage: Path) -> str:
    return f"""\
version: 0.1
log: {{level: warn, accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: {storage}}}, delete: {{enabled: true}}}}
http: {{addr: "{REGISTRY_ADDRESS}:5000"}}
"""


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


def _api_key() -> str:
    return (SERVICES.directory / "dns" / "api.key").read_text()


def _headers() -> dict[str, str]:
    return {"X-API-Key": _api_key()}


def _answers(url: str, headers: Mapping[str, str]) -> bool:
    try:
        return requests.get(url, headers=dict(headers), timeout=1).ok
    except requests.RequestException:
        return False


def _check(answer: requests.Response) -> None:
    if not answer.ok:
        msg = f"the DNS at {DNS_API_URL} answered {answer.status_code}: {answer.text[:300]}"
        raise ServiceError(msg)
