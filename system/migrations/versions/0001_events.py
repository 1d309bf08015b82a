# ruff: noqa: INP001 - Alembic loads it by its path
"""Events, one for each key, and the indexes that aggregates and freshness read."""

from alembic import op

revision = "0001"
down_revision = None

phase = "expand"
loses = "all events, on the way down"


def upgrade() -> None:
    """For release 1.0.0."""
    op.execute("SET lock_timeout = '200ms'")
    op.execute("""
        CREATE TABLE events (
            key text PRIMARY KEY,
            source text NOT NULL,
            occurred_at timestamptz NOT NULL,
            kind text NOT NULL,
            value double precision NOT NULL,
            received_at timestamptz NOT NULL DEFAULT now()
        )
    """)
    op.execute("CREATE INDEX events_source_occurred_at ON events (source, occurred_at)")
    op.execute("CREATE INDEX events_received_at ON events (received_at)")


def downgrade() -> None:
    """Take all events away."""
    op.execute("SET lock_timeout = '200ms'")
    op.execute("DROP TABLE events")
