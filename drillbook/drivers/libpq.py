"""How soon a database that is cut off is given up, whoever asks it.

What has arrived at a server is waited for, and one that is gone answers nothing: by itself TCP asks after it for the
first time when two hours have passed. A statement's own time-out is the server's to keep, which is gone with it.
"""

from __future__ import annotations

from typing import Any

from psycopg.conninfo import conninfo_to_dict

_PATIENCE = {
    "keepalives": 1, "keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3, "tcp_user_timeout": 10_000,
}  # fmt: skip
"""https://www.postgresql.org/docs/15/libpq-connect.html: gone after some 11 s, whether it was to answer or to take."""


def patience(address: str, **ours: int) -> dict[str, Any]:
    """Settings of a connection by which a server that is gone is noticed, but for those that the address has itself.

    A server that works for long answers TCP meanwhile, and is waited for.

    Args:
        address: libpq's, as keywords or as a URI.
        ours: What wins over the address, by libpq's names.

    Raises:
        psycopg.ProgrammingError: When it is neither.
    """
    said = conninfo_to_dict(address)
    return {name: value for name, value in _PATIENCE.items() if name not in said} | ours
