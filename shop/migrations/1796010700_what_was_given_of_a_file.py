"""how often each part of a bought file was given, instead of how many downloads began

Revision ID: 1796010700
Revises: 1796010600
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "1796010700"
down_revision = "1796010600"
branch_labels = ()
depends_on = None


def upgrade() -> None:
    # Left empty: a download that was counted before is taken for a whole copy.
    op.add_column("deliveries", sa.Column("given", sa.JSON(), nullable=True))


def downgrade() -> None:
    op.drop_column("deliveries", "given")
