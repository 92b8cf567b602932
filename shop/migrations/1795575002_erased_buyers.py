"""orders whose buyer's address was erased

Revision ID: 1795575002
Revises: 1795575001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "1795575002"
down_revision = "1795575001"
branch_labels = ()
depends_on = None

NOT_ERASED = sa.text("erased_at IS NULL")


def upgrade() -> None:
    op.add_column("orders", sa.Column("erased_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index(
        "ix_orders_not_erased",
        "orders",
        ["created_at"],
        sqlite_where=NOT_ERASED,
        postgresql_where=NOT_ERASED,
    )


def downgrade() -> None:
    op.drop_index("ix_orders_not_erased", "orders")
    op.drop_column("orders", "erased_at")
