"""What the database's backups rest on: an object store in each region, by TLS, and who may write to it."""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from drillbook.twin import pki
from drillbook.twin.kubectl import ClusterError, wait_until
from drillbook.twin.layout import DOMAIN, state_directory
from drillbook.twin.state import write_private

if TYPE_CHECKING:
    from collections.abc import Mapping

    from drillbook.twin.kubectl import Kubectl
    from drillbook.twin.layout import Profile, Region

PORT = 30333
"""NodePort of every region's object store."""

STANZA = "analytics"
BUCKET = "backups"
FILES = "files"
"""Bucket of the platform's own files."""

_DATABASE = "postgres-0.postgres-pods.data.svc.cluster.local"
_STORES_WITHIN_S = 90.0
_BACKUP_WITHIN_S = 240.0
_TIMEOUTS = Config(connect_timeout=3, read_timeout=10, retries={"max_attempts": 1})


@dataclass(frozen=True, slots=True)
class Key:
    """Access to an object store, as S3 knows it."""

    name: str
    access: str
    secret: str


def names(profile: Profile) -> dict[str, list[str]]:
    """The stores' names and the addresses that they lead to."""
    return {host(region): [worker.address for worker in region.workers] for region in profile.regions}


def values(profile: Profile) -> dict[str, Any]:
    """What the platform's chart is told of the repositories: the same in every region, in the same order."""
    repositories = [{"host": host(region), "port": PORT, "region": region.name} for region in profile.regions]
    return {"enabled": True, "stanza": STANZA, "bucket": BUCKET, "repositories": repositories}


def prepare(profile: Profile) -> None:
    """Make every key and certificate, so that the regions can be installed side by side."""
    for region in profile.regions:
        secret_values(profile, region)


def secret_values(profile: Profile, region: Region) -> dict[str, dict[str, str]]:
    """The Secrets of the namespace `data` by their names: keys and certificates, made once for a twin."""
    signer, backup = authority(), key("backup")
    store = signer.issue(
        f"objectstore-{region.name}", user="objectstore",
        hosts=[host(region), "objectstore.data.svc.cluster.local", *(worker.address for worker in region.workers)],
    )  # fmt: skip
    server = signer.issue("pgbackrest-server", user="pgbackrest", hosts=[_DATABASE])
    job = signer.issue("pgbackrest-client", user="backup")
    repositories = "".join(
        f"repo{number}-s3-key={backup.access}\nrepo{number}-s3-key-secret={backup.secret}\n"
        for number, _ in enumerate(profile.regions, 1)
    )
    return {
        "objectstore-identities": {"identities.json": _identities()},
        "objectstore-tls": certificate(signer, store),
        "pgbackrest-server": certificate(signer, server),
        "pgbackrest-client": certificate(signer, job),
        "pgbackrest-repositories": {"repositories.conf": f"[global]\n{repositories}"},
    }


def make_buckets(region: Region) -> None:
    """Make a region's buckets, as far as they are not there; waits for its store.

    Raises:
        ClusterError: When the store does not answer in time.
    """
    store = client(region, key("owner"))

    def missing() -> str:
        try:
            there = {str(bucket["Name"]) for bucket in store.list_buckets()["Buckets"]}
            for bucket in {BUCKET, FILES} - there:
                store.create_bucket(Bucket=bucket)
        except (BotoCoreError, ClientError) as error:
            return f"the object store of {region.name} is not ready: {error}"
        return ""

    wait_until(missing, deadline_s=_STORES_WITHIN_S)


def client(region: Region, who: Key) -> Any:
    """A region's store, as somebody."""
    return cast("Any", boto3.client)(
        "s3", endpoint_url=f"https://{region.workers[0].address}:{PORT}", region_name=region.name,
        aws_access_key_id=who.access, aws_secret_access_key=who.secret, verify=str(authority().certificate),
        config=_TIMEOUTS,
    )  # fmt: skip


