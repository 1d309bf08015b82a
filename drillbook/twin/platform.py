"""Installs the reference platform into the twin's clusters, with the same charts that a customer would use."""

from __future__ import annotations

import base64
import json
import secrets
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests

from drillbook.twin import (
    accounts,
    backups,
    fault_credentials,
    files,
    probe_role,
    services,
    sessions,
    stale_images,
    vault_contents,
    vaults,
)
from drillbook.twin.everywhere import in_each
from drillbook.twin.kubectl import ClusterError, Kubectl, wait_until
from drillbook.twin.layout import DATABASE_VOLUME, PUBLIC_NAME, REGISTRY_NAME, state_directory
from drillbook.twin.state import write_private

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from concurrent.futures import Future

    from drillbook.twin.builds import Built
    from drillbook.twin.layout import Machine, Profile, Region

SYSTEM = Path(__file__).resolve().parents[2] / "system"
FIRST_RELEASE = "1.0.0"
FIRST_SLOT = "blue"
_NODE_PORTS = {"database": 30432, "prometheus": 30090}
_HELM_TIMEOUT_S = 240
_PODS_DEADLINE_S = 180.0


def install(profile: Profile, built: Built, say: Callable[[str], None]) -> None:
    """Install or upgrade everything and wait until the public address serves; idempotent.

    Raises:
        ClusterError: When a chart cannot be installed or a part does not become ready in time.
    """
    primary = next(region for region in profile.regions if region.role == "primary")
    credentials = _credentials()
    backups.prepare(profile)
    files.prepare()
    vault_contents.prepare(profile)
    services.set_addresses({**backups.names(profile), **vault_contents.names(profile)})
    outdated = [region for region in profile.regions if _forget_old_images(region, built)]
    say("charts")
    in_each(profile.regions, lambda region: _install_platform(profile, region, primary, built, credentials))
    with ThreadPoolExecutor(2 * len(profile.regions) + 1) as pool:
        meanwhile = [pool.submit(_open_vault, region, built, credentials) for region in profile.regions]
        sessions_known = [pool.submit(_make_session_key, region, built, opened)
                          for region, opened in zip(profile.regions, meanwhile, strict=True)]  # fmt: skip
        say("database")
        _kubectl(built, primary).wait_pods("data", deadline_s=_PODS_DEADLINE_S)
        meanwhile.append(pool.submit(_back_up, profile, primary, built))
        meanwhile.append(pool.submit(_let_probe, profile, credentials))
        say(f"release {FIRST_RELEASE}")
        for known in sessions_known:
            known.result()
        _install_release(profile, primary, built)
        for region in profile.regions:
            if region is not primary:
                _install_release(profile, region, built)
        for region in outdated:
            _start_anew(region, built)
        services.set_addresses(_names(profile))
        regions = sorted(profile.regions, key=lambda region: region is not primary)
        services.set_failover(
            PUBLIC_NAME, "/readyz", [[worker.address for worker in region.workers] for region in regions]
        )
        say("vaults and first backup")
        for part in meanwhile:
            part.result()
    say("pods")
    in_each(profile.regions, lambda region: _wait_region(region, built))
    say("public address")
    _wait_public(primary)


