"""what is silent, and since when

Revision ID: 1796000100
Revises: 1796000000
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "1796000100"
down_revision = "1796000000"
branch_labels = ()
depends_on = None


def upgrade() -> None:
    op.create_table(
        "silences",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_silences")),
    )


def downgrade() -> None:
    op.drop_table("silences")
