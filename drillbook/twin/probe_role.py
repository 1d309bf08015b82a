"""The database role of the layers' probes: it may log in, and read and write one row of its own."""

from __future__ import annotations

import psycopg
from psycopg import sql

from drillbook.twin.kubectl import wait_until

_ROLE = "probe"
_WITHIN_S = 60.0
_PATIENCE = "connect_timeout=3&keepalives_idle=5&keepalives_interval=2&keepalives_count=3&tcp_user_timeout=10000"
"""A server that is cut off is given up after some 11 s, and not after two hours."""

_OWN = """
CREATE SCHEMA IF NOT EXISTS drillbook;
CREATE TABLE IF NOT EXISTS drillbook.probe (told bigint NOT NULL);
INSERT INTO drillbook.probe SELECT 0 WHERE NOT EXISTS (SELECT FROM drillbook.probe);
GRANT USAGE ON SCHEMA drillbook TO probe;
GRANT SELECT, UPDATE ON drillbook.probe TO probe;
"""
"""The superuser owns all of it: the role makes nothing, and drops nothing."""


def make(servers: str, superuser: str, password: str) -> None:
    """Make it and what it needs in the database that takes writes; idempotent.

    Args:
        servers: `host:port` of each, with commas.
        superuser: Password of `postgres`.
        password: The role's.

    Raises:
        ClusterError: When the database does not take it within a minute.
    """
    url = f"postgresql://postgres@{servers}/analytics?target_session_attrs=read-write&{_PATIENCE}"

    def missing() -> str:
        try:
            with psycopg.connect(url, password=superuser) as connection:
                found = connection.execute("SELECT FROM pg_roles WHERE rolname = %s", [_ROLE]).fetchone()
                if found is None:
                    connection.execute("CREATE ROLE probe")
                connection.execute(
                    sql.SQL("ALTER ROLE probe LOGIN CONNECTION LIMIT 32 PASSWORD {}").format(sql.Literal(password))
                )
                connection.execute(_OWN)
        except psycopg.Error as error:
            return f"the database does not take the probes' role: {error}"
        return ""

    wait_until(missing, deadline_s=_WITHIN_S)
