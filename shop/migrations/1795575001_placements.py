"""who placed an order, as keyed hashes

Revision ID: 1795575001
Revises: 1795575000
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "1795575001"
down_revision = "1795575000"
branch_labels = ()
depends_on = None


def upgrade() -> None:
    op.create_table(
        "placements",
        sa.Column("order_id", sa.Integer(), nullable=False),
        sa.Column("buyer", sa.String(length=32), nullable=False),
        sa.Column("client", sa.String(length=32), nullable=False),
        sa.Column("placed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["order_id"], ["orders.id"], name=op.f("fk_placements_order_id_orders")
        ),
        sa.PrimaryKeyConstraint("order_id", name=op.f("pk_placements")),
    )
    for name in ("buyer", "client", "placed_at"):
        op.create_index(op.f(f"ix_placements_{name}"), "placements", [name])


def downgrade() -> None:
    op.drop_table("placements")
