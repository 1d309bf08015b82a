"""Chooses the drivers of the state beside the database: `recovery.files` and `recovery.secrets` become ports."""

from __future__ import annotations

import functools
import os
from typing import TYPE_CHECKING

from drillbook.actions.state import State
from drillbook.drivers import credentials
from drillbook.drivers.vault_secrets import VaultSecrets
from drillbook.run import redaction

if TYPE_CHECKING:
    from drillbook.domain.environment import Environment
    from drillbook.domain.state_settings import FilesSettings, SecretsSettings
    from drillbook.ports import Clock
    from drillbook.ports.state import FileStore, SecretStore


def state(environment: Environment, clock: Clock) -> State | None:
    """What both regions have beside the database; None where the environment says nothing of it."""
    recovery = environment.recovery
    if recovery is None or (recovery.files is None and recovery.secrets is None):
        return None
    return State(
        home=environment.primary.name,
        away=environment.others[0].name,
        files=_files(recovery.files) if recovery.files is not None else {},
        secrets=_secrets(recovery.secrets) if recovery.secrets is not None else {},
        clock=clock,
    )


def _files(settings: FilesSettings) -> dict[str, FileStore]:
    # Whatever puts back in an environment without files needs no client of S3.
    from drillbook.drivers.object_bucket import ObjectBucket  # noqa: PLC0415

    return {
        region: ObjectBucket(
            region, endpoint, settings.bucket, functools.partial(_credential, settings.keys[region]), settings.ca_file
        )
        for region, endpoint in settings.endpoints.items()
    }


def _secrets(settings: SecretsSettings) -> dict[str, SecretStore]:
    return {
        region: VaultSecrets(
            region, url, settings.mount, functools.partial(_credential, settings.tokens[region]), settings.ca_file
        )
        for region, url in settings.addresses.items()
    }


def _credential(reference: str) -> str:
    found = credentials.read(reference, os.environ)
    redaction.learn([found, found.partition(":")[2]])
    return found
