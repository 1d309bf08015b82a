"""The harness' own accounts in a region's cluster, and kubeconfigs with tokens of theirs that end by themselves."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING, Any, Literal

from drillbook.twin import pki
from drillbook.twin.kubectl import ClusterError, Kubectl

if TYPE_CHECKING:
    from pathlib import Path

    from drillbook.twin.layout import Region

NAMESPACE = "drillbook"
TOKEN_LASTS_H = 24
"""A night's runs, and not a week's. Each `twin up` makes a new one."""

Account = Literal["verify", "release", "resilience"]
ACCOUNTS: tuple[Account, ...] = ("verify", "release", "resilience")

_WITHIN_S = 60


def install(region: Region, helm: Path, kubectl: Kubectl, chart: Path) -> None:
    """Install the harness' chart and write a kubeconfig for each account; idempotent.

    Raises:
        ClusterError: When the chart cannot be installed or no token is given.
    """
    command = [
        str(helm), "upgrade", "--install", "drillbook", str(chart), f"--namespace={NAMESPACE}", "--history-max=3",
        f"--kubeconfig={region.kubeconfig}", f"--timeout={_WITHIN_S}s", "--values=-",
    ]  # fmt: skip
    done = subprocess.run(
        command, input=json.dumps(values(region)), text=True, capture_output=True, timeout=_WITHIN_S + 30, check=False
    )
    if done.returncode != 0:
        raise ClusterError(f"installing the harness' accounts in {region.name} failed: {done.stderr.strip()}")
    for account in ACCOUNTS:
        write_kubeconfig(region, account, token(kubectl, account))


def values(region: Region) -> dict[str, Any]:
    """Of the harness' chart: faults may hit what environments/twin.yaml names."""
    return {
        "accounts": {"recovery": True, "resilience": True},
        "load": {"namespace": "drillbook-load"},
        "recovery": {"losses": ["server"], "backups": "backup-full"},
        "resilience": {
            "pods": {"analytics": ["kill", "evict"], "gateway": ["kill", "evict"], "data": ["kill"]},
            "deployments": {"kube-system": ["coredns"]},
            "helpers": {"analytics": ["press"], "data": ["fill"]},
            "nodes": [worker.name for worker in region.workers],
        },
    }


def token(kubectl: Kubectl, account: Account, hours: float = TOKEN_LASTS_H) -> str:
    """A new token for an account, from the cluster's TokenRequest API.

    Raises:
        ClusterError: When the cluster gives none.
    """
    made = kubectl.run(
        "create", "token", f"drillbook-{account}", f"--namespace={NAMESPACE}", f"--duration={hours * 3600:.0f}s"
    )
    return made.strip()


def write_kubeconfig(region: Region, account: Account, bearer: str) -> None:
    """Replace an account's kubeconfig, readable by its owner only."""
    path = region.account_kubeconfig(account)
    document = pki.token_kubeconfig(
        region.control_plane.directory / "pki" / "ca.crt", bearer, server=region.api_url, name=f"drillbook-{account}"
    )
    pending = path.with_name(f".{path.name}.new")
    pending.unlink(missing_ok=True)
    with os.fdopen(os.open(pending, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(json.dumps(document, indent=2) + "\n")
    pending.replace(path)
