"""which products came from another shop, and what it said of them

Revision ID: 1796010301
Revises: 1796010300
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "1796010301"
down_revision = "1796010300"
branch_labels = ()
depends_on = None


def upgrade() -> None:
    op.create_table(
        "moved_products",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("system", sa.String(length=40), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("product_id", sa.Integer(), nullable=False),
        sa.Column("said", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["product_id"], ["products.id"], name=op.f("fk_moved_products_product_id_products")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_moved_products")),
        sa.UniqueConstraint("system", "key", name=op.f("uq_moved_products_system_key")),
        sa.UniqueConstraint("product_id", name=op.f("uq_moved_products_product_id")),
    )


def downgrade() -> None:
    op.drop_table("moved_products")
