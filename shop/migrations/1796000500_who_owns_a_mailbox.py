"""which orders were placed by somebody who had shown that the address is theirs

Revision ID: 1796000500
Revises: 1796000400
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "1796000500"
down_revision = "1796000400"
branch_labels = ()
depends_on = None


def upgrade() -> None:
    op.add_column(
        "placements", sa.Column("proven", sa.Boolean(), nullable=False, server_default=sa.false())
    )


def downgrade() -> None:
    op.drop_column("placements", "proven")
