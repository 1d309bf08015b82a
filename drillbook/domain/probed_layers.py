"""Where the layers of a platform are probed; without what judges the probes, since whoever puts back reads it too."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ProbedServer:
    """A database, or the pooler before it, as an application reaches it.

    Attributes:
        address: libpq's keywords without a password, `target_session_attrs` among them where there are several servers.
        password: Where that is: `file:`, `env:` or `vault:`.
        write: Statement that writes one row of the role's own; nothing is written where it is empty.
    """

    address: str
    password: str
    write: str = ""


@dataclass(frozen=True, slots=True)
class ProbedLayers:
    """Where the layers are that the rest of an environment's file does not say.

    Attributes:
        database: The servers.
        pooler: What stands before them; None without one.
        health_path: What the application answers with 200 when it can really serve.
    """

    database: ProbedServer
    pooler: ProbedServer | None
    health_path: str
