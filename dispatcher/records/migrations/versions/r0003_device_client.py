"""The client that a device is bound to."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the column; a device that is known already is bound when it connects next."""
    op.add_column("devices", sa.Column("client", sa.String(32), nullable=False, server_default=""))


def downgrade() -> None:
    """Drop it."""
    op.drop_column("devices", "client")
