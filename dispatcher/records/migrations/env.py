"""Alembic's entry: runs the steps on the connection that `dispatcher.records.migrate` hands over."""

from __future__ import annotations

from alembic import context

from dispatcher.records.tables import METADATA

context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA)
with context.begin_transaction():
    context.run_migrations()
