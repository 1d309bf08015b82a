# ruff: noqa: INP001 - Alembic loads it by its path
"""Alembic's entry: runs the revisions on the connection that `analytics.migrate` opened."""

from alembic import context

context.configure(connection=context.config.attributes["connection"], transaction_per_migration=True)
with context.begin_transaction():
    context.run_migrations()
