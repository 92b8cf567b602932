"""whether a text that is handed over is Markdown, or goes to the buyer letter for letter

Revision ID: 1796010200
Revises: 1796010100
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "1796010200"
down_revision = "1796010100"
branch_labels = ()
depends_on = None

COLUMNS = (("products", "delivery_markdown"), ("deliveries", "markdown"))


def upgrade() -> None:
    # All texts were Markdown; a product's next import says whether it still is.
    for table, name in COLUMNS:
        op.add_column(
            table, sa.Column(name, sa.Boolean(), nullable=False, server_default=sa.true())
        )


def downgrade() -> None:
    for table, name in COLUMNS:
        op.drop_column(table, name)
