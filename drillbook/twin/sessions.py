"""The key that the application signs sessions with: made for the primary's vault, and taken from each region's own.

Nobody else keeps it. The other region's vault has it as a copy, so its pods honour the primary's sessions only when the
copies of secrets work.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import requests

from drillbook.twin import fault_credentials, vault_contents, vaults
from drillbook.twin.kubectl import wait_until

if TYPE_CHECKING:
    from drillbook.twin.layout import Region

NAME = "analytics/sessions"
"""Of the secret in the vaults."""

GIVEN_AS = "analytics-sessions"
"""The Secret that pods mount."""

_BYTES = 48


def new() -> dict[str, str]:
    """What the primary's vault takes unless it has one."""
    return {"key": secrets.token_urlsafe(_BYTES)}


def in_vault_of(region: Region, *, deadline_s: float) -> dict[str, str]:
    """What a region's vault has, once it has it.

    Raises:
        ClusterError: When it does not within the deadline, in seconds.
    """
    found: dict[str, str] = {}

    def missing() -> str:
        where = f"{vaults.url(region)}/{vault_contents.MOUNT}/data/{NAME}"
        try:
            answer = fault_credentials.ask("GET", where, vaults.root_token(region))
        except requests.RequestException as error:
            return f"{where} does not answer: {type(error).__name__}"
        if not answer.ok:
            return f"{where} answers {answer.status_code}"
        found.update(answer.json()["data"]["data"])
        return ""

    wait_until(missing, deadline_s=deadline_s)
    return found
