"""The regions' vaults: initialised once, and unsealed whenever they have started."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import requests

from drillbook.ports import Unreachable
from drillbook.twin.kubectl import ClusterError, wait_until
from drillbook.twin.layout import state_directory
from drillbook.twin.state import write_private

if TYPE_CHECKING:
    from pathlib import Path

    from drillbook.twin.layout import Region

NODE_PORT = 30820
_OPENS_WITHIN_S = 120.0
"""Its pod is started by its node's kubelet, which waits for the API server of a region that boots as a whole."""


def url(region: Region) -> str:
    """Where a region's vault is asked."""
    return f"http://{region.workers[0].address}:{NODE_PORT}/v1"


def made(region: Region) -> Path:
    """File with the key and the root token of a region's vault."""
    return state_directory() / "vault" / f"{region.name}.json"


def root_token(region: Region) -> str:
    """Of the administrator of a region's vault, which has to have been made."""
    return str(json.loads(made(region).read_text())["root_token"])


def unseal(region: Region, *, deadline_s: float) -> None:
    """Initialise a vault that is new, and unseal one that is sealed; the key stays with the twin's state.

    Raises:
        ClusterError: When it does not answer in time.
        requests.RequestException: When it does not take the key.
    """
    wait_until(lambda: _silence(f"{url(region)}/sys/seal-status"), deadline_s=deadline_s)
    health = requests.get(f"{url(region)}/sys/seal-status", timeout=10).json()
    if not health["initialized"]:
        answer = requests.put(f"{url(region)}/sys/init", json={"secret_shares": 1, "secret_threshold": 1}, timeout=30)
        answer.raise_for_status()
        write_private(made(region), answer.text)
    if health["sealed"]:
        key = json.loads(made(region).read_text())["keys"][0]
        requests.put(f"{url(region)}/sys/unseal", json={"key": key}, timeout=30).raise_for_status()


def open_again(region: Region) -> None:
    """Unseal a vault that its machine has started anew, as whoever holds the key does.

    Raises:
        Unreachable: When that comes to nothing.
    """
    try:
        unseal(region, deadline_s=_OPENS_WITHIN_S)
    except (ClusterError, OSError, ValueError, KeyError, TypeError, IndexError) as error:  # requests' own are OSErrors
        raise Unreachable(f"the vault in {region.name} could not be opened after it was lost: {error}") from error


def is_open(region: Region) -> bool:
    """Whether it gives out secrets, by its own word; False when it does not answer."""
    try:
        return requests.get(f"{url(region)}/sys/seal-status", timeout=3).json().get("sealed") is False
    except (requests.RequestException, ValueError):
        return False


def _silence(address: str) -> str:
    """Why a URL does not answer; empty when it does. A ready pod's NodePort can follow its readiness by a moment."""
    try:
        answer = requests.get(address, timeout=5)
    except requests.RequestException as error:
        return f"{address} does not answer: {error}"
    return "" if answer.ok else f"{address} answers {answer.status_code}"