def _install_platform(
    profile: Profile, region: Region, primary: Region, built: Built, credentials: Mapping[str, str]
) -> None:
    kubectl = _kubectl(built, region)
    kubectl.apply_files([SYSTEM / "kubernetes" / "namespaces.yaml"])
    # Whichever region's server takes writes is found by libpq; the primary's is tried first.
    url = f"postgresql://analytics:{credentials['app']}@/analytics?target_session_attrs=read-write"
    kubectl.apply(
        [
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": accounts.NAMESPACE}},
            _secret("data", "postgres-credentials", credentials),
            _secret("analytics", "analytics-database", {"url": url}),
            _config_map("analytics", "analytics-database", _database_hosts(profile, region, primary)),
            *(_secret("data", *named) for named in backups.secret_values(profile, region).items()),
            *(_secret("data", *named) for named in files.secret_values(profile, region).items()),
            *(_secret("vault", *named) for named in vault_contents.secret_values(profile, region).items()),
        ]
    )
    values: dict[str, Any] = {
        "region": region.name,
        "role": "primary" if region is primary else "standby",
        "gateway": {"externalIPs": [worker.address for worker in region.workers]},
        "postgres": {
            "primaryHost": "" if region is primary else primary.workers[0].address,
            "peerHost": next((other.workers[0].address for other in profile.regions if other is not region), ""),
            "storage": _storage(region.workers[0], DATABASE_VOLUME),
        },
        "objectstore": {
            "storage": _storage(region.workers[-1], "objectstore"),
            "secretChecksum": backups.identities_checksum(),
            "replication": files.values(profile, region),
        },
        "backup": backups.values(profile),
        **vault_contents.values(profile, region),
    }
    _helm(profile, region, built, "platform", values)
    accounts.install(region, built.helm, kubectl, SYSTEM / "charts" / "drillbook")
    if region is primary:
        address = f"{primary.workers[0].address}:{_NODE_PORTS['database']}"
        fault_credentials.write_database(address, credentials["app"])
        write_private(state_directory() / "migration" / "database", credentials["app"])


def _back_up(profile: Profile, primary: Region, built: Built) -> None:
    in_each(profile.regions, backups.make_buckets)
    files.fill(primary)
    backups.back_up_first(_kubectl(built, primary))


def _open_vault(region: Region, built: Built, credentials: Mapping[str, str]) -> None:
    """Initialise the region's vault when it is new, unseal it, and fill it; the key stays with the twin's state."""
    _kubectl(built, region).wait_pods("vault", deadline_s=_PODS_DEADLINE_S)
    vaults.unseal(region, deadline_s=_PODS_DEADLINE_S)
    made = json.loads(vaults.made(region).read_text())
    if region.role == "primary":
        fault_credentials.write_vault(vaults.url(region), made["root_token"], made["keys"][0])
    platform = {
        "analytics/database": {"user": "analytics", "password": credentials["app"]},
        "data/superuser": {"user": "postgres", "password": credentials["superuser"]},
        "data/replication": {"user": "replication", "password": credentials["replication"]},
        sessions.NAME: sessions.new(),
        **backups.platform_secrets(),
    }
    vault_contents.fill(vaults.url(region), made["root_token"], region, platform)


def _make_session_key(region: Region, built: Built, opened: Future[None]) -> None:
    """Give the region's pods the key for sessions, once its vault is open: in the other region that is a copy."""
    opened.result()
    key = sessions.in_vault_of(region, deadline_s=_PODS_DEADLINE_S)
    _kubectl(built, region).apply([_secret("analytics", sessions.GIVEN_AS, key)])


def _let_probe(profile: Profile, credentials: Mapping[str, str]) -> None:
    servers = [f"{region.workers[0].address}:{_NODE_PORTS['database']}" for region in profile.regions]
    probe_role.make(",".join(servers), credentials["superuser"], credentials["probe"])


def _storage(worker: Machine, name: str) -> dict[str, str]:
    """A volume of a node."""
    path = worker.volume(name)
    path.mkdir(parents=True, exist_ok=True)
    return {"kind": "local", "node": worker.name, "path": str(path)}


def _install_release(profile: Profile, region: Region, built: Built) -> None:
    values = {
        "slot": FIRST_SLOT,
        "version": FIRST_RELEASE,
        "region": region.name,
        # The schema is the primary's; the other region's release finds it migrated.
        "migrations": {"enabled": region.role == "primary"},
    }
    _helm(profile, region, built, f"analytics-{FIRST_SLOT}", values, chart="analytics")


def _forget_old_images(region: Region, built: Built) -> bool:
    """Let nodes fetch anew what has changed under its tag; answers whether the application has."""
    forgotten = [name for worker in region.workers for name in stale_images.forget(worker, built.images)]
    return any(name.startswith(f"{REGISTRY_NAME}/analytics:") for name in forgotten)


