"""${message}."""

from alembic import op

revision = "${up_revision}"
down_revision = ${repr(down_revision)}


def upgrade() -> None:
    """For release ...."""


def downgrade() -> None:
    """Back to what the release before needs."""
