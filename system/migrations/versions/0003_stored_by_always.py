# ruff: noqa: INP001 - Alembic loads it by its path
"""Every event says which release stored it.

Releases before 1.1.0 do not say so, and can store nothing from here on. It is run by `contract`, once none of them
serves any more and the back-fill `stored-by` has said it for the events that they left.
"""

from alembic import op

revision = "0003"
down_revision = "0002"

phase = "contract"
serves_from = "1.1.0"


def upgrade() -> None:
    """For what comes after 1.1.0."""
    with op.get_context().autocommit_block():
        op.execute("SET lock_timeout = '200ms'")
        op.execute("ALTER TABLE events DROP CONSTRAINT IF EXISTS events_stored_by_always")
        op.execute("ALTER TABLE events ADD CONSTRAINT events_stored_by_always CHECK (stored_by IS NOT NULL) NOT VALID")
        # Reads the whole table beside its readers and writers.
        op.execute("ALTER TABLE events VALIDATE CONSTRAINT events_stored_by_always")
        # Reads nothing: the constraint has been seen to hold.
        op.execute("ALTER TABLE events ALTER COLUMN stored_by SET NOT NULL")
        op.execute("ALTER TABLE events DROP CONSTRAINT events_stored_by_always")


def downgrade() -> None:
    """Back to where 1.0.0 can store events."""
    op.execute("SET lock_timeout = '200ms'")
    op.execute("ALTER TABLE events ALTER COLUMN stored_by DROP NOT NULL")
