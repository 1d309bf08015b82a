"""What the database's backups rest on: an object store in each region, by TLS, and who may write to it."""

from __future__ import annotations

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
    return {_host(region): [worker.address for worker in region.workers] for region in profile.regions}


def values(profile: Profile) -> dict[str, Any]:
    """What the platform's chart is told of the repositories: the same in every region, in the same order."""
    repositories = [{"host": _host(region), "port": PORT, "region": region.name} for region in profile.regions]
    return {"enabled": True, "stanza": STANZA, "bucket": BUCKET, "repositories": repositories}


def prepare(profile: Profile) -> None:
    """Make every key and certificate, so that the regions can be installed side by side."""
    for region in profile.regions:
        secret_values(profile, region)


def secret_values(profile: Profile, region: Region) -> dict[str, dict[str, str]]:
    """The Secrets of the namespace `data` by their names: keys and certificates, made once for a twin."""
    authority, backup = _authority(), _key("backup")
    store = authority.issue(
        f"objectstore-{region.name}", user="objectstore",
        hosts=[_host(region), "objectstore.data.svc.cluster.local", *(worker.address for worker in region.workers)],
    )  # fmt: skip
    server = authority.issue("pgbackrest-server", user="pgbackrest", hosts=[_DATABASE])
    job = authority.issue("pgbackrest-client", user="backup")
    repositories = "".join(
        f"repo{number}-s3-key={backup.access}\nrepo{number}-s3-key-secret={backup.secret}\n"
        for number, _ in enumerate(profile.regions, 1)
    )
    return {
        "objectstore-identities": {"identities.json": _identities(backup, _key("platform"), _key("owner"))},
        "objectstore-tls": _certificate(authority, store),
        "pgbackrest-server": _certificate(authority, server),
        "pgbackrest-client": _certificate(authority, job),
        "pgbackrest-repositories": {"repositories.conf": f"[global]\n{repositories}"},
    }


def make_buckets(region: Region) -> None:
    """Make a region's buckets, as far as they are not there; waits for its store.

    Raises:
        ClusterError: When the store does not answer in time.
    """
    owner = _key("owner")
    store: Any = cast("Any", boto3.client)(
        "s3", endpoint_url=f"https://{region.workers[0].address}:{PORT}", region_name=region.name,
        aws_access_key_id=owner.access, aws_secret_access_key=owner.secret, verify=str(_authority().certificate),
        config=_TIMEOUTS,
    )  # fmt: skip

    def missing() -> str:
        try:
            there = {str(bucket["Name"]) for bucket in store.list_buckets()["Buckets"]}
            for bucket in {BUCKET, FILES} - there:
                store.create_bucket(Bucket=bucket)
        except (BotoCoreError, ClientError) as error:
            return f"the object store of {region.name} is not ready: {error}"
        return ""

    wait_until(missing, deadline_s=_STORES_WITHIN_S)


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


def _host(region: Region) -> str:
    return f"objectstore.{region.name}.{DOMAIN}"


def _authority() -> pki.Authority:
    """Of what the platform's parts speak TLS with among themselves; a cluster's own is for its API."""
    return pki.Authority(state_directory() / "pki")


def _certificate(authority: pki.Authority, leaf: pki.Leaf) -> dict[str, str]:
    return {
        "ca.crt": authority.certificate.read_text(),
        "tls.crt": leaf.certificate.read_text(),
        "tls.key": leaf.key.read_text(),
    }


def _key(name: str) -> Key:
    path = state_directory() / "objectstore" / f"{name}.json"
    if not path.is_file():
        write_private(path, json.dumps({"access": name, "secret": secrets.token_urlsafe(24)}))
    stored: dict[str, str] = json.loads(path.read_text())
    return Key(name, stored["access"], stored["secret"])


def _identities(backup: Key, platform: Key, owner: Key) -> str:
    """Who may do what, as SeaweedFS reads it: each key its own bucket, and one that makes buckets."""
    return json.dumps({
        "identities": [
            _identity(backup, [f"{action}:{BUCKET}" for action in ("Read", "Write", "List", "Tagging")]),
            _identity(platform, [f"{action}:{FILES}" for action in ("Read", "Write", "List", "Tagging")]),
            _identity(owner, ["Admin"]),
        ]
    })  # fmt: skip


def _identity(key: Key, actions: list[str]) -> Mapping[str, Any]:
    credentials = [{"accessKey": key.access, "secretKey": key.secret}]
    return {"name": key.name, "credentials": credentials, "actions": actions}
