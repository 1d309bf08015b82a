"""Chooses the drivers of a migration's proof: the section `migrations.proof` of an environment's file becomes ports."""

from __future__ import annotations

import functools
import os
from typing import TYPE_CHECKING

from drillbook.actions.migration import Migrated
from drillbook.drivers import credentials
from drillbook.run import redaction
from drillbook.run.clock import SteadyClock

if TYPE_CHECKING:
    from drillbook.domain.environment import Environment
    from drillbook.ports import Clock


def migrated(environment: Environment, clock: Clock) -> Migrated | None:
    """The database that an environment's migrations are proved on; None where it does not say."""
    proof = environment.migrations.proof if environment.migrations is not None else None
    if proof is None:
        return None
    # Whatever puts back in an environment without migrations needs no PostgreSQL client.
    from drillbook.drivers.lock_watch import LockWatch  # noqa: PLC0415
    from drillbook.drivers.migrated_database import MigratedDatabase  # noqa: PLC0415
    from drillbook.drivers.migration_command import MigrationCommand  # noqa: PLC0415

    password = functools.partial(_credential, proof.password)
    database = MigratedDatabase(proof.address, password, proof.table, proof.progress)
    return Migrated(
        proof,
        database,
        MigrationCommand(proof.command, proof.settings, proof.address, password, environment.file.parent),
        clock,
        lambda file: LockWatch(database, SteadyClock.from_environment(), file, proof.every_s),
    )


def _credential(reference: str) -> str:
    if not reference:
        return ""
    found = credentials.read(reference, os.environ)
    redaction.learn([found])
    return found
