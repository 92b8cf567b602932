"""how many units of a product one order may have

Revision ID: 1796010701
Revises: 1796010700
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "1796010701"
down_revision = "1796010700"
branch_labels = ()
depends_on = None


def upgrade() -> None:
    op.add_column("products", sa.Column("most_per_order", sa.Integer(), nullable=True))


def downgrade() -> None:
    op.drop_column("products", "most_per_order")