def platform_secrets() -> dict[str, dict[str, str]]:
    """Keys of the object store that the platform works with, by the names of their secrets."""
    found = {"analytics/files": key("platform"), "data/backups": key("backup")}
    return {name: {"access": it.access, "secret": it.secret} for name, it in found.items()}


def identities_checksum() -> str:
    """Changes with who may do what at the stores, which read that when they start."""
    return hashlib.sha256(_identities().encode()).hexdigest()


def back_up_first(kubectl: Kubectl) -> None:
    """Make the first full backup of a new database, and wait for it; nothing where every repository has one.

    Raises:
        ClusterError: When it is not made in time, with the end of what the job printed.
    """
    if _is_backed_up(kubectl):
        return
    job = f"backup-first-{int(time.time())}"
    kubectl.run("create", "job", job, "--from=cronjob/backup-full", "--namespace=data")

    def missing() -> str:
        status = kubectl.get("job", job, "--namespace=data")["status"]
        return "" if status.get("succeeded") else "the first backup is not made"

    try:
        wait_until(missing, deadline_s=_BACKUP_WITHIN_S)
    except ClusterError as error:
        printed = kubectl.run("logs", f"job/{job}", "--namespace=data", "--tail=5")
        raise ClusterError(f"{error}; it printed: {printed.strip()}") from error


def _is_backed_up(kubectl: Kubectl) -> bool:
    """Whether every repository has a backup of this database; code 0 is pgBackRest's word for it."""
    said = kubectl.run(
        "exec", "postgres-0", "--namespace=data", "--container=postgres", "--",
        "pgbackrest", f"--stanza={STANZA}", "--log-level-console=off", "info", "--output=json",
    )  # fmt: skip
    stanzas: list[dict[str, Any]] = json.loads(said)
    return bool(stanzas) and all(repository["status"]["code"] == 0 for repository in stanzas[0]["repo"])


def host(region: Region) -> str:
    """Name of a region's object store."""
    return f"objectstore.{region.name}.{DOMAIN}"


def authority() -> pki.Authority:
    """Of what the platform's parts speak TLS with among themselves; a cluster's own is for its API."""
    return pki.Authority(state_directory() / "pki")


def certificate(signer: pki.Authority, leaf: pki.Leaf) -> dict[str, str]:
    """A certificate with its key and its authority, as a Secret's values."""
    return {
        "ca.crt": signer.certificate.read_text(),
        "tls.crt": leaf.certificate.read_text(),
        "tls.key": leaf.key.read_text(),
    }


def key(name: str) -> Key:
    """One's access to both regions' stores, made once for a twin."""
    path = state_directory() / "objectstore" / f"{name}.json"
    if not path.is_file():
        write_private(path, json.dumps({"access": name, "secret": secrets.token_urlsafe(24)}))
    stored: dict[str, str] = json.loads(path.read_text())
    return Key(name, stored["access"], stored["secret"])


def _identities() -> str:
    """Who may do what, as SeaweedFS reads it: each key its own bucket, and one that makes buckets."""
    own, ours = ("Read", "Write", "List", "Tagging"), f"{FILES}/drillbook/*"
    return json.dumps({
        "identities": [
            _identity(key("backup"), [f"{action}:{BUCKET}" for action in own]),
            _identity(key("platform"), [f"{action}:{FILES}" for action in own]),
            # Of what the other region's store sends.
            _identity(key("replication"), [f"{action}:{FILES}" for action in own]),
            # Of drills: what they write has a folder of its own.
            _identity(key("state"), [f"Read:{FILES}", f"List:{FILES}", f"Write:{ours}"]),
            _identity(key("owner"), ["Admin"]),
        ]
    })  # fmt: skip


def _identity(who: Key, actions: list[str]) -> Mapping[str, Any]:
    credentials = [{"accessKey": who.access, "secretKey": who.secret}]
    return {"name": who.name, "credentials": credentials, "actions": actions}
