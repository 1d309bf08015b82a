# ruff: noqa: INP001 - Alembic loads it by its path
"""Which release stored an event, and an index from which the median is read without the table.

Additive: release 1.0.0 goes on working on it, so a release can be rolled back without touching the schema.
"""

from alembic import op

revision = "0002"
down_revision = "0001"

phase = "expand"
loses = "which release stored an event, on the way down"


def upgrade() -> None:
    """For release 1.1.0."""
    op.execute("SET lock_timeout = '200ms'")
    # Without a default and nullable: a change of the catalogue only, whatever the table's size.
    op.execute("ALTER TABLE events ADD COLUMN IF NOT EXISTS stored_by text")
    with op.get_context().autocommit_block():
        # A concurrent build waits for transactions that are older, and nobody queues behind that.
        op.execute("SET lock_timeout = '60s'")
        # One processor: users have the others. By default a build takes up to three.
        op.execute("SET max_parallel_maintenance_workers = 0")
        # A build that was interrupted leaves an invalid index under the name.
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS events_source_occurred_at_value")
        op.execute("CREATE INDEX CONCURRENTLY events_source_occurred_at_value ON events (source, occurred_at, value)")
        op.execute("SET lock_timeout = '200ms'")


def downgrade() -> None:
    """Back to what 1.0.0 needs; what 1.1.0 noted of an event's origin is lost."""
    with op.get_context().autocommit_block():
        op.execute("SET lock_timeout = '60s'")
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS events_source_occurred_at_value")
        op.execute("SET lock_timeout = '200ms'")
    # What a back-fill has filled goes with the column: one that went on from there would leave it out.
    op.execute("DROP TABLE IF EXISTS backfills")
    op.execute("ALTER TABLE events DROP COLUMN IF EXISTS stored_by")
