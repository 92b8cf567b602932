"""why a notice was refused

Revision ID: 1795930000
Revises: 1795575002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "1795930000"
down_revision = "1795575002"
branch_labels = ()
depends_on = None


def upgrade() -> None:
    # A plain column: rebuilding the table on SQLite would drop the guard of its states.
    op.add_column(
        "payments",
        sa.Column("refused_because", sa.String(length=20), nullable=False, server_default=""),
    )


def downgrade() -> None:
    op.drop_column("payments", "refused_because")
