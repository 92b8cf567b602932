"""the language in which an order was placed

Revision ID: 1795567436
Revises: 1795373540
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "1795567436"
down_revision = "1795373540"
branch_labels = ()
depends_on = None


def upgrade() -> None:
    op.add_column(
        "orders", sa.Column("language", sa.String(length=2), nullable=False, server_default="en")
    )


def downgrade() -> None:
    op.drop_column("orders", "language")
