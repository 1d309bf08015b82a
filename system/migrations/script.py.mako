"""${message}."""

from alembic import op

revision = "${up_revision}"
down_revision = ${repr(down_revision)}

phase = "expand"  # or "contract", with serves_from = the oldest release that works after it
# loses = "what is lost on the way up or down, when something is"


def upgrade() -> None:
    """For release ...."""
    op.execute("SET lock_timeout = '200ms'")


def downgrade() -> None:
    """Back to what the release before needs."""
    op.execute("SET lock_timeout = '200ms'")
