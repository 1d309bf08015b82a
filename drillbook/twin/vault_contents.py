"""What the regions' vaults hold: the platform's secrets in the primary's, and who may do what in both."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

import requests

from drillbook.twin import backups, fault_credentials
from drillbook.twin.kubectl import wait_until
from drillbook.twin.layout import DOMAIN, state_directory
from drillbook.twin.state import write_private

if TYPE_CHECKING:
    from collections.abc import Mapping

    from drillbook.twin.layout import Profile, Region

TLS_PORT = 30821
MOUNT = "platform"
"""Of the key-value engine."""

OURS = "drillbook"
"""Folder of it that the harness may write to, and of the files."""

_READY_WITHIN_S = 60.0
_COPIED_EVERY_S = 2
_LASTS = "768h"
_MAY_BE_RENEWED = 'path "auth/token/renew-self" { capabilities = ["update"] }\n'
_SHOWN = f"""
path "{MOUNT}/metadata" {{ capabilities = ["list"] }}
path "{MOUNT}/metadata/*" {{ capabilities = ["read", "list"] }}
path "{MOUNT}/data/*" {{ capabilities = ["read"] }}
"""
_POLICIES = {
    ("copy", "primary"): _SHOWN + _MAY_BE_RENEWED,
    ("copy", "secondary"): f"""
path "{MOUNT}/metadata" {{ capabilities = ["list"] }}
path "{MOUNT}/metadata/*" {{ capabilities = ["read", "list", "create", "update", "delete"] }}
path "{MOUNT}/data/*" {{ capabilities = ["create", "update"] }}
path "{MOUNT}/delete/*" {{ capabilities = ["update"] }}
path "{MOUNT}/undelete/*" {{ capabilities = ["update"] }}
path "{MOUNT}/destroy/*" {{ capabilities = ["update"] }}
{_MAY_BE_RENEWED}""",
    ("state", "primary"): f"""{_SHOWN}
path "{MOUNT}/data/{OURS}/*" {{ capabilities = ["create", "read", "update"] }}
path "{MOUNT}/metadata/{OURS}/*" {{ capabilities = ["read", "list", "delete"] }}
""",
    ("state", "secondary"): f"""{_SHOWN}
path "{MOUNT}/metadata/{OURS}/*" {{ capabilities = ["read", "list", "delete"] }}
""",
}
"""By whose token and in which region: of the copies from the one to the other, and of drills that look at both."""


def prepare(profile: Profile) -> None:
    """Make every token and certificate, so that the regions can be installed side by side."""
    for region in profile.regions:
        secret_values(profile, region)
        token("state", region)


def secret_values(profile: Profile, region: Region) -> dict[str, dict[str, str]]:
    """The Secrets of the namespace `vault` by their names."""
    authority = backups.authority()
    hosts = [_host(region), "openbao.vault.svc.cluster.local", *(worker.address for worker in region.workers)]
    found = {
        "openbao-tls": backups.certificate(
            authority, authority.issue(f"openbao-{region.name}", user="openbao", hosts=hosts)
        )
    }
    source = _source(profile, region)
    if source is not None:
        found["secrets-copy"] = {
            "source-token": token("copy", source), "target-token": token("copy", region),
            "ca.crt": authority.certificate.read_text(),
        }  # fmt: skip
    return found


def values(profile: Profile, region: Region) -> dict[str, Any]:
    """What the platform's chart is told of a region's vault."""
    source = _source(profile, region)
    copy: dict[str, Any] = {"enabled": False}
    if source is not None:
        url = f"https://{_host(source)}:{TLS_PORT}"
        copy = {"enabled": True, "source": url, "mount": MOUNT, "intervalSeconds": _COPIED_EVERY_S}
    return {"openbao": {"tlsSecret": "openbao-tls"}, "secretsCopy": copy}


def names(profile: Profile) -> dict[str, list[str]]:
    """The vaults' names and the addresses that they lead to."""
    return {_host(region): [worker.address for worker in region.workers] for region in profile.regions}


def fill(url: str, root_token: str, region: Region, platform: Mapping[str, Mapping[str, str]]) -> None:
    """Let an open vault have its engine, its policies and tokens, and the primary's the platform's secrets; idempotent.

    Args:
        url: Of its API, up to and with `/v1`.
        root_token: Of its administrator.
        region: Whose it is.
        platform: The platform's secrets by their names.

    Raises:
        ClusterError: When it does not take them within a minute.
    """
    wait_until(lambda: _lacks(url, root_token, region, platform), deadline_s=_READY_WITHIN_S)


def token(whose: str, region: Region) -> str:
    """Of the `copy` or of the `state` drills; known before the vault is, so that who needs it is installed beside."""
    path = state_directory() / "recovery" / f"vault-{whose}-{region.name}"
    if not path.is_file():
        write_private(path, secrets.token_urlsafe(24))
    return path.read_text()


def _lacks(url: str, root_token: str, region: Region, platform: Mapping[str, Mapping[str, str]]) -> str:
    """Why a vault has not all that it is to have yet: one that has just begun refuses for some seconds."""
    wanted: list[tuple[str, str, dict[str, Any], set[int]]] = [
        ("POST", f"sys/mounts/{MOUNT}", {"type": "kv", "options": {"version": "2"}}, {400})
    ]
    for (whose, role), policy in _POLICIES.items():
        if role == region.role:
            wanted.append(("PUT", f"sys/policies/acl/{whose}", {"policy": policy}, set()))
            wanted.append(("POST", "auth/token/create", _token_wanted(whose, region), {400}))
    if region.role == "primary":
        wanted += [("POST", f"{MOUNT}/data/{name}", {"data": dict(value), "options": {"cas": 0}}, {400})
                   for name, value in platform.items()]  # fmt: skip
    try:
        for method, path, body, there_already in wanted:
            answer = fault_credentials.ask(method, f"{url}/{path}", root_token, body)
            if not answer.ok and answer.status_code not in there_already:
                return f"{url} answers {method} {path} with {answer.status_code}"
        missing = [name for name in platform if region.role == "primary" and not _has(url, root_token, name)]
    except requests.RequestException as error:
        return f"{url} does not answer: {type(error).__name__}"
    return f"{url} lacks {', '.join(missing)}" if missing else ""


def _has(url: str, root_token: str, name: str) -> bool:
    return fault_credentials.ask("GET", f"{url}/{MOUNT}/metadata/{name}", root_token).ok


def _token_wanted(whose: str, region: Region) -> dict[str, Any]:
    return {
        "id": token(whose, region), "policies": [whose], "no_default_policy": True, "no_parent": True, "ttl": _LASTS,
        "period": _LASTS,
    }  # fmt: skip


def _source(profile: Profile, region: Region) -> Region | None:
    """Whose secrets a region has copies of."""
    return next((it for it in profile.regions if it.role == "primary" and it is not region), None)


def _host(region: Region) -> str:
    return f"openbao.{region.name}.{DOMAIN}"
