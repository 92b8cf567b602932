"""addresses that products and categories had elsewhere

Revision ID: 1796010300
Revises: 1796010200
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "1796010300"
down_revision = "1796010200"
branch_labels = ()
depends_on = None


def upgrade() -> None:
    op.create_table(
        "former_addresses",
        sa.Column("path", sa.String(400), nullable=False),
        sa.Column("query", sa.String(200), nullable=False),
        sa.Column("product_id", sa.Integer(), nullable=True),
        sa.Column("category_id", sa.Integer(), nullable=True),
        sa.CheckConstraint("(product_id IS NULL) <> (category_id IS NULL)", name="one_target"),
        sa.ForeignKeyConstraint(["product_id"], ["products.id"]),
        sa.ForeignKeyConstraint(["category_id"], ["categories.id"]),
        sa.PrimaryKeyConstraint("path", "query"),
    )


def downgrade() -> None:
    op.drop_table("former_addresses")
