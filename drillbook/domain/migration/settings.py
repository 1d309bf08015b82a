"""How an environment's migrations are drilled, as its file says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

APPLICATION = "analytics-migrate"
ADVERSARY = "drillbook-adversary"
"""Name of the connection whose transaction stays open."""


@dataclass(frozen=True, slots=True)
class Table:
    """The table that a migration is proved on.

    Attributes:
        name: Of the table.
        columns: Those that all releases know; they make the checksum.
        seeded: SQL condition for the rows that the drill adds, which nobody else reads or changes.
        seed: SQL that adds `%(count)s` of them from number `%(first)s` on.
        unfilled: SQL condition for a row that the back-fill has still to fill, once the schema has a place for what it
            fills in; empty where no back-fill is drilled.
    """

    name: str
    columns: tuple[str, ...]
    seeded: str
    seed: str
    unfilled: str = ""


@dataclass(frozen=True, slots=True)
class ProofSettings:
    """How one migration is proved under load.

    Attributes:
        address: libpq's, of the database, without a password.
        password: Where the password is; empty for none.
        command: Takes the schema somewhere: its words, of which `{way}`, `{to}` and `{python}` are replaced.
        settings: Environment variables of the command, with `{url}` for the database in them, as libpq's keywords.
        application: Name of the command's connections, by which its locks are known.
        table: What it is proved on.
        before: The revision that the older release needs.
        after: The one that the newer release brings, by the way up from there.
        older: The release that is live.
        newer: The one whose schema it is, by the name of an override that deploys it without migrating.
        rate_hz: Requests a second, of each kind of connection, to each of the two releases beside the public's.
        progress: SQL that answers how many rows a back-fill has gone over; empty when there is none.
        every_s: How often the locks are looked at.
        deadline_s: For one way.
    """

    address: str
    password: str
    command: tuple[str, ...]
    settings: Mapping[str, str]
    table: Table
    before: str
    after: str
    older: str
    newer: str
    application: str = APPLICATION
    progress: str = ""
    every_s: float = 0.05
    rate_hz: float = 10.0
    deadline_s: float = 120.0


@dataclass(frozen=True, slots=True)
class Migrations:
    """An environment's migrations.

    Attributes:
        scripts: Alembic's folder.
        proof: How one is proved; None where none is.
    """

    scripts: Path
    proof: ProofSettings | None = None
