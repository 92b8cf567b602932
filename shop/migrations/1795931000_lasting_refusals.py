"""refusals that last, answers that are not clear, and since when a part is there

Revision ID: 1795931000
Revises: 1795930000
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "1795931000"
down_revision = "1795930000"
branch_labels = ()
depends_on = None


def upgrade() -> None:
    # Plain columns: rebuilding the table on SQLite would drop the guard of its states.
    for column in (
        sa.Column("error_lasts", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("partial_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("unclear_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("unclear_because", sa.String(length=300), nullable=False, server_default=""),
    ):
        op.add_column("payments", column)


def downgrade() -> None:
    for name in ("error_lasts", "partial_since", "unclear_since", "unclear_because"):
        op.drop_column("payments", name)
