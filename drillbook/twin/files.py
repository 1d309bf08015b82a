"""The platform's files: a bucket in the primary region's object store, which is sent on to the other region's."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from drillbook.twin import backups
from drillbook.twin.kubectl import wait_until
from drillbook.twin.layout import state_directory
from drillbook.twin.state import write_private

if TYPE_CHECKING:
    from drillbook.twin.layout import Profile, Region

_WITHIN_S = 60.0
_KIB = 1024
_SIZES = {
    **{f"reports/2026/{month:02d}/summary.csv": 3 * _KIB + month for month in range(1, 13)},
    **{f"models/scoring-{number}.bin": 256 * _KIB for number in range(1, 4)},
    # Names and sizes that copies get wrong: blanks, letters beyond ASCII, nothing at all, more than one part.
    "exports/Übersicht Q3 (final).csv": 2 * _KIB,
    "exports/empty.csv": 0,
    "models/baseline.bin": 9 * _KIB * _KIB,
}


def values(profile: Profile, region: Region) -> dict[str, Any]:
    """What the platform's chart is told of a region's files: the primary's are sent on."""
    return {"enabled": _target(profile, region) is not None, "bucket": backups.FILES}


def prepare() -> None:
    """Keep the key of drills where environments/twin.yaml says that it is."""
    state = backups.key("state")
    write_private(state_directory() / "recovery" / "files", f"{state.access}:{state.secret}")


def secret_values(profile: Profile, region: Region) -> dict[str, dict[str, str]]:
    """The Secrets of the namespace `data` by their names."""
    target = _target(profile, region)
    if target is None:
        return {}
    key = backups.key("replication")
    settings = f"""\
[sink.s3]
enabled = true
aws_access_key_id = "{key.access}"
aws_secret_access_key = "{key.secret}"
region = "{target.name}"
bucket = "{backups.FILES}"
directory = "/"
endpoint = "https://{backups.host(target)}:{backups.PORT}"
is_incremental = false
"""
    authority = backups.authority().certificate.read_text()
    return {"objectstore-replication": {"replication.toml": settings, "ca.crt": authority}}


def fill(region: Region) -> None:
    """Put the platform's files there, as far as they are not; the same in every twin.

    Raises:
        ClusterError: When the store does not take them in time.
    """
    store = backups.client(region, backups.key("platform"))

    def missing() -> str:
        try:
            there = {str(it["Key"]) for it in store.list_objects_v2(Bucket=backups.FILES).get("Contents", ())}
            for name in _SIZES.keys() - there:
                store.put_object(Bucket=backups.FILES, Key=name, Body=content(name))
        except (BotoCoreError, ClientError) as error:
            return f"the object store of {region.name} does not take files: {error}"
        return ""

    wait_until(missing, deadline_s=_WITHIN_S)


def content(name: str) -> bytes:
    """Of one of them: the same in every twin."""
    return random.Random(name).randbytes(_SIZES[name])  # noqa: S311 - nothing secret


def _target(profile: Profile, region: Region) -> Region | None:
    """Where a region's files are sent."""
    if region.role != "primary":
        return None
    return next((it for it in profile.regions if it is not region), None)