def _start_anew(region: Region, built: Built) -> None:
    """Start the application's pods from what nodes fetch now."""
    _kubectl(built, region).run(
        "rollout", "restart", "deployment", "--namespace=analytics", "--selector=app.kubernetes.io/name=analytics"
    )


def _helm(
    profile: Profile, region: Region, built: Built, release: str, values: Mapping[str, Any], *, chart: str = ""
) -> None:
    directory = SYSTEM / "charts" / (chart or release)
    command = [
        str(built.helm), "upgrade", "--install", release, str(directory), "--namespace=analytics",
        f"--values={directory / f'values-{profile.name}.yaml'}", "--values=-", f"--timeout={_HELM_TIMEOUT_S}s",
        f"--kubeconfig={region.kubeconfig}", "--history-max=10",
    ]  # fmt: skip
    done = subprocess.run(
        command, input=json.dumps(values), text=True, capture_output=True, timeout=_HELM_TIMEOUT_S + 30, check=False
    )
    if done.returncode != 0:
        msg = f"installing {release} in {region.name} failed: {done.stderr.strip()}"
        raise ClusterError(msg)


def _wait_region(region: Region, built: Built) -> None:
    kubectl = _kubectl(built, region)
    for namespace in ("kube-system", "gateway", "data", "monitoring", "vault", "analytics"):
        kubectl.wait_pods(namespace, deadline_s=_PODS_DEADLINE_S)


def _names(profile: Profile) -> dict[str, list[str]]:
    return {f"{region.name}.{PUBLIC_NAME}": [worker.address for worker in region.workers] for region in profile.regions}


def _wait_public(primary: Region) -> None:
    """The gateway serves the public name, and the name leads there; this process resolves as the host does."""
    wanted = {worker.address for worker in primary.workers}
    url = f"http://{primary.workers[0].address}/readyz"

    def missing() -> str:
        try:
            answer = requests.get(url, headers={"Host": PUBLIC_NAME}, timeout=3)
        except requests.RequestException as error:
            return f"{PUBLIC_NAME} does not answer at {url}: {error}"
        if not answer.ok:
            return f"{PUBLIC_NAME} answers {answer.status_code} at {url}: {answer.text[:200]}"
        found = services.addresses(PUBLIC_NAME)
        return "" if found == wanted else f"{PUBLIC_NAME} leads to {', '.join(sorted(found)) or 'nowhere'}"

    wait_until(missing, deadline_s=60)


def _credentials() -> dict[str, str]:
    """The database's passwords: made once for a twin, known to nobody outside it."""
    path = state_directory() / "database.json"
    stored: dict[str, str] = json.loads(path.read_text()) if path.is_file() else {}
    missing = {"superuser", "replication", "app", "recovery", "probe"} - stored.keys()
    if missing:
        stored |= {name: secrets.token_urlsafe(18) for name in missing}
        write_private(path, json.dumps(stored))
    # What environments/twin.yaml names as the recovery's credentials.
    write_private(state_directory() / "recovery" / "database", stored["recovery"])
    write_private(state_directory() / "recovery" / "dns", services.api_key())
    write_private(state_directory() / "recovery" / "probe", stored["probe"])
    return stored


def _database_hosts(profile: Profile, region: Region, primary: Region) -> dict[str, str]:
    """The databases as a region's application reaches them, the primary region's first."""
    servers = [
        ("postgres.data.svc.cluster.local", 5432)
        if other is region
        else (other.workers[0].address, _NODE_PORTS["database"])
        for other in sorted(profile.regions, key=lambda other: other is not primary)
    ]
    return {"hosts": ",".join(host for host, _ in servers), "ports": ",".join(str(port) for _, port in servers)}


def _config_map(namespace: str, name: str, values: Mapping[str, str]) -> dict[str, Any]:
    meta = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": dict(values)}


def _secret(namespace: str, name: str, values: Mapping[str, str]) -> dict[str, Any]:
    data = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
    meta = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": meta, "data": data}


def _kubectl(built: Built, region: Region) -> Kubectl:
    return Kubectl(built.kubectl, region.kubeconfig)
